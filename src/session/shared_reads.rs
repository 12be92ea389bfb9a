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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Fails every read, once it is let.
    struct Slow {
        reads: AtomicUsize,
        gate: Semaphore,
    }

    #[async_trait]
    impl History for Slow {
        async fn snapshot(&self, _: AuctionId) -> Result<Option<Snapshot>, HistoryUnavailable> {
            Ok(None)
        }

        async fn events_after(&self, _: AuctionId, _: Seq, _: u32) -> Result<Vec<Publication>, HistoryUnavailable> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            Err(HistoryUnavailable)
        }

        async fn heads(&self, _: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, HistoryUnavailable> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn who_asks_the_same_at_the_same_time_shares_one_read_and_the_next_reads_anew() {
        let slow = Arc::new(Slow { reads: AtomicUsize::new(0), gate: Semaphore::new(0) });
        let history = SharedReads::new(Arc::<Slow>::clone(&slow));
        let ask = |auction, after| history.events_after(AuctionId(auction), Seq(after), 10);
        let many = join_all([ask(1, 5), ask(1, 5), ask(1, 5), ask(1, 6), ask(2, 5)]);
        let let_through = async {
            tokio::task::yield_now().await;
            assert_eq!(slow.reads.load(Ordering::SeqCst), 3);
            slow.gate.add_permits(100);
        };
        let (answers, ()) = tokio::join!(many, let_through);
        assert!(answers.iter().all(Result::is_err));
        assert!(ask(1, 5).await.is_err());
        assert_eq!(slow.reads.load(Ordering::SeqCst), 4);
        assert!(history.under_way.lock().unwrap().is_empty());
    }
}
