//! Several nodes in one process: engines on one database, linked over real sockets. Who owns what the tests say.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use gavel::auction::{Answer, BidError, Engine, EngineParts, Tenure};
use gavel::bus::memory::MemoryBus;
use gavel::clock::Clock;
use gavel::cluster::{Directory, Home, Link, Neighbour, NodeDoor, Router};
use gavel::domain::{AuctionId, BidId, Bidder, Currency, Epoch, PlaceBid, Rules, Span, Terms, Timestamp};
use gavel::settings::{Ack, Secret};
use gavel::store::ownership::{Ownership as _, ShardId};
use gavel::store::postgres::PostgresStore;
use gavel::store::{Catalog as _, NewAuction, Store, StoredAuction};

use crate::postgres::world::{self, money};

pub(super) const SHARDS: u32 = 16;
pub(super) const SECRET: &str = "a secret that all nodes know";
const LONG: Span = Span::from_secs(3_600);

/// What the other nodes told this one.
#[derive(Default)]
pub(super) struct Told {
    pub(super) offered: Mutex<Vec<ShardId>>,
    pub(super) created: Mutex<Vec<(AuctionId, Timestamp)>>,
}

impl Neighbour for Told {
    fn offered(&self, shards: Vec<ShardId>) {
        self.offered.lock().unwrap().extend(shards);
    }

    fn auction_created(&self, id: AuctionId, ends_at: Timestamp) {
        self.created.lock().unwrap().push((id, ends_at));
    }
}

pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) store: Arc<PostgresStore>,
    pub(super) engine: Arc<Engine>,
    pub(super) directory: Arc<Directory>,
    pub(super) link: Arc<Link>,
    pub(super) router: Arc<Router>,
    pub(super) door: Arc<NodeDoor>,
    pub(super) server: ServerHandle,
    pub(super) address: Arc<str>,
    pub(super) told: Arc<Told>,
}

impl Node {
    pub(super) async fn start(url: &str, name: &'static str) -> Self {
        Self::start_with(url, name, SECRET).await
    }

    pub(super) async fn start_with(url: &str, name: &'static str, secret: &str) -> Self {
        let store = world::open(url, name).await;
        let clock = Arc::new(Clock::system());
        let parts = EngineParts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            bus: Arc::new(MemoryBus::default()),
            clock: Arc::clone(&clock),
            ack: Ack::Committed,
            tenure: Tenure::none(SHARDS),
        };
        let engine = Engine::start(parts).await.unwrap();
        engine.extend_lease(clock.now().plus(LONG));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Arc<str> = listener.local_addr().unwrap().to_string().into();
        let directory = Arc::new(Directory::new(SHARDS));
        let secret = Secret::from(secret.to_owned());
        let link = Link::start(Arc::clone(&address), &secret, Arc::clone(&directory)).unwrap();
        let router = Arc::new(Router::clustered(Arc::clone(&engine), Arc::clone(&link)));
        let told = Arc::<Told>::default();
        let door = NodeDoor::new(Arc::clone(&engine), Arc::clone(&link), Arc::clone(&told) as Arc<dyn Neighbour>);
        let server = door.serve(listener).unwrap();
        let handle = server.handle();
        actix::spawn(server);
        Self { name, store, engine, directory, link, router, door, server: handle, address, told }
    }

    /// Takes every shard in the store and decides for them; nobody else is told.
    pub(super) async fn take_all(&self) -> Vec<(ShardId, Epoch)> {
        let seen: Vec<_> = self.store.shards().await.unwrap().iter().map(|shard| (shard.id, shard.epoch)).collect();
        let taken = self.store.take(&seen).await.unwrap();
        assert_eq!(taken.len(), seen.len());
        self.engine.gain(&taken);
        taken
    }

    /// Has this node believe that `owner` holds what it took, and is reached at `address`.
    pub(super) fn believe(&self, owner: &Node, address: &Arc<str>, taken: &[(ShardId, Epoch)]) {
        let home = |epoch| Home { node: owner.name.into(), incarnation: 1, address: Arc::clone(address), epoch };
        self.directory.replace(taken.iter().map(|(_, epoch)| Some(home(*epoch))).collect());
    }

    pub(super) async fn place(&self, auction: AuctionId, bid: PlaceBid) -> Result<Answer, BidError> {
        let placed = self.router.place_bid(auction, bid);
        actix::clock::timeout(Duration::from_secs(10), placed).await.expect("an answer within 10 s")
    }

    /// The same, beside what the test does next.
    pub(super) fn start_bid(
        &self,
        auction: AuctionId,
        bid: PlaceBid,
    ) -> actix::clock::Timeout<tokio::task::JoinHandle<Result<Answer, BidError>>> {
        let router = Arc::clone(&self.router);
        let placed = actix::spawn(async move { router.place_bid(auction, bid).await });
        actix::clock::timeout(Duration::from_secs(10), placed)
    }

    /// As if its process was killed, for all who reach it over the link.
    pub(super) async fn vanish(&self) {
        self.server.stop(false).await;
    }
}

/// Owner `a` of everything, and `b` and `c`, which know it.
pub(super) struct Trio {
    pub(super) a: Node,
    pub(super) b: Node,
    pub(super) c: Node,
    pub(super) taken: Vec<(ShardId, Epoch)>,
    pub(super) people: People,
}

impl Trio {
    pub(super) async fn start(url: &str) -> Self {
        Self::start_at(url, url).await
    }

    /// `a` reaches the database by a way of its own.
    pub(super) async fn start_at(url_of_a: &str, url: &str) -> Self {
        let (a, b, c) = (Node::start(url_of_a, "a").await, Node::start(url, "b").await, Node::start(url, "c").await);
        let people = People::new(&b.store).await;
        let taken = a.take_all().await;
        for node in [&a, &b, &c] {
            node.believe(&a, &a.address, &taken);
        }
        Self { a, b, c, taken, people }
    }
}

/// Who sells and bids.
pub(super) struct People {
    seller: Bidder,
    pub(super) ann: Bidder,
    pub(super) bob: Bidder,
}

impl People {
    pub(super) async fn new(store: &PostgresStore) -> Self {
        Self {
            seller: world::user(store, "seller").await,
            ann: world::user(store, "ann").await,
            bob: world::user(store, "bob").await,
        }
    }

    /// An auction that is open for an hour.
    pub(super) async fn auction(&self, store: &PostgresStore) -> StoredAuction {
        let now = Clock::system().now();
        let new = NewAuction {
            title: "Lamp".to_owned(),
            description: String::new(),
            image_id: None,
            created_at: now,
            terms: Terms {
                seller: self.seller.id,
                currency: Currency::DEFAULT,
                start_price: money(100),
                starts_at: now,
                ends_at: now.plus(LONG),
                rules: Rules { leader_may_raise: true, ..Rules::default() },
            },
        };
        store.create_auction(new).await.unwrap()
    }
}

pub(super) fn bid(id: u128, bidder: &Bidder, amount: i64) -> PlaceBid {
    PlaceBid { bid_id: BidId(id), bidder: bidder.clone(), amount: money(amount), message: Some("입찰!".into()) }
}

/// The seq of an accepted bid, and whether it had been answered before.
#[track_caller]
pub(super) fn accepted(answer: Result<Answer, BidError>) -> (i64, bool) {
    let answer = answer.unwrap();
    (answer.outcome.unwrap().seq.0, answer.repeated)
}
