//! A cluster of real processes, each of which a test may harm.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gavel::cli::cluster::{Node, NodePlan, PrivatePostgres, PrivateRedis, TempFolder, free_port};
use gavel::domain::AuctionId;
use gavel::store::ownership::shard_of;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Wires;
use super::check::{self, Fault, Kind};
use crate::harness::{Client, Turn, alone, beside_others, eventually, gavel, verified};

pub(crate) const NODES: usize = 3;
/// The default of the settings.
const SHARDS: u32 = 1_024;
const SECRET: &str = "a secret of the tests alone";

/// What the nodes share, and the turn to have the machine.
struct Parts {
    redis: PrivateRedis,
    postgres: PrivatePostgres,
    turn: Turn,
}

impl Parts {
    async fn start(data: Option<&Path>) -> Self {
        Self::taking(beside_others().await, data)
    }

    fn taking(turn: Turn, data: Option<&Path>) -> Self {
        tokio::task::block_in_place(|| Self {
            postgres: PrivatePostgres::start(data, &[]).unwrap(),
            redis: PrivateRedis::start(&[]).unwrap(),
            turn,
        })
    }
}

/// How the nodes are started.
#[derive(Default)]
struct Manner<'a> {
    settings: &'a [(&'a str, &'a str)],
    wires: Option<&'a Wires>,
    /// Of the nodes in turn; gavel itself for those that have none.
    programs: &'a [PathBuf],
    /// What Postgres is told before the first node comes.
    told: &'static str,
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
        Self::begin(Parts::start(None).await, &Manner { settings, ..Manner::default() }).await
    }

    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With nothing beside it, to measure what takes less than a second.
    pub(crate) async fn alone() -> Self {
        Self::begin(Parts::taking(alone().await, None), &Manner::default()).await
    }

    /// With the data of Postgres in a folder of the caller's.
    pub(crate) async fn with_data(data: &Path) -> Self {
        Self::begin(Parts::start(Some(data)).await, &Manner::default()).await
    }

    /// With a program of the caller's for each node, which becomes gavel.
    pub(crate) async fn with_programs(programs: &[PathBuf]) -> Self {
        Self::begin(Parts::start(None).await, &Manner { programs, ..Manner::default() }).await
    }

    /// With a database that is told something before the first node comes.
    pub(crate) async fn with_database_told(told: &'static str) -> Self {
        Self::begin(Parts::start(None).await, &Manner { told, ..Manner::default() }).await
    }

    /// With a wire that can be cut wherever a node reaches Postgres, Redis or another node.
    pub(crate) async fn wired() -> (Self, Wires) {
        Self::wired_with(&[], |_| {}).await
    }

    /// The same, with further settings, and with wires that are prepared before a node starts.
    pub(crate) async fn wired_with(settings: &[(&str, &str)], prepare: impl FnOnce(&Wires)) -> (Self, Wires) {
        Self::wire(Parts::start(None).await, settings, prepare).await
    }

    /// With wires, further settings, and nothing beside it.
    pub(crate) async fn wired_alone(settings: &[(&str, &str)]) -> (Self, Wires) {
        Self::wire(Parts::taking(alone().await, None), settings, |_| {}).await
    }

    async fn wire(parts: Parts, settings: &[(&str, &str)], prepare: impl FnOnce(&Wires)) -> (Self, Wires) {
        let wires = Wires::lay(parts.postgres.port(), parts.redis.port()).await;
        prepare(&wires);
        let house = Self::begin(parts, &Manner { settings, wires: Some(&wires), ..Manner::default() }).await;
        (house, wires)
    }

    async fn begin(parts: Parts, manner: &Manner<'_>) -> Self {
        let house = tokio::task::block_in_place(|| Self::start(parts, manner));
        house.balanced().await;
        house
    }

    fn start(Parts { redis, postgres, turn }: Parts, manner: &Manner<'_>) -> Self {
        let folder = TempFolder::new("gavel-house-").unwrap();
        let store_url = postgres.database("gavel").unwrap();
        ask(&store_url, |client| client.batch_execute(manner.told)).unwrap();
        let node = |node: usize| {
            let listen = format!("127.0.0.1:{}", free_port().unwrap()).parse().unwrap();
            let program = manner.programs.get(node).map_or(Path::new(env!("CARGO_BIN_EXE_gavel")), PathBuf::as_path);
            let plan = NodePlan::new(program, &format!("node-{}", node + 1), listen, folder.path())
                .with("STORE__URL", store_url.as_str())
                .with("BUS__URL", redis.url())
                .with("CLUSTER__LISTEN", format!("127.0.0.1:{}", free_port().unwrap()))
                .with("CLUSTER__SECRET", SECRET)
                .with("HTTP__WORKERS", "1")
                .with("LIMITS__ENABLED", "false");
            let plan = manner.settings.iter().fold(plan, |plan, (key, value)| plan.with(key, *value));
            let plan = manner.wires.map_or(plan.clone(), |wires| wires.connect(node, plan));
            let mut process = Node::launch(&plan).unwrap();
            if let Some(wires) = manner.wires {
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

    /// Puts up auctions that end after so many seconds, until this node decides `count` of them; those are returned.
    pub(crate) async fn sell_at(&self, node: usize, count: usize, seconds: u64) -> Vec<String> {
        let seller = self.users(1).await.remove(0);
        let mut auctions = Vec::new();
        for _ in 0..64 {
            let auction = seller.sell(seconds).await;
            auctions.extend(self.owned_by(node, &[auction]));
            if auctions.len() == count {
                return auctions;
            }
        }
        panic!("node {node} decides no auctions")
    }

    /// A figure of one node.
    pub(crate) async fn figure(&self, node: usize, name: &str) -> f64 {
        crate::harness::Metrics::read(&self.anyone(node)).await.sum(name, "")
    }

    /// How often each node took shards.
    pub(crate) async fn takeovers(&self) -> Vec<f64> {
        let mut taken = Vec::new();
        for node in 0..NODES {
            taken.push(self.figure(node, "gavel_takeovers_total").await);
        }
        taken
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
                // Closer than the last move of all would leave it.
                if owned < share * 0.85 || owned > share * 1.15 {
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
        let mut by_node = self.histories(auction).await;
        check::assert_none(&check::history_faults(auction, &by_node));
        by_node.swap_remove(0)
    }

    /// The history of an auction as each node tells it.
    pub(crate) async fn histories(&self, auction: &str) -> Vec<Vec<Value>> {
        let mut by_node = Vec::new();
        for node in 0..NODES {
            by_node.push(self.anyone(node).bids(auction).await);
        }
        by_node
    }

    /// The shards that auctions fall into.
    pub(crate) fn shards_of(auctions: &[String]) -> Vec<i32> {
        auctions.iter().map(|auction| shard_of(AuctionId(auction.parse().unwrap()), SHARDS).0).collect()
    }

    /// Those of the auctions that this node decides now.
    pub(crate) fn owned_by(&self, node: usize, auctions: &[String]) -> Vec<String> {
        let owner = self.nodes[node].name().to_owned();
        let rows = self.ask(move |client| client.query("SELECT id FROM shards WHERE owner = $1", &[&owner])).unwrap();
        let shards: HashSet<i32> = rows.iter().map(|row| row.get(0)).collect();
        let its_own = auctions.iter().zip(Self::shards_of(auctions)).filter(|(_, shard)| shards.contains(shard));
        its_own.map(|(auction, _)| auction.clone()).collect()
    }

    /// Waits until others have every shard of these nodes.
    pub(crate) async fn taken_from(&self, nodes: &[usize]) {
        let owners: Vec<String> = nodes.iter().map(|node| self.nodes[*node].name().to_owned()).collect();
        eventually("the shards to be taken over", || async {
            let owners = owners.clone();
            let sql = "SELECT count(*) FROM shards WHERE owner = ANY ($1)";
            let left: i64 = self.ask(move |client| client.query_one(sql, &[&owners])).unwrap().get(0);
            (left == 0).then_some(())
        })
        .await;
    }

    /// Closes every connection that listens on Redis.
    pub(crate) async fn cut_pubsub(&self) {
        let mut redis = tokio::net::TcpStream::connect(("127.0.0.1", self.redis.port())).await.unwrap();
        redis.write_all(b"CLIENT KILL TYPE pubsub\r\n").await.unwrap();
        let mut answer = [0; 64];
        let read = redis.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        let cut = answer.strip_prefix(':').and_then(|count| count.trim_end().parse::<usize>().ok());
        assert!(cut.is_some_and(|count| count > 0), "nobody listened: {answer:?}");
    }

    /// Has Postgres acknowledge commits before they are on disk, behind the nodes' backs.
    pub(crate) fn do_not_sync(&self) {
        self.execute("ALTER SYSTEM SET synchronous_commit = off").unwrap();
        self.execute("ALTER SYSTEM SET wal_writer_delay = '10s'").unwrap();
        self.execute("SELECT pg_reload_conf()").unwrap();
    }

    /// Tells Postgres something, past the nodes.
    pub(crate) fn execute(&self, statement: &'static str) -> Result<(), postgres::Error> {
        self.ask(move |client| client.batch_execute(statement))
    }

    /// Asks Postgres something, past the nodes.
    pub(crate) fn ask<T, F>(&self, work: F) -> Result<T, postgres::Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut postgres::Client) -> Result<T, postgres::Error> + Send + 'static,
    {
        tokio::task::block_in_place(|| ask(&self.store_url, work))
    }

    /// What `gavel verify` finds.
    pub(crate) async fn audit(&self) -> Vec<Fault> {
        let mut verify = gavel(&["verify"]);
        verify.env("GAVEL__STORE__URL", &self.store_url).env("GAVEL__CLUSTER__SECRET", SECRET);
        let output = tokio::time::timeout(Duration::from_mins(2), verify.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, _, count) = said.lines().last().and_then(verified).unwrap_or_else(|| panic!("{said} {output:?}"));
        let told: Vec<&str> = said.lines().filter(|line| !line.starts_with("verified ")).collect();
        assert_eq!(told.is_empty(), count == 0, "{said}");
        let auction = |line: &str| Some(line.split_once(" auction ")?.1.split_once(':')?.0.to_owned());
        told.iter().map(|line| Fault::new(Kind::Audit, &auction(line).unwrap_or_default(), *line)).collect()
    }

    /// Where nodes raised the alarm about an auction: its stored head is not the one that they extended.
    pub(crate) fn alarms(&self, auction: &str) -> Vec<Fault> {
        let about = format!(" auction.id={auction} ");
        let raised = |line: &&str| line.contains("the stored head is not the one") && line.contains(&about);
        let log = |node: &Node| std::fs::read_to_string(node.log()).unwrap();
        let logs: String = self.nodes.iter().map(log).collect();
        logs.lines().filter(raised).map(|line| Fault::new(Kind::Alarm, auction, line)).collect()
    }

    /// Audits; there must be no fault.
    pub(crate) async fn verify(&self) {
        check::assert_none(&self.audit().await);
    }
}

fn ask<T, F>(url: &str, work: F) -> Result<T, postgres::Error>
where
    T: Send,
    F: FnOnce(&mut postgres::Client) -> Result<T, postgres::Error> + Send,
{
    // The blocking client brings a runtime of its own.
    let work = || work(&mut postgres::Client::connect(url, postgres::NoTls)?);
    std::thread::scope(|scope| scope.spawn(work).join()).unwrap()
}
