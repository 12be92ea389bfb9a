//! A real store whose commits a test can hold back or make fail. Everything else is the real store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use gavel::domain::{AuctionId, BidId, Epoch, Seq, Timestamp, UserId};
use gavel::store::{
    Accounts, AuctionBatch, Catalog, Images, Incomplete, Ledger, ListQuery, NewAuction, OwnBid, RejectedBid,
    RejectionCursor, Settlement, SignUp, Store, StoreError, StoredAnswer, StoredAuction, StoredEvent, StoredImage,
    StoredUser, Ties, TokenHash, Written,
};
use tokio::sync::Semaphore;

pub(super) struct Faulty {
    pub inner: Arc<dyn Store>,
    /// One permit lets one commit through; `open` gives as many as anyone needs.
    gate: Semaphore,
    failing: AtomicUsize,
    unheard: AtomicUsize,
    broken: AtomicBool,
    pub(super) commits: AtomicUsize,
}

impl Faulty {
    /// Commits wait until they are let through.
    pub(super) fn held(inner: Arc<dyn Store>) -> Arc<Self> {
        let (failing, unheard, commits) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { inner, gate: Semaphore::new(0), failing, unheard, broken: AtomicBool::new(false), commits })
    }

    /// Commits pass.
    pub(super) fn open(inner: Arc<dyn Store>) -> Arc<Self> {
        let store = Self::held(inner);
        store.let_through(1_000_000);
        store
    }

    pub(super) fn let_through(&self, commits: usize) {
        self.gate.add_permits(commits);
    }

    /// From now on nothing can be written, until it can again.
    pub(super) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), StoreError> {
        let broken = self.broken.load(Ordering::SeqCst);
        if broken { Err(StoreError::Unavailable("made to be away".to_owned())) } else { Ok(()) }
    }

    /// The next `commits` commits fail and leave no trace.
    pub(super) fn fail_next(&self, commits: usize) {
        self.failing.store(commits, Ordering::SeqCst);
    }

    /// The next `commits` commits succeed, and nobody hears of it.
    pub(super) fn lose_answers(&self, commits: usize) {
        self.unheard.store(commits, Ordering::SeqCst);
    }
}

#[async_trait]
impl Ledger for Faulty {
    async fn take_over(&self) -> Result<Epoch, StoreError> {
        self.inner.take_over().await
    }
    async fn commit(&self, batches: Vec<AuctionBatch>) -> Result<Vec<Written>, StoreError> {
        self.gate.acquire().await.expect("the gate is never closed").forget();
        self.commits.fetch_add(1, Ordering::SeqCst);
        let next_of = |commits: &AtomicUsize| {
            commits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        if next_of(&self.failing) {
            return Err(StoreError::Unavailable("made to fail".to_owned()));
        }
        self.check()?;
        let written = self.inner.commit(batches).await?;
        if next_of(&self.unheard) {
            return Err(StoreError::OutcomeUnknown("made to be unheard".to_owned()));
        }
        Ok(written)
    }
    async fn answered(&self, auction_id: AuctionId) -> Result<Vec<BidId>, StoreError> {
        self.inner.answered(auction_id).await
    }
    async fn answer(&self, auction_id: AuctionId, bid_id: BidId) -> Result<Option<StoredAnswer>, StoreError> {
        self.inner.answer(auction_id, bid_id).await
    }
    async fn events_after(&self, id: AuctionId, after: Seq, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.events_after(id, after, limit).await
    }
    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, StoreError> {
        self.inner.heads(auctions).await
    }
    async fn rejections_after(
        &self,
        id: AuctionId,
        after: Option<RejectionCursor>,
        limit: u32,
    ) -> Result<Vec<(RejectionCursor, RejectedBid)>, StoreError> {
        self.inner.rejections_after(id, after, limit).await
    }
    async fn answered_twice(&self, id: AuctionId, limit: u32) -> Result<Vec<BidId>, StoreError> {
        self.inner.answered_twice(id, limit).await
    }

    async fn incomplete(&self, after: AuctionId, limit: u32) -> Result<Vec<Incomplete>, StoreError> {
        self.inner.incomplete(after, limit).await
    }

    async fn rejections_counted(&self, id: AuctionId) -> Result<Option<(i64, i64)>, StoreError> {
        self.inner.rejections_counted(id).await
    }
    async fn open_deadlines(
        &self,
        after: Option<(Timestamp, AuctionId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, AuctionId)>, StoreError> {
        self.inner.open_deadlines(after, limit).await
    }
}

#[async_trait]
impl Catalog for Faulty {
    async fn create_auction(&self, auction: NewAuction) -> Result<StoredAuction, StoreError> {
        self.inner.create_auction(auction).await
    }
    async fn auction(&self, id: AuctionId) -> Result<Option<StoredAuction>, StoreError> {
        self.inner.auction(id).await
    }
    async fn list_auctions(&self, query: ListQuery) -> Result<Vec<StoredAuction>, StoreError> {
        self.inner.list_auctions(query).await
    }
    async fn just_ended(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.inner.just_ended(now, limit).await
    }
    async fn auctions_by_id(&self, after: AuctionId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.inner.auctions_by_id(after, limit).await
    }
    async fn settlement(&self, id: AuctionId) -> Result<Option<Settlement>, StoreError> {
        self.inner.settlement(id).await
    }
    async fn bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
        self.inner.bids_of(user, limit).await
    }
    async fn running_bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
        self.inner.running_bids_of(user, limit).await
    }
    async fn ties(&self, user: UserId, auction: AuctionId) -> Result<Ties, StoreError> {
        self.inner.ties(user, auction).await
    }
    async fn put_up_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.inner.put_up_by(user, limit).await
    }
    async fn won_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.inner.won_by(user, limit).await
    }
    async fn watched_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.inner.watched_by(user, limit).await
    }
    async fn set_watched(&self, user: UserId, auction: AuctionId, watched: bool) -> Result<(), StoreError> {
        self.inner.set_watched(user, auction, watched).await
    }
}

#[async_trait]
impl Accounts for Faulty {
    async fn create_user(&self, email: &str, nick: &str, hash: &str, at: Timestamp) -> Result<SignUp, StoreError> {
        self.inner.create_user(email, nick, hash, at).await
    }
    async fn user_by_email(&self, email: &str) -> Result<Option<StoredUser>, StoreError> {
        self.inner.user_by_email(email).await
    }
    async fn create_token(
        &self,
        hash: TokenHash,
        user: UserId,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<TokenHash>, StoreError> {
        self.inner.create_token(hash, user, at, expires_at).await
    }
    async fn token_user(&self, hash: TokenHash, now: Timestamp) -> Result<Option<(StoredUser, Timestamp)>, StoreError> {
        self.inner.token_user(hash, now).await
    }
    async fn revoke_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.inner.revoke_token(hash).await
    }
}

#[async_trait]
impl Images for Faulty {
    async fn put_image(&self, id: &str, image: StoredImage, owner: UserId, at: Timestamp) -> Result<(), StoreError> {
        self.inner.put_image(id, image, owner, at).await
    }
    async fn image(&self, id: &str) -> Result<Option<StoredImage>, StoreError> {
        self.inner.image(id).await
    }
}

#[async_trait]
impl Store for Faulty {
    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
    async fn probe(&self) -> Result<(), StoreError> {
        self.check()?;
        self.inner.probe().await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}
