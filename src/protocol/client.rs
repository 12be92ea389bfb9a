//! JSON for clients: auctions, bids, receipts and the frames of live streams.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::time::rfc3339;
use crate::auction::Receipt;
use crate::bus::Publication;
use crate::domain::{BidId, Bidder, EventKind, Money, Rejection, Timestamp, Top};
use crate::store::{StoredAuction, StoredEvent, bid_of};

/// A user as everyone may see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserRef {
    /// A number, as text.
    pub id: String,
    pub nick: String,
}

impl From<&Bidder> for UserRef {
    fn from(bidder: &Bidder) -> Self {
        Self { id: bidder.id.to_string(), nick: bidder.nick.to_string() }
    }
}

/// The leading bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopView {
    pub seq: i64,
    /// Minor units.
    pub amount: i64,
    pub bidder: UserRef,
    /// RFC 3339, UTC, milliseconds.
    pub at: String,
}

impl From<&Top> for TopView {
    fn from(top: &Top) -> Self {
        Self { seq: top.seq.0, amount: top.amount.minor(), bidder: UserRef::from(&top.bidder), at: rfc3339(top.at) }
    }
}

/// Where an auction stands in its life. It is `closed` once its closing event is committed: it never opens again, and
/// its `winner` is final. One that is `open` past its `ends_at` is about to close and takes no bid, unless an outage of
/// the store gives it more time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Scheduled,
    Open,
    Closed,
    Cancelled,
}

impl State {
    /// The state of `auction` at `now`. Its closing instant alone closes nothing: an outage may move it.
    #[must_use]
    pub fn of(auction: &StoredAuction, now: Timestamp) -> Self {
        if auction.head.outcome.is_some() {
            Self::Closed
        } else if now < auction.terms.starts_at {
            Self::Scheduled
        } else {
            Self::Open
        }
    }
}

/// Whether `auction` is past its closing instant at `now` and not closed: no bid is in time any more.
#[must_use]
pub fn is_closing(auction: &StoredAuction, now: Timestamp) -> bool {
    auction.head.outcome.is_none() && now >= auction.ends_at()
}

/// The policy of an auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct RulesView {
    /// Minor units, at least 1.
    pub min_increment: i64,
    pub leader_may_raise: bool,
}

/// An auction, as `GET /api/v1/auctions/{id}` and a snapshot show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuctionView {
    /// A number, as text.
    pub id: String,
    pub title: String,
    pub description: String,
    pub image_url: Option<String>,
    pub seller: UserRef,
    /// ISO 4217 code.
    pub currency: String,
    /// Minor units.
    pub start_price: i64,
    pub top: Option<TopView>,
    /// The lowest amount that would be accepted, minor units. Above 10^15, the largest amount: no higher bid is possible.
    pub min_next: i64,
    pub bid_count: i64,
    pub starts_at: String,
    pub ends_at: String,
    pub state: State,
    /// Set once the closing event is committed, if anyone bid.
    pub winner: Option<UserRef>,
    /// The newest committed event; 0 before the first.
    pub seq: i64,
    pub rules: RulesView,
    pub server_time: String,
}

impl AuctionView {
    /// The view of `auction` at `now`.
    #[must_use]
    pub fn new(auction: &StoredAuction, now: Timestamp) -> Self {
        let StoredAuction { terms, head, .. } = auction;
        let winner = head.outcome.as_ref().and_then(|outcome| outcome.winner.as_ref());
        Self {
            id: auction.id.to_string(),
            title: auction.title.to_string(),
            description: auction.description.to_string(),
            image_url: auction.image_id.as_deref().map(image_url),
            seller: UserRef { id: terms.seller.to_string(), nick: auction.seller_nick.to_string() },
            currency: terms.currency.code().to_owned(),
            start_price: terms.start_price.minor(),
            top: head.top.as_ref().map(TopView::from),
            min_next: min_next(auction).minor(),
            bid_count: head.bid_count,
            starts_at: rfc3339(terms.starts_at),
            ends_at: rfc3339(auction.ends_at()),
            state: State::of(auction, now),
            winner: winner.map(|top| UserRef::from(&top.bidder)),
            seq: head.seq.0,
            rules: RulesView {
                min_increment: terms.rules.min_increment.minor(),
                leader_may_raise: terms.rules.leader_may_raise,
            },
            server_time: rfc3339(now),
        }
    }
}

/// The lowest amount that would be accepted by `auction` as stored.
#[must_use]
pub fn min_next(auction: &StoredAuction) -> Money {
    auction.terms.rules.min_next(auction.terms.start_price, auction.head.top.as_ref().map(|top| top.amount))
}

/// Where a stored picture is served.
#[must_use]
pub fn image_url(image_id: &str) -> String {
    format!("/img/{image_id}")
}

/// The text form of a `bid_id`.
#[must_use]
pub fn bid_id_text(bid_id: BidId) -> String {
    Uuid::from_u128(bid_id.0).to_string()
}

/// One accepted bid of an auction's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BidView {
    pub seq: i64,
    /// UUID.
    pub bid_id: String,
    /// Minor units.
    pub amount: i64,
    pub bidder: UserRef,
    pub message: Option<String>,
    pub at: String,
}

impl BidView {
    /// The view of a stored event; `None` when it is not a bid.
    #[must_use]
    pub fn new(stored: &StoredEvent) -> Option<Self> {
        let bid = bid_of(&stored.event)?;
        Some(Self {
            seq: stored.event.seq.0,
            bid_id: bid_id_text(bid.bid_id),
            amount: bid.amount.minor(),
            bidder: UserRef::from(&bid.bidder),
            message: bid.message.as_deref().map(str::to_owned),
            at: rfc3339(stored.event.at),
        })
    }
}

/// The receipt of an accepted bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReceiptView {
    /// Always `accepted`.
    pub status: &'static str,
    /// UUID.
    pub bid_id: String,
    pub auction_id: String,
    pub seq: i64,
    /// Minor units.
    pub amount: i64,
    pub at: String,
    /// The least that would beat this bid, minor units.
    pub min_next: i64,
    pub ends_at: String,
}

impl From<&Receipt> for ReceiptView {
    fn from(receipt: &Receipt) -> Self {
        Self {
            status: "accepted",
            bid_id: bid_id_text(receipt.bid_id),
            auction_id: receipt.auction_id.to_string(),
            seq: receipt.seq.0,
            amount: receipt.amount.minor(),
            at: rfc3339(receipt.at),
            min_next: receipt.min_next.minor(),
            ends_at: rfc3339(receipt.ends_at),
        }
    }
}

/// What a refused bidder needs to know, beside the code. Members that do not apply are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RejectionFacts {
    /// The least that would have been enough, minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_next: Option<i64>,
    /// The bid to beat; null while only the start price stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<Option<TopView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
}

/// The stable code of a rejection and its facts.
#[must_use]
pub fn rejection_view(rejection: &Rejection) -> (&'static str, RejectionFacts) {
    let none = RejectionFacts::default();
    match rejection {
        Rejection::OwnAuction => ("own_auction", none),
        Rejection::NotStarted { starts_at } => {
            ("not_started", RejectionFacts { starts_at: Some(rfc3339(*starts_at)), ..none })
        }
        Rejection::Closed { ended_at } | Rejection::NotDue { ends_at: ended_at } => {
            ("closed", RejectionFacts { ends_at: Some(rfc3339(*ended_at)), ..none })
        }
        Rejection::TooLow { min_next, top } => (
            "too_low",
            RejectionFacts { min_next: Some(min_next.minor()), top: Some(top.as_ref().map(TopView::from)), ..none },
        ),
        Rejection::AlreadyLeading { top } => {
            ("already_leading", RejectionFacts { top: Some(Some(TopView::from(top))), ..none })
        }
    }
}

/// A committed event as live streams carry it: the SSE event name, or the WebSocket frame's `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveEvent {
    Bid {
        auction_id: String,
        seq: i64,
        bid_id: String,
        amount: i64,
        bidder: UserRef,
        message: Option<String>,
        at: String,
        min_next: i64,
        ends_at: String,
    },
    /// An outage took time from the bidders: the closing instant is a later one.
    Extended {
        auction_id: String,
        seq: i64,
        at: String,
        ends_at: String,
    },
    Closed {
        auction_id: String,
        seq: i64,
        winner: Option<UserRef>,
        amount: Option<i64>,
        at: String,
    },
}

impl From<&Publication> for LiveEvent {
    fn from(publication: &Publication) -> Self {
        let auction_id = publication.auction_id.to_string();
        let seq = publication.event.seq.0;
        let at = rfc3339(publication.event.at);
        match &publication.event.kind {
            EventKind::Bid(bid) => Self::Bid {
                auction_id,
                seq,
                bid_id: bid_id_text(bid.bid_id),
                amount: bid.amount.minor(),
                bidder: UserRef::from(&bid.bidder),
                message: bid.message.as_deref().map(str::to_owned),
                at,
                min_next: publication.min_next.minor(),
                ends_at: rfc3339(publication.ends_at),
            },
            EventKind::Extended { ends_at } => Self::Extended { auction_id, seq, at, ends_at: rfc3339(*ends_at) },
            EventKind::Closed { winner } => Self::Closed {
                auction_id,
                seq,
                winner: winner.as_ref().map(|top| UserRef::from(&top.bidder)),
                amount: winner.as_ref().map(|top| top.amount.minor()),
                at,
            },
        }
    }
}
