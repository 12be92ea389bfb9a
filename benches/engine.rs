//! How long is the way of a bid through the engine: handle, actor, decision, reply?
//!
//! Bids that are too low are answered from memory, so no commit stands in the way. "bare" is the same without a house:
//! a message to an actor that answers at once, on this thread and on another one, with 64 in flight.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter, Context, Handler, Message};
use actix_web::rt::System;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use gavel::auction::{Engine, EngineParts, Tenure};
use gavel::bus::memory::MemoryBus;
use gavel::clock::{Clock, Stopwatch};
use gavel::domain::{AuctionId, BidId, Bidder, Currency, Money, PlaceBid, Rules, Span, Terms};
use gavel::settings::Ack;
use gavel::store::sqlite::SqliteStore;
use gavel::store::{NewAuction, SignUp, Store};

const IN_FLIGHT: u64 = 64;

#[derive(Message)]
#[rtype(result = "u64")]
struct Ask(u64);

struct Echo;

impl Actor for Echo {
    type Context = Context<Self>;
}

impl Handler<Ask> for Echo {
    type Result = u64;

    fn handle(&mut self, Ask(number): Ask, _: &mut Context<Self>) -> u64 {
        number
    }
}

/// `rounds` times `IN_FLIGHT` questions at once.
async fn ask<F: Future>(rounds: u64, mut question: impl FnMut(u64) -> F) -> Duration {
    let watch = Stopwatch::start();
    for round in 0..rounds {
        join_all((0..IN_FLIGHT).map(|place| question(round * IN_FLIGHT + place))).await;
    }
    watch.elapsed()
}

fn bare(criterion: &mut Criterion) {
    let system = System::new();
    let mut group = criterion.benchmark_group("64 messages in flight");
    group.throughput(Throughput::Elements(IN_FLIGHT));
    let (here, there) = system.block_on(async {
        let there = Arbiter::new().handle();
        (Echo.start(), Echo::start_in_arbiter(&there, |_| Echo))
    });
    for (name, echo) in [("bare, this thread", here), ("bare, another thread", there)] {
        group.bench_function(name, |bencher| {
            #[allow(clippy::disallowed_methods, reason = "bounded: 64 in flight")]
            bencher.iter_custom(|rounds| system.block_on(ask(rounds, |number| echo.send(Ask(number)))));
        });
    }
    group.finish();
}

async fn house(store: Arc<dyn Store>) -> (Arc<Engine>, AuctionId, Bidder) {
    let clock = Arc::new(Clock::system());
    let mut users = Vec::new();
    for name in ["sam", "ann"] {
        let made = store.create_user(&format!("{name}@test.test"), name, "", clock.now()).await.unwrap();
        let SignUp::Created(user) = made else { panic!("the store is not fresh") };
        users.push(user.bidder());
    }
    let terms = Terms {
        seller: users[0].id,
        currency: Currency::DEFAULT,
        start_price: Money::new(100).unwrap(),
        starts_at: clock.now(),
        ends_at: clock.now().plus(Span::from_secs(86_400)),
        rules: Rules::default(),
    };
    let auction = NewAuction {
        title: "a lamp".to_owned(),
        description: String::new(),
        image_id: None,
        created_at: clock.now(),
        terms,
    };
    let stored = store.create_auction(auction).await.unwrap();
    let tenure = Tenure::whole(store.take_over().await.unwrap());
    let parts = EngineParts { store, bus: Arc::new(MemoryBus::default()), clock, ack: Ack::Committed, tenure };
    (Engine::start(parts).await.unwrap(), stored.id, users.remove(1))
}

fn engine(criterion: &mut Criterion) {
    let system = System::new();
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("gavel.db")).unwrap());
    let (engine, auction, ann) = system.block_on(house(Arc::clone(&store)));
    let mut group = criterion.benchmark_group("64 bids in flight");
    group.throughput(Throughput::Elements(IN_FLIGHT)).measurement_time(Duration::from_secs(2));
    let amount = Money::new(1).unwrap();
    let mut asked = 0;
    group.bench_function("refused from memory", |bencher| {
        bencher.iter_custom(|rounds| {
            let first = asked;
            asked += rounds * IN_FLIGHT;
            system.block_on(ask(rounds, |number| {
                let bid_id = BidId((first + number).into());
                let placed = engine.place_bid(auction, PlaceBid { bid_id, bidder: ann.clone(), amount, message: None });
                async { assert!(placed.await.unwrap().outcome.is_err()) }
            }))
        });
    });
    group.finish();
    system.block_on(async {
        engine.stop(Duration::from_secs(5)).await;
        store.close().await;
    });
}

criterion_group!(benches, bare, engine);
criterion_main!(benches);
