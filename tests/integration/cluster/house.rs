//! A cluster of real processes, each of which a test may harm.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use gavel::cli::cluster::{Node, NodePlan, PrivatePostgres, PrivateRedis, TempFolder, free_port};
use gavel::domain::AuctionId;
use gavel::store::ownership::{ShardId, shard_of};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Wires;
use crate::harness::{Client, Turn, alone, beside_others, eventually, gavel, verified};

pub(crate) const NODES: usize = 3;
/// The default of the settings.
const SHARDS: u32 = 1_024;
const SECRET: &str = "a secret of the tests alone";

/// What the nodes share.
struct Parts {
    redis: PrivateRedis,
    postgres: PrivatePostgres,
}

impl Parts {
    fn start(data: Option<&Path>) -> Self {
        Self { postgres: PrivatePostgres::start(data, &[]).unwrap(), redis: PrivateRedis::start(&[]).unwrap() }
    }
}

/// See the file's head. What still runs when it is dropped is ended by its keepers.
pub(crate) struct House {
    pub(crate) nodes: Vec<Node>,
    pub(crate) redis: PrivateRedis,
    pub(crate) postgres: PrivatePostgres,
    store_url: String,
    _folder: TempFolder,
    _turn: Turn,
}

impl House {
    /// Starts everything, with further settings for each node, and waits until the shards are shared out.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::taking(beside_others().await, settings).await
    }

    async fn taking(turn: Turn, settings: &[(&str, &str)]) -> Self {
        let house = tokio::task::block_in_place(|| Self::start(Parts::start(None), settings, None, turn));
        house.balanced().await;
        house
    }

    /// With the data of Postgres in a folder of the caller's.
    pub(crate) async fn with_data(data: &Path) -> Self {
        let turn = beside_others().await;
        let house = tokio::task::block_in_place(|| Self::start(Parts::start(Some(data)), &[], None, turn));
        house.balanced().await;
        house
    }

    /// With a wire that can be cut wherever a node reaches Postgres, Redis or another node.
    pub(crate) async fn wired() -> (Self, Wires) {
        let turn = beside_others().await;
        let parts = tokio::task::block_in_place(|| Parts::start(None));
        let wires = Wires::lay(parts.postgres.port(), parts.redis.port()).await;
        let house = tokio::task::block_in_place(|| Self::start(parts, &[], Some(&wires), turn));
        house.balanced().await;
        (house, wires)
    }

    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With nothing beside it, to measure pauses of less than a second.
    pub(crate) async fn alone() -> Self {
        Self::taking(alone().await, &[]).await
    }

    fn start(parts: Parts, settings: &[(&str, &str)], wires: Option<&Wires>, turn: Turn) -> Self {
        let Parts { postgres, redis } = parts;
        let folder = TempFolder::new("gavel-house-").unwrap();
        let store_url = postgres.database("gavel").unwrap();
        let node = |node: usize| {
            let listen = format!("127.0.0.1:{}", free_port().unwrap()).parse().unwrap();
            let program = Path::new(env!("CARGO_BIN_EXE_gavel"));
            let plan = NodePlan::new(program, &format!("node-{}", node + 1), listen, folder.path())
                .with("STORE__URL", store_url.as_str())
                .with("BUS__URL", redis.url())
                .with("CLUSTER__LISTEN", format!("127.0.0.1:{}", free_port().unwrap()))
                .with("CLUSTER__SECRET", SECRET)
                .with("HTTP__WORKERS", "1")
                .with("LIMITS__ENABLED", "false");
            let plan = settings.iter().fold(plan, |plan, (key, value)| plan.with(key, *value));
            let plan = wires.map_or(plan.clone(), |wires| wires.connect(node, plan));
            let mut process = Node::launch(&plan).unwrap();
            if let Some(wires) = wires {
                wires.started(process.pid().unwrap());
            }
            process.ready().unwrap();
            process
        };
        let nodes = (0..NODES).map(node).collect();
        Self { nodes, redis, postgres, store_url, _folder: folder, _turn: turn }
    }

    /// Where the nodes serve.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url().to_owned()).collect()
    }

    /// Someone who is not signed in, at one of the nodes.
    pub(crate) fn anyone(&self, node: usize) -> Client {
        Client::anonymous(self.nodes[node].url())
    }

    /// Signs up users at the nodes in turn.
    pub(crate) async fn users(&self, count: usize) -> Vec<Client> {
        let mut users = Vec::new();
        for number in 0..count {
            users.push(Client::sign_up(self.nodes[number % NODES].url(), &format!("bidder {number}")).await);
        }
        users
    }

    /// Puts up auctions that stay open.
    pub(crate) async fn sell(&self, count: usize) -> Vec<String> {
        let seller = self.users(1).await.remove(0);
        let mut auctions = Vec::new();
        for _ in 0..count {
            auctions.push(seller.sell(3_600).await);
        }
        auctions
    }

    /// A figure of one node.
    pub(crate) async fn figure(&self, node: usize, name: &str) -> f64 {
        crate::harness::Metrics::read(&self.anyone(node)).await.sum(name, "")
    }

    /// Waits until every node that runs has about its share of the shards.
    pub(crate) async fn balanced(&self) {
        let running: Vec<usize> = (0..NODES).filter(|node| self.nodes[*node].pid().is_some()).collect();
        let share = f64::from(SHARDS) / f64::from(u32::try_from(running.len()).unwrap());
        eventually("the shards to be shared out", || async {
            let mut all = 0.0;
            for node in &running {
                let owned = self.figure(*node, "gavel_shards_owned").await;
                all += owned;
                if owned < share * 0.7 || owned > share * 1.3 {
                    return None;
                }
            }
            (all >= f64::from(SHARDS)).then_some(())
        })
        .await;
    }

    /// Kills a node and starts it again.
    pub(crate) fn restart_killed(&mut self, node: usize) {
        tokio::task::block_in_place(|| self.nodes[node].restart()).unwrap();
    }

    /// The history of an auction, the same at every node.
    pub(crate) async fn history(&self, auction: &str) -> Vec<Value> {
        let first = self.anyone(0).bids(auction).await;
        for node in 1..NODES {
            let other = self.anyone(node).bids(auction).await;
            assert_eq!(other.len(), first.len(), "node {node} tells another history of auction {auction}");
            assert_eq!(other, first);
        }
        crate::harness::assert_rising(&first);
        first
    }

    /// Those of the auctions that this node decides now.
    pub(crate) fn owned_by(&self, node: usize, auctions: &[String]) -> Vec<String> {
        let (url, owner) = (self.store_url.clone(), self.nodes[node].name().to_owned());
        let read = move || {
            let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
            let rows = client.query("SELECT id FROM shards WHERE owner = $1", &[&owner]).unwrap();
            rows.iter().map(|row| ShardId(row.get(0))).collect::<HashSet<_>>()
        };
        let shards = std::thread::spawn(read).join().unwrap();
        let is_owned = |auction: &&String| shards.contains(&shard_of(AuctionId(auction.parse().unwrap()), SHARDS));
        auctions.iter().filter(is_owned).cloned().collect()
    }

    /// Closes every connection that listens on Redis.
    pub(crate) async fn cut_pubsub(&self) {
        let mut redis = tokio::net::TcpStream::connect(("127.0.0.1", self.redis.port())).await.unwrap();
        redis.write_all(b"CLIENT KILL TYPE pubsub\r\n").await.unwrap();
        let mut answer = [0; 64];
        let read = redis.read(&mut answer).await.unwrap();
        assert_eq!(answer[..read].first(), Some(&b':'), "{:?}", String::from_utf8_lossy(&answer[..read]));
    }

    /// Has Postgres acknowledge commits before they are on disk, behind the nodes' backs.
    pub(crate) fn do_not_sync(&self) {
        self.execute("ALTER SYSTEM SET synchronous_commit = off").unwrap();
        self.execute("ALTER SYSTEM SET wal_writer_delay = '10s'").unwrap();
        self.execute("SELECT pg_reload_conf()").unwrap();
    }

    /// Tells Postgres something, past the nodes.
    pub(crate) fn execute(&self, statement: &'static str) -> Result<(), postgres::Error> {
        let url = self.store_url.clone();
        // The blocking client brings a runtime of its own.
        let work = move || postgres::Client::connect(&url, postgres::NoTls)?.batch_execute(statement);
        std::thread::spawn(work).join().unwrap()
    }

    /// What `gavel verify` finds: auctions, events, faults.
    pub(crate) async fn audit(&self) -> (u64, u64, u64) {
        let mut verify = gavel(&["verify"]);
        verify.env("GAVEL__STORE__URL", &self.store_url).env("GAVEL__CLUSTER__SECRET", SECRET);
        let output = tokio::time::timeout(Duration::from_mins(2), verify.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().last().and_then(verified).unwrap_or_else(|| panic!("{said} {output:?}"))
    }

    /// Audits; there must be no fault.
    pub(crate) async fn verify(&self) {
        let (auctions, events, faults) = self.audit().await;
        assert_eq!(faults, 0, "{auctions} auctions, {events} events");
    }
}
