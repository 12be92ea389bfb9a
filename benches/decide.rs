//! What does the core cost: one decision, one event written out, one history replayed?
//!
//! "bare" is the least that any design pays: find the auction in a map and compare two numbers.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gavel::auction::Receipt;
use gavel::bus::Publication;
use gavel::domain::{
    Auction, AuctionId, BidId, Bidder, Command, Currency, Epoch, Event, Head, Money, PlaceBid, Rules, Terms, Timestamp,
    UserId,
};
use gavel::protocol::client::{LiveEvent, ReceiptView};

const AUCTION: AuctionId = AuctionId(7);

fn auction() -> Auction {
    let terms = Terms {
        seller: UserId(1),
        currency: Currency::DEFAULT,
        start_price: Money::ZERO,
        starts_at: Timestamp(0),
        ends_at: Timestamp(i64::MAX),
        rules: Rules { leader_may_raise: true, ..Rules::default() },
    };
    Auction::new(terms, Head::EMPTY)
}

fn bid(number: i64) -> PlaceBid {
    PlaceBid {
        bid_id: BidId(number.unsigned_abs().into()),
        bidder: Bidder { id: UserId(2 + number % 64), nick: Arc::from("ann") },
        amount: Money::new(number).unwrap(),
        message: None,
    }
}

fn history(events: i64) -> Vec<Event> {
    let mut auction = auction();
    let accept = |number| {
        let event = auction.decide(Command::Bid(bid(number)), Timestamp(number)).unwrap();
        auction.apply(&event);
        event
    };
    (1..=events).map(accept).collect()
}

fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    let tops: HashMap<AuctionId, Money> = (0..1_000).map(|id| (AuctionId(id), Money::new(id).unwrap())).collect();
    group.bench_function("bare map lookup and compare", |bencher| {
        bencher.iter(|| black_box(tops.get(&black_box(AUCTION)).is_some_and(|top| *top < black_box(Money::MAX))));
    });
    let mut standing = auction();
    standing.apply(history(1).first().unwrap());
    group.bench_function("accepted", |bencher| {
        let prepare = || Command::Bid(bid(5));
        bencher.iter_batched(prepare, |bid| standing.decide(black_box(bid), Timestamp(9)), BatchSize::SmallInput);
    });
    group.bench_function("too low", |bencher| {
        let low = bid(0);
        bencher.iter(|| standing.admit(black_box(&low), Timestamp(9)));
    });
    group.finish();
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay, events");
    for events in [1_000, 100_000] {
        let history = history(events);
        group.throughput(Throughput::Elements(events.unsigned_abs()));
        group.bench_function(BenchmarkId::from_parameter(events), |bencher| {
            bencher.iter_batched(
                auction,
                |mut auction| {
                    for event in &history {
                        auction.apply(event);
                    }
                    auction
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let event = Arc::new(history(1).remove(0));
    let at = Timestamp(1_700_000_000_000_000);
    let amount = Money::new(1_000).unwrap();
    let publication = Publication { auction_id: AUCTION, epoch: Epoch(1), event, min_next: amount, ends_at: at };
    group.bench_function("live event", |bencher| {
        bencher.iter(|| serde_json::to_string(&LiveEvent::from(black_box(&publication))).unwrap());
    });
    let seq = publication.event.seq;
    let receipt = Receipt { auction_id: AUCTION, bid_id: BidId(1), seq, amount, at, min_next: amount, ends_at: at };
    group.bench_function("receipt", |bencher| {
        bencher.iter(|| serde_json::to_string(&ReceiptView::from(black_box(&receipt))).unwrap());
    });
    group.finish();
}

criterion_group!(benches, decide, replay, encode);
criterion_main!(benches);
