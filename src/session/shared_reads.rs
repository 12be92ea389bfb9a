//! A history that several hubs read at once is asked once: the same events for all that want them at the same time.
//!
//! Who asks for what is under way already gets the earlier reader's answer, which may end before the newest event.
//! It has at least the first event that was asked for, since nobody asks for one that is not known to be there; the
//! rest is asked for next. Snapshots are not shared: a snapshot must not be older than the question.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

use super::{History, HistoryUnavailable, Snapshot};
use crate::bus::Publication;
use crate::domain::{AuctionId, Seq};

type Question = (AuctionId, Seq, u32);
type Events = Result<Arc<[Publication]>, HistoryUnavailable>;
type UnderWay = Arc<Mutex<HashMap<Question, Shared<BoxFuture<'static, Events>>>>>;

/// See the file's head.
pub struct SharedReads {
    inner: Arc<dyn History>,
    under_way: UnderWay,
}

impl SharedReads {
    /// Reads from `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn History>) -> Self {
        Self { inner, under_way: UnderWay::default() }
    }

    fn ask(&self, question: Question) -> Shared<BoxFuture<'static, Events>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || {
            let (inner, under_way) = (Arc::clone(&self.inner), Arc::clone(&self.under_way));
            let reading = async move {
                let (auction, after, limit) = question;
                let events = inner.events_after(auction, after, limit).await;
                under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&question);
                events.map(Arc::from)
            };
            reading.boxed().shared()
        };
        under_way.entry(question).or_insert_with(start).clone()
    }
}

#[async_trait]
impl History for SharedReads {
    async fn snapshot(&self, auction_id: AuctionId) -> Result<Option<Snapshot>, HistoryUnavailable> {
        self.inner.snapshot(auction_id).await
    }

    async fn events_after(
        &self,
        auction_id: AuctionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Publication>, HistoryUnavailable> {
        Ok(self.ask((auction_id, after, limit)).await?.to_vec())
    }

    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, HistoryUnavailable> {
        self.inner.heads(auctions).await
    }
}
