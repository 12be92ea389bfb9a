//! How long does one bid take to reach the queues of everyone who watches?
//!
//! Sessions without sockets on one worker's hub; the clock stops when each of them has taken every event.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::System;
use async_trait::async_trait;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gavel::bus::{Publication, Subscriber};
use gavel::clock::{Clock, Stopwatch};
use gavel::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, Timestamp, UserId};
use gavel::session::hub::{LocalHub, Session};
use gavel::session::{BidDesk, BidFrame, History, HistoryUnavailable, Hubs, Kind, Refusal, Snapshot};

const AUCTION: AuctionId = AuctionId(1);
/// Events between two drains: one batch of the committer.
const BATCH: i64 = 16;

struct Empty;

#[async_trait]
impl History for Empty {
    async fn snapshot(&self, auction_id: AuctionId) -> Result<Option<Snapshot>, HistoryUnavailable> {
        let json = "{}".to_owned();
        Ok(Some(Snapshot { auction_id, epoch: Epoch(1), head: Seq::ZERO, ends_at: Timestamp(0), json }))
    }

    async fn events_after(&self, _: AuctionId, _: Seq, _: u32) -> Result<Vec<Publication>, HistoryUnavailable> {
        Ok(Vec::new())
    }

    async fn heads(&self, _: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, HistoryUnavailable> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl BidDesk for Empty {
    async fn place(&self, _: BidFrame) -> String {
        String::new()
    }

    fn refuse(&self, _: Refusal) -> String {
        String::new()
    }
}

fn bid(seq: i64) -> Publication {
    let amount = Money::new(seq).unwrap_or(Money::MAX);
    let bid = PlaceBid {
        bid_id: BidId(u128::from(seq.unsigned_abs())),
        bidder: Bidder { id: UserId(1), nick: Arc::from("ann") },
        amount,
        message: Some(Arc::from("mine")),
    };
    Publication {
        auction_id: AUCTION,
        epoch: Epoch(1),
        event: Arc::new(Event { seq: Seq(seq), at: Timestamp(seq), kind: EventKind::Bid(bid) }),
        min_next: amount,
        ends_at: Timestamp(0),
    }
}

struct Crowd {
    hubs: Arc<Hubs>,
    hub: LocalHub,
    sessions: Vec<Rc<Session>>,
    seq: i64,
}

impl Crowd {
    async fn gather(size: usize) -> Self {
        let hubs = Arc::new(Hubs::new(Arc::new(Clock::system()), Arc::new(Empty), Arc::new(Empty)));
        let hub = hubs.local();
        let sessions: Vec<_> = (0..size).filter_map(|_| hub.join(Kind::WebSocket, None).ok()).collect();
        for session in &sessions {
            assert!(hub.subscribe(session, AUCTION, None).is_ok());
        }
        let mut crowd = Self { hubs, hub, sessions, seq: 0 };
        crowd.drain(2).await;
        crowd
    }

    /// Lets the hub work until each session has taken `frames`.
    async fn drain(&mut self, frames: usize) {
        for session in &self.sessions {
            let mut taken = 0;
            while taken < frames {
                self.hub.take(session, |_| taken += 1);
                if taken < frames {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn fan_out(&mut self) {
        let batch: Arc<[Publication]> = (1..=BATCH).map(|next| bid(self.seq + next)).collect();
        self.seq += BATCH;
        self.hubs.deliver(&batch);
        self.drain(usize::try_from(BATCH).unwrap_or(0)).await;
    }
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan_out");
    group.sample_size(20);
    for size in [1, 100, 10_000] {
        let system = System::new();
        let crowd = RefCell::new(system.block_on(Crowd::gather(size)));
        group.throughput(Throughput::Elements(BATCH.unsigned_abs() * size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut crowd = crowd.borrow_mut();
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    let watch = Stopwatch::start();
                    system.block_on(crowd.fan_out());
                    total += watch.elapsed();
                }
                total
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
