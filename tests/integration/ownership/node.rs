//! Nodes of a cluster in one process: each with a store, an engine and an agent of its own, and a port that others see.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use gavel::auction::{Engine, EngineParts, Tenure};
use gavel::bus::memory::MemoryBus;
use gavel::clock::{Clock, Stopwatch};
use gavel::cluster::{Agent, AgentParts, Directory, Peers};
use gavel::domain::{AuctionId, Span};
use gavel::settings::Ack;
use gavel::store::ownership::{Ownership as _, ShardId, shard_of};
use gavel::store::postgres::{PostgresSettings, PostgresStore};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub(crate) const SHARDS: u32 = 1_024;

/// How the nodes reach each other: what the link does over HTTP.
#[derive(Default)]
pub(crate) struct Net(Mutex<HashMap<String, Weak<Agent>>>);

#[async_trait]
impl Peers for Net {
    async fn offer(&self, address: &str, shards: &[ShardId]) {
        let agent = self.0.lock().unwrap().get(address).and_then(Weak::upgrade);
        if let Some(agent) = agent {
            agent.offered(shards);
        }
    }
}

impl Net {
    fn connect(&self, address: &str, agent: &Arc<Agent>) {
        self.0.lock().unwrap().insert(address.to_owned(), Arc::downgrade(agent));
    }
}

pub(crate) struct Node {
    pub(crate) address: String,
    pub(crate) store: Arc<PostgresStore>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) agent: Arc<Agent>,
    pub(crate) clock: Arc<Clock>,
    port: AbortHandle,
}

impl Node {
    pub(crate) async fn start(net: &Arc<Net>, url: &str, name: &'static str, incarnation: i64) -> Arc<Self> {
        Self::start_at(net, url, (name, incarnation), Clock::system()).await
    }

    pub(crate) async fn start_at(
        net: &Arc<Net>,
        url: &str,
        (name, incarnation): (&'static str, i64),
        clock: Clock,
    ) -> Arc<Self> {
        let settings = PostgresSettings { url: url.to_owned(), node: name.to_owned(), incarnation, shards: SHARDS };
        let store = Arc::new(PostgresStore::open(settings).await.unwrap());
        let clock = Arc::new(clock);
        let parts = EngineParts {
            store: Arc::clone(&store) as _,
            bus: Arc::new(MemoryBus::default()),
            clock: Arc::clone(&clock),
            ack: Ack::Committed,
            tenure: Tenure::none(store.shard_count()),
        };
        let engine = Engine::start(parts).await.unwrap();
        let directory = Arc::new(Directory::new(store.shard_count()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let port = tokio::spawn(async move { while listener.accept().await.is_ok() {} }).abort_handle();
        let parts = AgentParts {
            ownership: Arc::clone(&store) as _,
            engine: Arc::clone(&engine),
            directory: Arc::clone(&directory),
            clock: Arc::clone(&clock),
            peers: Arc::clone(net) as _,
            node: name.into(),
            incarnation,
            address: address.as_str().into(),
        };
        let agent = Agent::start(parts).await.unwrap();
        net.connect(&address, &agent);
        Arc::new(Self { address, store, engine, directory, agent, clock, port })
    }

    /// How many shards it decides for.
    pub(crate) fn owned(&self) -> usize {
        self.engine.tenure().held().len()
    }

    /// It renews no more and says nothing; its engine knows nothing of it, and decides on until its lease is over.
    pub(crate) fn fall_silent(&self) {
        self.agent.abandon();
    }

    /// Its port refuses from now on.
    pub(crate) fn close_port(&self) {
        self.port.abort();
    }

    /// Whether it decides for the auction and may tell.
    pub(crate) fn decides_for(&self, auction: AuctionId) -> bool {
        self.engine.decides_for(auction)
    }

    /// The owner of the auction's shard as the store has it.
    pub(crate) async fn owner_of(&self, auction: AuctionId) -> Option<String> {
        let shard = shard_of(auction, SHARDS);
        let rows = self.store.shards().await.unwrap();
        rows.iter().find(|row| row.id == shard)?.owner.as_ref().map(|(owner, _)| owner.to_string())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.agent.abandon();
        self.port.abort();
    }
}

/// Waits until `check` holds; how long that took.
pub(crate) async fn until(what: &str, within: Span, check: impl Fn() -> bool) -> Duration {
    let stopwatch = Stopwatch::start();
    while !check() {
        assert!(stopwatch.elapsed() < Duration::from(within), "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stopwatch.elapsed()
}

/// Whether these nodes own every shard, each about its share.
pub(crate) fn is_balanced(nodes: &[Arc<Node>]) -> bool {
    let owned: Vec<usize> = nodes.iter().map(|node| node.owned()).collect();
    let share = SHARDS as usize / nodes.len();
    owned.iter().sum::<usize>() == SHARDS as usize && owned.iter().all(|owned| owned.abs_diff(share) < share / 4)
}

pub(crate) async fn balanced(nodes: &[Arc<Node>]) -> Duration {
    until("every node has its share", Span::from_secs(20), || is_balanced(nodes)).await
}
