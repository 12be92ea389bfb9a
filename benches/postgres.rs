//! How many rows a second does Postgres commit, by rows in a batch and by auctions in it? Each commit is written and
//! synced before the next begins.
//!
//! Needs the URL of a database of its own in `GAVEL_BENCH_POSTGRES`; without it there is nothing to measure.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]
#![allow(clippy::print_stderr, reason = "says why nothing was measured")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gavel::clock::Stopwatch;
use gavel::domain::{
    Auction, AuctionId, BidId, Bidder, Command, Currency, Epoch, Money, PlaceBid, Rules, Terms, Timestamp, UserId,
};
use gavel::limits;
use gavel::store::postgres::{PostgresSettings, PostgresStore};
use gavel::store::{Accounts as _, AuctionBatch, Catalog as _, Ledger as _, NewAuction, SignUp, Written};

const BIDDERS: usize = 64;
/// Auctions in a commit, and bids in it.
const COMMITS: [(usize, u64); 5] = [(1, 10), (1, 100), (1, 1_000), (100, 1_000), (1_000, 1_000)];

/// An auction and what was decided in it.
struct Desk {
    id: AuctionId,
    auction: Auction,
}

impl Desk {
    fn batch(&mut self, epoch: Epoch, bids: u64) -> AuctionBatch {
        let prev_seq = self.auction.head().seq;
        let events = (0..bids).map(|_| {
            let seq = self.auction.head().seq.next().0.unsigned_abs();
            // Clients make random ids: nothing about them is in order.
            let id = u128::from(scatter(seq)) << 64 | u128::from(scatter(self.id.0.unsigned_abs()));
            let number = usize::try_from(scatter(seq) % 1_000_000).unwrap() % BIDDERS;
            let bidder =
                Bidder { id: UserId(1_000 + i64::try_from(number).unwrap()), nick: format!("bidder {number}").into() };
            let bid = PlaceBid { bid_id: BidId(id), bidder, amount: self.auction.min_next(), message: None };
            let at = Timestamp(1_700_000_000_000_000 + seq.cast_signed());
            let event = self.auction.decide(Command::Bid(bid), at).unwrap();
            self.auction.apply(&event);
            Arc::new(event)
        });
        let events = events.collect();
        let head = self.auction.head().clone();
        AuctionBatch { auction_id: self.id, epoch, prev_seq, events, head, rejections: Vec::new() }
    }
}

/// Splitmix64: a fixed scattering of numbers.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

async fn desks(store: &PostgresStore, count: usize) -> Vec<Desk> {
    let email = "sam@test.test";
    let seller = match store.create_user(email, "sam", "", Timestamp(0)).await.unwrap() {
        SignUp::Created(sam) => sam.id,
        SignUp::EmailTaken => store.user_by_email(email).await.unwrap().unwrap().id,
    };
    let mut desks = Vec::new();
    for _ in 0..count {
        let terms = Terms {
            // No bidder has this id.
            seller,
            currency: Currency::DEFAULT,
            start_price: Money::ZERO,
            starts_at: Timestamp(0),
            ends_at: Timestamp(i64::MAX),
            rules: Rules { leader_may_raise: true, ..Rules::default() },
        };
        let (title, description) = ("a lamp".to_owned(), String::new());
        let new = NewAuction { title, description, image_id: None, created_at: Timestamp(0), terms };
        let stored = store.create_auction(new).await.unwrap();
        desks.push(Desk { id: stored.id, auction: Auction::new(stored.terms, stored.head) });
    }
    desks
}

fn commits(criterion: &mut Criterion) {
    let Ok(url) = std::env::var("GAVEL_BENCH_POSTGRES") else {
        eprintln!("GAVEL_BENCH_POSTGRES is not set: Postgres is not measured");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = PostgresSettings { url, node: "bench".to_owned(), incarnation: 1, shards: limits::SHARDS };
    let store = runtime.block_on(PostgresStore::open(settings)).unwrap();
    let epoch = runtime.block_on(store.take_over()).unwrap();
    let mut group = criterion.benchmark_group("postgres_commit_rows");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for (auctions, rows) in COMMITS {
        let mut desks = runtime.block_on(desks(&store, auctions));
        let each = rows / u64::try_from(auctions).unwrap();
        group.throughput(Throughput::Elements(rows));
        group.bench_function(BenchmarkId::new(format!("{auctions}_auctions"), rows), |bencher| {
            bencher.iter_custom(|commits| {
                let work: Vec<Vec<AuctionBatch>> =
                    (0..commits).map(|_| desks.iter_mut().map(|desk| desk.batch(epoch, each)).collect()).collect();
                runtime.block_on(async {
                    let watch = Stopwatch::start();
                    for batches in work {
                        let written = store.commit(batches).await.unwrap();
                        assert!(written.iter().all(|written| *written == Written::Committed));
                        black_box(written);
                    }
                    watch.elapsed()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, commits);
criterion_main!(benches);
