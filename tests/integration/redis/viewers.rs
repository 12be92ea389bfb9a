//! Viewers without a server: sessions without sockets on real hubs, with a real store as history.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use gavel::bus::{Bus, Publication};
use gavel::clock::{Clock, Stopwatch};
use gavel::domain::{AuctionId, EventKind, Seq};
use gavel::session::hub::Session;
use gavel::session::{
    BidDesk, BidFrame, History, HistoryUnavailable, Hubs, Kind, Position, Refusal, SharedReads, Snapshot, heads,
};
use gavel::store::sqlite::SqliteStore;
use gavel::store::{Store, StoredAuction, StoredEvent, Written};
use serde_json::Value;

use crate::contract::driver::{Driver, at, bid};

/// What the store holds, as sessions are told it.
struct StoreHistory(Arc<dyn Store>);

fn publication(auction: &StoredAuction, StoredEvent { epoch, event }: StoredEvent) -> Publication {
    let top = match &event.kind {
        EventKind::Bid(bid) => Some(bid.amount),
        EventKind::Extended { .. } => None,
        EventKind::Closed { winner } => winner.as_ref().map(|top| top.amount),
    };
    let min_next = auction.terms.rules.min_next(auction.terms.start_price, top);
    Publication { auction_id: auction.id, epoch, event, min_next, ends_at: auction.terms.ends_at }
}

#[async_trait]
impl History for StoreHistory {
    async fn snapshot(&self, auction_id: AuctionId) -> Result<Option<Snapshot>, HistoryUnavailable> {
        let auction = self.0.auction(auction_id).await.map_err(|_error| HistoryUnavailable)?;
        Ok(auction.map(|auction| Snapshot {
            auction_id,
            epoch: auction.epoch,
            head: auction.head.seq,
            ends_at: auction.terms.ends_at,
            json: "{}".to_owned(),
        }))
    }

    async fn events_after(
        &self,
        id: AuctionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Publication>, HistoryUnavailable> {
        let auction = self.0.auction(id).await.map_err(|_error| HistoryUnavailable)?.unwrap();
        let events = self.0.events_after(id, after, limit).await.map_err(|_error| HistoryUnavailable)?;
        Ok(events.into_iter().map(|stored| publication(&auction, stored)).collect())
    }

    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, HistoryUnavailable> {
        self.0.heads(auctions).await.map_err(|_error| HistoryUnavailable)
    }
}

struct NoDesk;

#[async_trait]
impl BidDesk for NoDesk {
    async fn place(&self, _: BidFrame) -> String {
        panic!("nobody bids here")
    }

    fn refuse(&self, _: Refusal) -> String {
        panic!("nobody asks here")
    }
}

/// Hubs on `bus` with nobody in them.
pub(crate) fn hubs(store: &Arc<dyn Store>, bus: &Arc<dyn Bus>) -> Arc<Hubs> {
    let history = Arc::new(SharedReads::new(Arc::new(StoreHistory(Arc::clone(store)))));
    let hubs = Arc::new(Hubs::new(Arc::new(Clock::system()), history, Arc::new(NoDesk)));
    bus.subscribe(Arc::<Hubs>::clone(&hubs));
    hubs
}

/// Auctions that one node decides and another one's viewers follow.
pub(super) struct World {
    store: Arc<dyn Store>,
    owner: Arc<dyn Bus>,
    auctions: Vec<(Driver, Rc<Viewer>)>,
    /// Bids so far, over all auctions.
    bids: i64,
    _folder: tempfile::TempDir,
}

/// One session and how far it has come.
pub(super) struct Viewer {
    seen: Cell<i64>,
}

impl World {
    /// `count` auctions, each with a viewer that has followed it from its beginning.
    pub(super) async fn open(count: usize, owner: Arc<dyn Bus>, edge: &Arc<dyn Bus>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("gavel.db")).unwrap());
        let hubs = hubs(&store, edge);
        heads::watch(&hubs);
        let mut auctions = Vec::new();
        let epoch = store.take_over().await.unwrap();
        for _ in 0..count {
            let driver = Driver::with(&store, epoch, |_| ()).await;
            let viewer = Viewer::follow(&hubs, driver.id);
            auctions.push((driver, viewer));
        }
        Self { store, owner, auctions, bids: 0, _folder: folder }
    }

    /// Commits a bid on the next auction, and publishes it. How long the publishing took.
    pub(super) async fn bid(&mut self) -> Duration {
        self.bids += 1;
        let count = i64::try_from(self.auctions.len()).unwrap();
        let (driver, _) = &mut self.auctions[usize::try_from(self.bids % count).unwrap()];
        let bidder = if driver.head().seq.0 % 2 == 0 { driver.ann.clone() } else { driver.bob.clone() };
        let id = u128::from(self.bids.unsigned_abs());
        let event = driver.bid(bid(id, &bidder, 1_000 + self.bids), at(self.bids)).unwrap();
        assert_eq!(driver.commit().await, Written::Committed);
        let auction = self.store.auction(driver.id).await.unwrap().unwrap();
        let stored = StoredEvent { epoch: driver.epoch, event };
        let publications = Arc::from([publication(&auction, stored)]);
        let watch = Stopwatch::start();
        self.owner.publish(publications);
        watch.elapsed()
    }

    /// So many bids; the longest that publishing one of them took.
    pub(super) async fn bids(&mut self, count: usize) -> Duration {
        let mut longest = Duration::ZERO;
        for _ in 0..count {
            longest = longest.max(self.bid().await);
        }
        longest
    }

    /// Events that viewers do not have.
    pub(super) fn missing(&self) -> i64 {
        self.auctions.iter().map(|(driver, viewer)| driver.head().seq.0 - viewer.seen.get()).sum()
    }

    /// Waits until every viewer has every event; how long that took.
    pub(super) async fn until_complete(&self, patience: Duration) -> Duration {
        let watch = Stopwatch::start();
        while self.missing() > 0 {
            assert!(watch.elapsed() < patience, "{} events are missing", self.missing());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        watch.elapsed()
    }
}

impl Viewer {
    /// Panics, and with it the test, when an event comes out of order or a gap is announced.
    fn follow(hubs: &Arc<Hubs>, auction: AuctionId) -> Rc<Self> {
        let viewer = Rc::new(Self { seen: Cell::new(0) });
        let session = hubs.local().join(Kind::WebSocket, None).unwrap();
        hubs.local().subscribe(&session, auction, Some(Position::after(Seq::ZERO))).unwrap();
        let (hubs, its) = (Arc::clone(hubs), Rc::clone(&viewer));
        actix_web::rt::spawn(async move {
            loop {
                for frame in next_frames(&hubs, &session).await {
                    its.take(&frame);
                }
            }
        });
        viewer
    }

    fn take(&self, frame: &Value) {
        match frame["type"].as_str().unwrap() {
            "hello" => assert_eq!(frame["recovered"], true, "{frame}"),
            "bid" => {
                let seq = frame["seq"].as_i64().unwrap();
                assert_eq!(seq, self.seen.replace(seq) + 1, "{frame}");
            }
            _ => panic!("{frame} was not expected"),
        }
    }
}

/// What a session is sent next, as JSON.
async fn next_frames(hubs: &Arc<Hubs>, session: &Session) -> Vec<Value> {
    next_texts(hubs, session).await.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// What a session is sent next.
pub(crate) async fn next_texts(hubs: &Arc<Hubs>, session: &Session) -> Vec<String> {
    let hub = hubs.local();
    std::future::poll_fn(|context| {
        session.queue.register(context.waker());
        let mut texts = Vec::new();
        hub.take(session, |text| texts.push(text.to_string()));
        if texts.is_empty() { Poll::Pending } else { Poll::Ready(texts) }
    })
    .await
}
