//! How many rows a second does the embedded store commit, by rows in a batch? Each commit is one batch of one auction,
//! written and synced before the next begins, as under a single caller that waits for every answer.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gavel::clock::Stopwatch;
use gavel::domain::{
    Auction, AuctionId, BidId, Bidder, Command, Currency, Epoch, Money, PlaceBid, Rules, Terms, Timestamp, UserId,
};
use gavel::store::sqlite::SqliteStore;
use gavel::store::{Accounts, AuctionBatch, Catalog, Ledger, NewAuction, RejectedBid, SignUp, Store, Written};

const BIDDERS: u64 = 64;
const ROWS: [u64; 3] = [10, 100, 1_000];

/// An auction on a fresh store, and its owner.
struct House {
    store: SqliteStore,
    epoch: Epoch,
    id: AuctionId,
    auction: Auction,
    bidders: Vec<Bidder>,
    bids: u64,
    _folder: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("gavel.db")).unwrap();
        let created = store.create_user("sam@test.test", "sam", "", Timestamp(0)).await.unwrap();
        let SignUp::Created(sam) = created else { panic!("the store is not fresh") };
        let terms = Terms {
            seller: sam.id,
            currency: Currency::DEFAULT,
            start_price: Money::ZERO,
            starts_at: Timestamp(0),
            ends_at: Timestamp(i64::MAX),
            rules: Rules { leader_may_raise: true, ..Rules::default() },
        };
        let auction = NewAuction {
            title: "a lamp".to_owned(),
            description: String::new(),
            image_id: None,
            created_at: Timestamp(0),
            terms,
        };
        let stored = store.create_auction(auction).await.unwrap();
        let epoch = store.take_over().await.unwrap();
        let bidder = |id: u64| Bidder { id: UserId(1_000 + id.cast_signed()), nick: format!("bidder {id}").into() };
        Self {
            store,
            epoch,
            id: stored.id,
            auction: Auction::new(stored.terms, stored.head),
            bidders: (0..BIDDERS).map(bidder).collect(),
            bids: 0,
            _folder: folder,
        }
    }

    /// A batch of `rows` bids: all accepted, or all refused.
    fn batch(&mut self, rows: u64, accepted: bool) -> AuctionBatch {
        let prev_seq = self.auction.head().seq;
        let (mut events, mut rejections) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            self.bids += 1;
            let at = Timestamp(1_700_000_000_000_000 + self.bids.cast_signed());
            let bid = self.bid(accepted);
            match self.auction.decide(Command::Bid(bid.clone()), at) {
                Ok(event) => {
                    self.auction.apply(&event);
                    events.push(Arc::new(event));
                }
                Err(rejection) => rejections.push(RejectedBid { bid, rejection, at }),
            }
        }
        AuctionBatch {
            auction_id: self.id,
            epoch: self.epoch,
            prev_seq,
            events,
            head: self.auction.head().clone(),
            rejections,
        }
    }

    fn bid(&self, accepted: bool) -> PlaceBid {
        // Clients make random ids: nothing about them is in order.
        let id = u128::from(scatter(self.bids)) << 64 | u128::from(scatter(!self.bids));
        let bidder = &self.bidders[usize::try_from(scatter(self.bids) % BIDDERS).unwrap()];
        let amount = if accepted { self.auction.min_next() } else { Money::ZERO };
        PlaceBid { bid_id: BidId(id), bidder: bidder.clone(), amount, message: None }
    }
}

/// Splitmix64: a fixed scattering of numbers.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn commits(criterion: &mut Criterion, name: &str, accepted: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for rows in ROWS {
        let mut house = runtime.block_on(House::open());
        group.throughput(Throughput::Elements(rows));
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter_custom(|commits| {
                let batches: Vec<AuctionBatch> = (0..commits).map(|_| house.batch(rows, accepted)).collect();
                runtime.block_on(async {
                    let watch = Stopwatch::start();
                    for batch in batches {
                        let written = house.store.commit(vec![batch]).await.unwrap();
                        assert_eq!(black_box(written), [Written::Committed]);
                    }
                    watch.elapsed()
                })
            });
        });
        runtime.block_on(house.store.close());
    }
    group.finish();
}

fn accepted_bids(criterion: &mut Criterion) {
    commits(criterion, "commit of accepted bids, rows", true);
}

fn rejected_bids(criterion: &mut Criterion) {
    commits(criterion, "commit of rejected bids, rows", false);
}

criterion_group!(benches, accepted_bids, rejected_bids);
criterion_main!(benches);
