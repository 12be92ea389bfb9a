//! What does the hop to the owner cost? The same bids placed at the owner and at another node, which forwards them.
//!
//! Both nodes are in this process, linked over a loopback connection, and bidders run on one thread, as on one HTTP
//! worker; there is no HTTP door. "refused" bids are answered from memory, so what differs is the hop and nothing else;
//! "accepted" ones are committed by the embedded store in a temporary folder. CPU is that of all threads of the process:
//! both ends of the link, and the engine. Run it alone: `cargo bench --bench link`; with `--test` it is short.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]
#![allow(clippy::print_stderr, reason = "the figures are the output")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::System;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use gavel::auction::{Engine, EngineParts, Tenure};
use gavel::bus::memory::MemoryBus;
use gavel::clock::{Clock, Stopwatch};
use gavel::cluster::{Directory, Home, Link, Neighbour, NodeDoor, Router};
use gavel::domain::{AuctionId, BidId, Bidder, Currency, Money, PlaceBid, Rules, Span, Terms, Timestamp};
use gavel::settings::{Ack, Secret};
use gavel::store::ownership::ShardId;
use gavel::store::sqlite::SqliteStore;
use gavel::store::{NewAuction, SignUp, Store};

const LONG: Span = Span::from_secs(86_400);

struct Deaf;

impl Neighbour for Deaf {
    fn offered(&self, _: Vec<ShardId>) {}
    fn auction_created(&self, _: AuctionId, _: Timestamp) {}
}

/// One auction, and two ways to it.
struct House {
    at_owner: Router,
    at_edge: Router,
    auction: AuctionId,
    bidders: [Bidder; 2],
    placed: u64,
}

async fn engine(store: &Arc<dyn Store>, clock: &Arc<Clock>) -> Arc<Engine> {
    let engine = Engine::start(EngineParts {
        store: Arc::clone(store),
        bus: Arc::new(MemoryBus::default()),
        clock: Arc::clone(clock),
        ack: Ack::Committed,
        tenure: Tenure::none(1),
    });
    engine.await.unwrap()
}

impl House {
    async fn open(store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(Clock::system());
        let mut users = Vec::new();
        for name in ["sam", "ann", "bob"] {
            let made = store.create_user(&format!("{name}@test.test"), name, "", clock.now()).await.unwrap();
            let SignUp::Created(user) = made else { panic!("the store is not fresh") };
            users.push(user.bidder());
        }
        let terms = Terms {
            seller: users[0].id,
            currency: Currency::DEFAULT,
            start_price: Money::new(100).unwrap(),
            starts_at: clock.now(),
            ends_at: clock.now().plus(LONG),
            rules: Rules { leader_may_raise: true, ..Rules::default() },
        };
        let new = NewAuction {
            title: "a lamp".to_owned(),
            description: String::new(),
            image_id: None,
            created_at: clock.now(),
            terms,
        };
        let auction = store.create_auction(new).await.unwrap().id;
        let epoch = store.take_over().await.unwrap();
        let (owner, edge) = (engine(&store, &clock).await, engine(&store, &clock).await);
        owner.gain(&[(ShardId(0), epoch)]);
        owner.extend_lease(clock.now().plus(LONG));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Arc<str> = listener.local_addr().unwrap().to_string().into();
        let directory = Arc::new(Directory::new(1));
        let home = Home { node: "owner".into(), incarnation: 1, address: Arc::clone(&address), epoch };
        directory.replace(vec![Some(home)]);
        let secret = Secret::from("a secret for benchmarks".to_owned());
        let owners_link = Link::start(address, &secret, Arc::clone(&directory)).unwrap();
        let server = NodeDoor::new(Arc::clone(&owner), owners_link, Arc::new(Deaf)).serve(listener).unwrap();
        actix_web::rt::spawn(server);
        let link = Link::start("edge".into(), &secret, directory).unwrap();
        let bidders = [users.remove(1), users.remove(1)];
        Self { at_owner: Router::alone(owner), at_edge: Router::clustered(edge, link), auction, bidders, placed: 0 }
    }

    fn bid(&self, number: u64, accepted: bool) -> PlaceBid {
        let amount = if accepted { 100 + number.cast_signed() } else { 1 };
        PlaceBid {
            bid_id: BidId(number.into()),
            bidder: self.bidders[usize::try_from(number % 2).unwrap()].clone(),
            amount: Money::new(amount).unwrap(),
            message: None,
        }
    }

    /// Places `count` bids, `in_flight` at a time, and says what it took.
    async fn measure(&mut self, forwarded: bool, accepted: bool, in_flight: usize, count: u64) -> Figures {
        let numbers = self.placed + 1..=self.placed + count;
        self.placed += count;
        let house = &*self;
        let router = if forwarded { &house.at_edge } else { &house.at_owner };
        let (watch, cpu) = (Stopwatch::start(), cpu());
        let placed = iter(numbers).map(|number| async move {
            let watch = Stopwatch::start();
            let answer = router.place_bid(house.auction, house.bid(number, accepted)).await.unwrap();
            assert_eq!(answer.outcome.is_ok(), accepted);
            watch.elapsed()
        });
        let mut latencies: Vec<Duration> = placed.buffer_unordered(in_flight).collect().await;
        let (took, cpu) = (watch.elapsed(), self::cpu().saturating_sub(cpu));
        latencies.sort_unstable();
        let each = |all: Duration| all / u32::try_from(count).unwrap();
        let place = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
        Figures { each: each(took), cpu: each(cpu), p50: place(50), p99: place(99) }
    }
}

struct Figures {
    each: Duration,
    cpu: Duration,
    p50: Duration,
    p99: Duration,
}

/// Time that the threads of this process have run so far, whatever became of them.
fn cpu() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ran = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(ran.sum())
}

fn main() {
    let short = std::env::args().any(|argument| argument == "--test");
    let system = System::new();
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("gavel.db")).unwrap());
    system.block_on(async {
        let mut house = House::open(store).await;
        eprintln!("bids      in flight  where         µs/bid   CPU µs/bid   p50 µs   p99 µs");
        for accepted in [false, true] {
            for (in_flight, count) in [(1, 5_000), (64, 100_000), (1_024, 200_000)] {
                let count = if short { 200 } else { count };
                for (forwarded, place) in [(false, "at the owner"), (true, "forwarded")] {
                    house.measure(forwarded, accepted, in_flight, count / 10).await;
                    let Figures { each, cpu, p50, p99 } = house.measure(forwarded, accepted, in_flight, count).await;
                    let kind = if accepted { "accepted" } else { "refused" };
                    let [each, cpu, p50, p99] = [each, cpu, p50, p99].map(|time| time.as_secs_f64() * 1e6);
                    eprintln!("{kind}  {in_flight:9}  {place:12} {each:7.1} {cpu:12.1} {p50:8.1} {p99:8.1}");
                }
            }
        }
    });
}
