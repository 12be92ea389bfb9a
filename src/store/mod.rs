//! What must survive: the port, its words and its contract.
//!
//! Every backend passes the suite in `tests/integration/contract/store.rs`. Nothing outside this
//! room knows SQL. The promise of each method is written at the method; all of them together:
//! what a method reported as done is on stable storage, and what it reported as failed with
//! [`StoreError::Unavailable`] left no trace.

pub mod audit;
pub mod outage;
pub mod ownership;
pub mod postgres;
pub mod sqlite;
pub mod write_behind;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::domain::{
    AuctionId, BidId, Bidder, Epoch, Event, EventKind, Head, Money, PlaceBid, Rejection, Seq, Terms, Timestamp, UserId,
};

/// Why the store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It surely did not happen; try again later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It may or may not have happened (the connection was lost or the disk failed during a commit): read back before
    /// going on.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// The stored data breaks a rule that this program relies on.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
}

/// An auction as it is stored: description, terms and head.
#[derive(Debug, Clone)]
pub struct StoredAuction {
    pub id: AuctionId,
    pub title: Arc<str>,
    pub description: Arc<str>,
    pub image_id: Option<Arc<str>>,
    pub seller_nick: Arc<str>,
    pub created_at: Timestamp,
    pub terms: Terms,
    pub head: Head,
    /// Epoch of the newest event's batch; `Epoch(0)` when there is none.
    pub epoch: Epoch,
}

impl StoredAuction {
    /// The closing instant as it stands.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.head.ends_at(&self.terms)
    }
}

/// An auction to be created.
#[derive(Debug, Clone)]
pub struct NewAuction {
    pub title: String,
    pub description: String,
    pub image_id: Option<String>,
    pub created_at: Timestamp,
    pub terms: Terms,
}

/// An event with the epoch under which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    pub epoch: Epoch,
    pub event: Arc<Event>,
}

/// A refused bid, remembered under its `bid_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedBid {
    pub bid: PlaceBid,
    pub rejection: Rejection,
    pub at: Timestamp,
}

/// What a `bid_id` was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAnswer {
    /// With this event, whose kind is [`EventKind::Bid`].
    Accepted(StoredEvent),
    Rejected(RejectedBid),
}

/// One auction's part of a commit.
#[derive(Debug, Clone)]
pub struct AuctionBatch {
    pub auction_id: AuctionId,
    /// Under which the events were decided: written only while it is the newest for this auction.
    pub epoch: Epoch,
    /// The head that the first event follows: written only if the stored head's seq equals it. Without
    /// events neither this nor `head` means anything.
    pub prev_seq: Seq,
    /// In seq order, contiguous from `prev_seq.next()`, an [`EventKind::Extended`] only as the first. May be empty when
    /// there are only rejections.
    pub events: Vec<Arc<Event>>,
    /// The head after the last event.
    pub head: Head,
    pub rejections: Vec<RejectedBid>,
}

/// What became of one [`AuctionBatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// On stable storage, whole.
    Committed,
    /// Nothing written: a later epoch owns the auction.
    Fenced,
    /// Nothing written: the stored head is not `prev_seq`. An alarm, since the fence should have caught it.
    HeadMismatch { stored: Seq },
    /// Nothing written: the batch, or what is stored of its auction, breaks a rule of the store. Others are not touched.
    Damaged,
}

/// Events, answers and heads: the auctions' ledger.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Becomes the owner of every auction: fences all earlier epochs and returns the new one.
    async fn take_over(&self) -> Result<Epoch, StoreError>;

    /// Commits all `batches`, each whole or not at all: in one transaction, unless one is [`Written::Damaged`].
    ///
    /// Events, the auction's head, rejections and, with an [`EventKind::Closed`], the settlement
    /// (winner, price, seller) are one unit; an [`EventKind::Extended`] moves the auction's place in every order by
    /// closing instant. Returns one [`Written`] for each batch, in order.
    /// A rejection whose `bid_id` is remembered already is skipped: the first answer stands.
    async fn commit(&self, batches: Vec<AuctionBatch>) -> Result<Vec<Written>, StoreError>;

    /// Takes the committer onto the thread that commits, so that one commit follows the other without another thread being
    /// woken in between; gives it back where there is no such thread. It ends with its outboxes, or with the store.
    fn host(&self, committer: BoxFuture<'static, ()>) -> Option<BoxFuture<'static, ()>> {
        Some(committer)
    }

    /// Every `bid_id` of the auction that has an answer, in no order.
    async fn answered(&self, auction_id: AuctionId) -> Result<Vec<BidId>, StoreError>;

    /// What `bid_id` was answered in this auction.
    async fn answer(&self, auction_id: AuctionId, bid_id: BidId) -> Result<Option<StoredAnswer>, StoreError>;

    /// Up to `limit` events with a seq above `after`, in seq order.
    async fn events_after(&self, auction_id: AuctionId, after: Seq, limit: u32)
    -> Result<Vec<StoredEvent>, StoreError>;

    /// The newest event of each of `auctions` that there is; [`Seq::ZERO`] when it has none. In no order.
    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, StoreError>;

    /// Up to `limit` rejections, each with its place, strictly after `after`; every one comes once. For the auditor.
    async fn rejections_after(
        &self,
        auction_id: AuctionId,
        after: Option<RejectionCursor>,
        limit: u32,
    ) -> Result<Vec<(RejectionCursor, RejectedBid)>, StoreError>;

    /// Up to `limit` `bid_id`s that were accepted more than once, or both accepted and rejected: none, unless
    /// the data is damaged. For the auditor.
    async fn answered_twice(&self, auction_id: AuctionId, limit: u32) -> Result<Vec<BidId>, StoreError>;

    /// Up to `limit` auctions with an id above `after`, by id, of which some rows are there and others are lost: none,
    /// unless the data is damaged. The other reads may not see them at all. For the auditor.
    async fn incomplete(&self, after: AuctionId, limit: u32) -> Result<Vec<Incomplete>, StoreError>;

    /// How many rejections the auction's head counts, and how many are stored, both at one instant; `None` when there is
    /// no head, or this backend stores no count. For the auditor.
    async fn rejections_counted(&self, auction_id: AuctionId) -> Result<Option<(i64, i64)>, StoreError>;

    /// Up to `limit` auctions that are not closed, soonest closing instant first, strictly after
    /// `after` in the order (closing instant, id).
    async fn open_deadlines(
        &self,
        after: Option<(Timestamp, AuctionId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, AuctionId)>, StoreError>;
}

/// A place among an auction's rejections. Opaque: it comes from the store and goes back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectionCursor {
    pub(crate) shelf: i64,
    pub(crate) bid_id: BidId,
}

/// An auction of which rows are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    pub id: AuctionId,
    /// What must be there and is not: `auction` (its own row), `seller`, `head`.
    pub lost: Vec<&'static str>,
    /// What is there.
    pub left: Vec<&'static str>,
}

impl Incomplete {
    /// From whether there is: the auction's own row, its seller, its head, events, rejections, a settlement.
    pub(crate) fn of(id: AuctionId, there: [bool; 6]) -> Self {
        let names = ["auction", "seller", "head", "events", "rejections", "settlement"];
        let [auction, ..] = there;
        // The seller is known by the auction's own row only; no auction must have events.
        let needed = [true, auction, true, false, false, false];
        let mut incomplete = Self { id, lost: Vec::new(), left: Vec::new() };
        for ((name, there), needed) in names.into_iter().zip(there).zip(needed) {
            if there {
                incomplete.left.push(name);
            } else if needed {
                incomplete.lost.push(name);
            }
        }
        incomplete
    }
}

/// Which auctions a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateFilter {
    #[default]
    All,
    Scheduled,
    Open,
    Closed,
}

/// A list's order is (closing instant, id), both rising; a cursor is the last entry seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListQuery {
    pub state: StateFilter,
    pub now: Timestamp,
    pub after: Option<(Timestamp, AuctionId)>,
    pub limit: u32,
}

/// A settled sale or an unsold end, written once with the closing event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub auction_id: AuctionId,
    pub seller: UserId,
    /// Winner and price; `None` when nobody bid.
    pub sale: Option<(UserId, Money)>,
    pub at: Timestamp,
}

/// One of a user's own bids, for the user's own page.
#[derive(Debug, Clone)]
pub struct OwnBid {
    pub auction_id: AuctionId,
    pub title: Arc<str>,
    pub seq: Seq,
    pub amount: Money,
    pub at: Timestamp,
}

/// What a user has to do with one auction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ties {
    pub watches: bool,
    /// Whether a bid of the user's was ever accepted in it.
    pub has_bid: bool,
}

/// Auctions as things to show and look up.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Stores a new auction and returns it with its id. The seller must exist.
    async fn create_auction(&self, auction: NewAuction) -> Result<StoredAuction, StoreError>;
    async fn auction(&self, id: AuctionId) -> Result<Option<StoredAuction>, StoreError>;
    async fn list_auctions(&self, query: ListQuery) -> Result<Vec<StoredAuction>, StoreError>;
    /// Up to `limit` closed auctions whose closing instant is past at `now`, the newest first.
    async fn just_ended(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredAuction>, StoreError>;
    /// Up to `limit` auctions with an id above `after`, by id: for the auditor.
    async fn auctions_by_id(&self, after: AuctionId, limit: u32) -> Result<Vec<StoredAuction>, StoreError>;
    async fn settlement(&self, id: AuctionId) -> Result<Option<Settlement>, StoreError>;
    /// The user's accepted bids, newest first.
    async fn bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError>;
    /// The user's newest bid in each auction that is not closed, newest first.
    async fn running_bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError>;
    /// What the user has to do with the auction; nothing with one that is not there.
    async fn ties(&self, user: UserId, auction: AuctionId) -> Result<Ties, StoreError>;
    /// Auctions the user put up, newest first.
    async fn put_up_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError>;
    /// Auctions the user won, newest closing first.
    async fn won_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError>;
    /// Auctions the user watches, soonest closing first.
    async fn watched_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError>;
    /// Starts or stops watching; doing either twice is no error. Watching an auction that is not there does nothing.
    async fn set_watched(&self, user: UserId, auction: AuctionId, watched: bool) -> Result<(), StoreError>;
}

/// A user as stored.
#[derive(Debug, Clone)]
pub struct StoredUser {
    pub id: UserId,
    pub email: Arc<str>,
    pub nick: Arc<str>,
    /// PHC string (argon2id).
    pub password_hash: Arc<str>,
}

impl StoredUser {
    /// The user as others see them in an auction.
    #[must_use]
    pub fn bidder(&self) -> Bidder {
        Bidder { id: self.id, nick: Arc::clone(&self.nick) }
    }
}

/// What became of a sign-up.
#[derive(Debug, Clone)]
pub enum SignUp {
    Created(StoredUser),
    EmailTaken,
}

/// SHA-256 of a sign-in token: the token itself is never stored.
pub type TokenHash = [u8; 32];

/// Users and their sign-in tokens.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// E-mail addresses are unique without regard to case.
    async fn create_user(
        &self,
        email: &str,
        nick: &str,
        password_hash: &str,
        at: Timestamp,
    ) -> Result<SignUp, StoreError>;
    async fn user_by_email(&self, email: &str) -> Result<Option<StoredUser>, StoreError>;
    /// Stores a token. The user's expired tokens and the oldest beyond `limits::TOKENS_PER_USER_MAX` go: returns them.
    async fn create_token(
        &self,
        hash: TokenHash,
        user: UserId,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<TokenHash>, StoreError>;
    /// The user whose token it is and when it expires, if the token is known and not expired at `now`.
    async fn token_user(&self, hash: TokenHash, now: Timestamp) -> Result<Option<(StoredUser, Timestamp)>, StoreError>;
    /// Ends a token; ending an unknown one is no error.
    async fn revoke_token(&self, hash: TokenHash) -> Result<(), StoreError>;
}

/// A picture, already re-encoded.
#[derive(Debug, Clone)]
pub struct StoredImage {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: Arc<str>,
    pub bytes: Bytes,
}

/// Pictures by the hash of their content.
#[async_trait]
pub trait Images: Send + Sync {
    /// Stores a picture; the same id again is no error. It stays once an auction shows it. Before that, the oldest of the
    /// owner's beyond `limits::IMAGES_UNUSED_PER_USER_MAX` go, and everyone's that are older than
    /// `limits::IMAGE_UNUSED_LIFE`; a picture that several stored goes when the last of them loses it.
    async fn put_image(&self, id: &str, image: StoredImage, owner: UserId, at: Timestamp) -> Result<(), StoreError>;
    async fn image(&self, id: &str) -> Result<Option<StoredImage>, StoreError>;
}

/// The whole port.
#[async_trait]
pub trait Store: Ledger + Catalog + Accounts + Images {
    /// Shows, cheaply, that the store reads and takes work.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Writes something of no consequence to stable storage: shows that commits are taken.
    async fn probe(&self) -> Result<(), StoreError>;
    /// Stops taking work, finishes what was taken, closes files.
    async fn close(&self);
}

/// The bid in an event, if it is one.
#[must_use]
pub fn bid_of(event: &Event) -> Option<&PlaceBid> {
    match &event.kind {
        EventKind::Bid(bid) => Some(bid),
        EventKind::Extended { .. } | EventKind::Closed { .. } => None,
    }
}

/// Whether the only event of `batch` that moves the closing instant, if there is one, is the first.
fn extends_first(batch: &AuctionBatch) -> bool {
    batch.events.iter().skip(1).all(|event| !matches!(event.kind, EventKind::Extended { .. }))
}
