//! The committer: takes decided entries in order, commits them in batches, tells who is waiting.
//!
//! One batch is in flight; while it is written the next one gathers, so batches grow with the load by themselves. Nothing
//! that anyone waits for waits for a timer; what was told already is remembered a little later, many at a time. A batch that
//! failed is never retried here: its auctions read their state back from the store and start anew from what is really
//! there. Commits that fail or take long are an outage, which is written down.

mod groups;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::sync::{Notify, mpsc};

use self::groups::{Waiting, group};
use super::outage::Outages;
use super::{AuctionBatch, RejectedBid, Store, StoreError, Written};
use crate::clock::{Clock, Stopwatch};
use crate::domain::{AuctionId, Epoch, Event, Head, Seq, Timestamp};
use crate::limits;

/// Where the fate of an auction's entries is reported.
pub trait Confirm: Send + Sync {
    /// The oldest `entries` unconfirmed entries of `incarnation` met `fate`. Must not block.
    fn confirm(&self, incarnation: u64, entries: usize, fate: Fate);
}

/// What became of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// On stable storage.
    Committed,
    /// Not written: another owner has the auction.
    Fenced,
    /// Perhaps not written: read the auction back.
    Failed,
}

/// What is to be committed.
#[derive(Debug)]
pub enum Content {
    /// An event with the head after it.
    Event(Arc<Event>, Head),
    Rejection(RejectedBid),
    /// A rejection that its bidder was told already: nobody waits for its commit.
    Told(RejectedBid),
}

/// One decided thing on its way to the store.
pub struct Entry {
    pub auction_id: AuctionId,
    /// Under which it was decided.
    pub epoch: Epoch,
    /// Grows each time the auction reads its state back: entries of different incarnations never share a batch.
    pub incarnation: u64,
    pub content: Content,
    pub decided_at: Timestamp,
    pub confirm: Arc<dyn Confirm>,
}

impl Entry {
    fn is_awaited(&self) -> bool {
        !matches!(self.content, Content::Told(_))
    }
}

/// The sending side, one for the node.
#[derive(Clone)]
pub struct Outbox {
    sender: mpsc::Sender<Entry>,
    /// Told of each entry that someone waits for.
    awaited: Arc<Notify>,
    /// Entries whose fate is not known yet.
    undone: Arc<AtomicUsize>,
}

/// A place in the committer's queue, taken before the decision so that a decided thing always has one.
pub struct Place<'a>(mpsc::Permit<'a, Entry>, &'a Outbox);

impl Outbox {
    /// A place in the queue, or `None` when it is full.
    #[must_use]
    pub fn place(&self) -> Option<Place<'_>> {
        self.sender.try_reserve().ok().map(|permit| Place(permit, self))
    }

    /// Whether the fate of everything that was put is known.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.undone.load(Ordering::Acquire) == 0
    }
}

impl Place<'_> {
    /// Queues `entry`.
    pub fn put(self, entry: Entry) {
        let Self(permit, Outbox { awaited, undone, .. }) = self;
        undone.fetch_add(1, Ordering::AcqRel);
        let is_awaited = entry.is_awaited();
        permit.send(entry);
        if is_awaited {
            awaited.notify_one();
        }
    }
}

/// Makes the queue: its sending side and the committer that empties it.
#[must_use]
pub fn committer(store: Arc<dyn Store>, clock: Arc<Clock>, outages: Arc<Outages>) -> (Outbox, Committer) {
    let (sender, entries) = mpsc::channel(limits::OUTBOX_MAX);
    let outbox = Outbox { sender, awaited: Arc::default(), undone: Arc::default() };
    let (awaited, undone) = (Arc::clone(&outbox.awaited), Arc::clone(&outbox.undone));
    let (void, metrics) = (HashMap::new(), Metrics::new());
    (outbox, Committer { store, clock, outages, entries, awaited, undone, void, metrics })
}

/// The receiving side; [`Committer::run`] ends when every outbox is gone.
pub struct Committer {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    outages: Arc<Outages>,
    entries: mpsc::Receiver<Entry>,
    awaited: Arc<Notify>,
    undone: Arc<AtomicUsize>,
    /// The newest incarnation of an auction whose entries are void because one before them was not written.
    void: HashMap<AuctionId, u64>,
    metrics: Metrics,
}

struct Metrics {
    queue_depth: Gauge,
    oldest_age: Gauge,
    batch_rows: Histogram,
    commit_seconds: Histogram,
    failures: Counter,
}

impl Metrics {
    fn new() -> Self {
        Self {
            queue_depth: gauge!("gavel_committer_queue_depth"),
            oldest_age: gauge!("gavel_committer_oldest_age_seconds"),
            batch_rows: histogram!("gavel_commit_batch_rows"),
            commit_seconds: histogram!("gavel_commit_seconds"),
            failures: counter!("gavel_commit_failures_total"),
        }
    }
}

impl Committer {
    /// Commits until every outbox is gone and the queue is empty.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(limits::COMMIT_ROWS_MAX);
        while self.gather(&mut batch).await {
            let taken = batch.len();
            self.commit(&mut batch).await;
            self.undone.fetch_sub(taken, Ordering::AcqRel);
        }
    }

    /// Takes all that waits. When that is nothing that anyone waits for, also what comes until something is, or for
    /// [`limits::COMMIT_LINGER`]. Returns `false` when nothing will come any more.
    async fn gather(&mut self, batch: &mut Vec<Entry>) -> bool {
        if self.entries.recv_many(batch, limits::COMMIT_ROWS_MAX).await == 0 {
            return false;
        }
        let mut seen = 0;
        let mut lingered = pin!(tokio::time::sleep(limits::COMMIT_LINGER.into()));
        while batch.len() < limits::COMMIT_ROWS_MAX
            && !batch.iter().skip(seen).any(Entry::is_awaited)
            && !lingered.is_elapsed()
        {
            seen = batch.len();
            // Not for each entry: that would wake this thread for every one of them.
            tokio::select! {
                () = self.awaited.notified() => {}
                () = &mut lingered => {}
            }
            while batch.len() < limits::COMMIT_ROWS_MAX
                && let Ok(entry) = self.entries.try_recv()
            {
                batch.push(entry);
            }
        }
        true
    }

    async fn commit(&mut self, batch: &mut Vec<Entry>) {
        if !self.void.is_empty() {
            batch.retain(|entry| self.void.get(&entry.auction_id).is_none_or(|void| entry.incarnation > *void));
        }
        #[allow(clippy::cast_precision_loss, reason = "metrics are floats; rows and queue lengths are small")]
        {
            self.metrics.queue_depth.set(self.entries.len() as f64);
            self.metrics.batch_rows.record(batch.len() as f64);
        }
        if let Some(oldest) = batch.first() {
            let age = self.clock.now().since(oldest.decided_at);
            #[allow(clippy::cast_precision_loss, reason = "microseconds of an age fit a float")]
            self.metrics.oldest_age.set(age.0 as f64 / 1e6);
        }
        let groups = group(batch.drain(..));
        let (waiting, batches): (Vec<Waiting>, Vec<AuctionBatch>) = groups.into_iter().unzip();
        let stopwatch = Stopwatch::start();
        let outcome = self.commit_or_notice(batches).await;
        self.metrics.commit_seconds.record(stopwatch.elapsed());
        self.report(waiting, outcome);
        if self.entries.is_empty() {
            self.metrics.queue_depth.set(0.0);
            self.metrics.oldest_age.set(0.0);
        }
    }

    /// Commits. From its start on there is an outage as soon as it has failed or takes too long.
    async fn commit_or_notice(&self, batches: Vec<AuctionBatch>) -> Result<Vec<Written>, StoreError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        self.outages.commit_begins(self.clock.now());
        let outcome = self.store.commit(batches).await;
        self.outages.commit_ends(self.clock.now(), outcome.is_ok());
        outcome
    }

    fn report(&mut self, waiting: Vec<Waiting>, outcome: Result<Vec<Written>, StoreError>) {
        match outcome {
            Ok(written) => {
                for (waiting, written) in waiting.into_iter().zip(written) {
                    self.report_one(waiting, written);
                }
            }
            Err(error) => {
                self.metrics.failures.increment(1);
                tracing::error!(%error, auctions = waiting.len(), "a commit failed");
                for waiting in waiting {
                    self.refuse(waiting, Fate::Failed);
                }
            }
        }
    }

    fn report_one(&mut self, waiting: Waiting, written: Written) {
        let auction_id = waiting.auction_id.0;
        match written {
            Written::Committed => {
                self.forget(&waiting);
                waiting.tell(Fate::Committed);
            }
            Written::Fenced => self.refuse(waiting, Fate::Fenced),
            Written::HeadMismatch { stored: Seq(stored) } => {
                self.metrics.failures.increment(1);
                tracing::error!(
                    auction.id = auction_id,
                    stored.seq = stored,
                    "the stored head is not the one that was extended"
                );
                self.refuse(waiting, Fate::Failed);
            }
            Written::Damaged => {
                self.metrics.failures.increment(1);
                tracing::error!(auction.id = auction_id, "what is stored of an auction does not take its new events");
                self.refuse(waiting, Fate::Failed);
            }
        }
    }

    /// The auction was read back and goes on: no entry of an incarnation before this one can follow it.
    fn forget(&mut self, waiting: &Waiting) {
        if self.void.get(&waiting.auction_id).is_some_and(|void| *void < waiting.incarnation) {
            self.void.remove(&waiting.auction_id);
        }
    }

    /// Entries that were decided on top of what was not written must not be written either.
    fn refuse(&mut self, waiting: Waiting, fate: Fate) {
        self.void.insert(waiting.auction_id, waiting.incarnation);
        waiting.tell(fate);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{BidId, Bidder, Money, PlaceBid, Rejection, UserId};
    use crate::store::Ledger as _;
    use crate::store::sqlite::SqliteStore;

    struct Nobody;

    impl Confirm for Nobody {
        fn confirm(&self, _incarnation: u64, _entries: usize, _fate: Fate) {}
    }

    fn refused(number: u64) -> RejectedBid {
        let bidder = Bidder { id: UserId(1), nick: "ann".into() };
        let bid = PlaceBid { bid_id: BidId(number.into()), bidder, amount: Money::new(1).unwrap(), message: None };
        RejectedBid { bid, rejection: Rejection::OwnAuction, at: Timestamp(1) }
    }

    fn entry(epoch: Epoch, incarnation: u64, content: Content) -> Entry {
        let confirm = Arc::new(Nobody);
        Entry { auction_id: AuctionId(1), epoch, incarnation, content, decided_at: Timestamp(1), confirm }
    }

    fn refusal(epoch: Epoch, incarnation: u64) -> Entry {
        entry(epoch, incarnation, Content::Rejection(refused(incarnation)))
    }

    fn told(number: u64) -> Entry {
        entry(Epoch(1), 1, Content::Told(refused(number)))
    }

    #[tokio::test]
    async fn what_was_told_waits_for_more_until_someone_waits_for_something() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("gavel.db")).unwrap());
        let (outbox, mut committer) =
            committer(Arc::clone(&store) as Arc<dyn Store>, Arc::new(Clock::system()), Arc::default());
        let put = |entry| outbox.place().unwrap().put(entry);
        let mut batch = Vec::new();

        put(told(1));
        let later = async {
            tokio::task::yield_now().await;
            put(told(2));
        };
        tokio::join!(committer.gather(&mut batch), later);
        assert_eq!(batch.len(), 2, "what comes within a moment goes along");

        batch.clear();
        put(told(3));
        let in_no_time = async {
            tokio::task::yield_now().await;
            put(refusal(Epoch(1), 4));
            tokio::time::sleep(Duration::from(limits::COMMIT_LINGER) / 2).await;
        };
        tokio::select! {
            biased;
            _ = committer.gather(&mut batch) => {}
            () = in_no_time => panic!("a bid waited for what nobody waits for"),
        }
        assert_eq!(batch.len(), 2);
        store.close().await;
    }

    #[tokio::test]
    async fn an_auction_that_commits_again_is_no_longer_remembered_as_void() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gavel.db");
        let store = Arc::new(SqliteStore::open(&path).unwrap());
        let seed = "INSERT INTO users VALUES (1, 'ann', 'ann', 'ann', '', 0); \
                    INSERT INTO auctions (id, title, description, seller_id, created_us, currency, start_price, \
                    starts_us, ends_us, min_increment, leader_may_raise) VALUES (1, '', '', 1, 0, 'KRW', 1, 0, 9, 1, 0); \
                    INSERT INTO heads (auction_id, seq, epoch, last_us, bid_count, rejections) VALUES (1, 0, 0, 0, 0, 0)";
        rusqlite::Connection::open(&path).unwrap().execute_batch(seed).unwrap();
        let epoch = store.take_over().await.unwrap();
        let (_outbox, mut committer) =
            committer(Arc::clone(&store) as Arc<dyn Store>, Arc::new(Clock::system()), Arc::default());
        committer.commit(&mut vec![refusal(Epoch(epoch.0 - 1), 1)]).await;
        assert_eq!(committer.void, HashMap::from([(AuctionId(1), 1)]));
        // Decided before the failure was known: not written, and still remembered.
        committer.commit(&mut vec![refusal(epoch, 1)]).await;
        assert_eq!(committer.void, HashMap::from([(AuctionId(1), 1)]));
        assert_eq!(store.answered(AuctionId(1)).await.unwrap(), []);
        committer.commit(&mut vec![refusal(epoch, 1), refusal(epoch, 2)]).await;
        assert_eq!(committer.void, HashMap::new());
        assert_eq!(store.answered(AuctionId(1)).await.unwrap(), [BidId(2)]);
        store.close().await;
    }
}
