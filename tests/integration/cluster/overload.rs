//! More load than a user may bring, and more than the store takes: what is too much is turned away at once and says
//! when to come again, others' bids are as quick as before, and memory stays within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::check;
use super::crowd::{Accepted, Rejected, Work};
use super::house::NODES;
use super::tap::Hold;
use super::{House, Wires, at};
use crate::harness::{Client, Reply, Ws, eventually, uuid};

/// What one user may bid in a second.
const RATE: usize = 260;
/// As many bids as a session may have under way, on so many sessions that an auction has no room for all.
const BIDS_PER_SESSION: usize = 256;
const SESSIONS: usize = 20;
const ROOM: f64 = 4_096.0;
/// Beyond this an answer that turns someone away is late.
const AT_ONCE_MS: u64 = 50;
/// What five thousand bids under way may take of a node's memory.
const MEMORY_KIB_MAX: u64 = 64 * 1_024;
/// Where the load goes to.
const LOADED: usize = 0;
const OTHER: usize = 1;

/// Bidders at a human pace, alternating on one auction; how long each acceptance took, in ms, and what was told.
struct Calm {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<(Vec<u64>, Work)>>,
}

impl Calm {
    fn begin(users: &[Client], url: &str, auction: &str, next: &Arc<AtomicI64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = users.iter().map(|user| {
            tokio::spawn(bid_calmly(user.at(url), auction.to_owned(), Arc::clone(next), Arc::clone(&stop)))
        });
        Self { tasks: tasks.collect(), stop }
    }

    async fn finish(self) -> (Vec<u64>, Work) {
        self.stop.store(true, Ordering::SeqCst);
        let (mut all_ms, mut all) = (Vec::new(), Work::default());
        for task in self.tasks {
            let (took_ms, work) = task.await.unwrap();
            all_ms.extend(took_ms);
            all.accepted.extend(work.accepted);
            all.rejected.extend(work.rejected);
        }
        all_ms.sort_unstable();
        (all_ms, all)
    }
}

async fn bid_calmly(user: Client, auction: String, next: Arc<AtomicI64>, stop: Arc<AtomicBool>) -> (Vec<u64>, Work) {
    let (mut took_ms, mut work) = (Vec::new(), Work::default());
    while !stop.load(Ordering::SeqCst) {
        let (bid_id, began) = (uuid(), Instant::now());
        let reply = user.bid_as(&auction, &bid_id, next.fetch_add(10, Ordering::SeqCst)).await;
        if reply.status == 201 {
            took_ms.push(ms(began));
        }
        note(&mut work, &auction, &bid_id, (reply.status, reply.json()));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    (took_ms, work)
}

fn note(work: &mut Work, auction: &str, bid_id: &str, (status, told): (u16, Value)) {
    let (auction, bid_id) = (auction.to_owned(), bid_id.to_owned());
    match status {
        200 | 201 => work.accepted.push(Accepted { auction, receipt: told, at: Duration::ZERO }),
        409 => work.rejected.push(Rejected { auction, bid_id, told }),
        _ => panic!("{status} {told}"),
    }
}

fn ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap()
}

/// Those who are turned away: how long it took, in ms, rising.
#[derive(Default)]
struct TurnedAway(Vec<u64>);

impl TurnedAway {
    fn note(&mut self, reply: &Reply, began: Instant) {
        let took = ms(began);
        let code = if reply.status == 429 { "rate_limited" } else { "overloaded" };
        reply.problem(if reply.status == 429 { 429 } else { 503 }, code);
        self.0.push(took);
    }

    fn told(mut self, why: &str) -> usize {
        self.0.sort_unstable();
        let (p50, p99) = (at(&self.0, 500), at(&self.0, 990));
        eprintln!("overload, {why}: {} turned away, ms: p50 {p50} p99 {p99} max {}", self.0.len(), at(&self.0, 1_000));
        assert!(p99 < AT_ONCE_MS, "turned away late: {:?}", self.0);
        self.0.len()
    }
}

/// Bids without waiting for a turn, from several connections of one user.
async fn greed(user: Client, auction: String, stop: Arc<AtomicBool>) -> TurnedAway {
    let mut turned_away = TurnedAway::default();
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let reply = user.bid(&auction, 1).await;
        match reply.status {
            409 => {}
            _ => turned_away.note(&reply, began),
        }
        // What is measured is the server, not who has the most threads.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    turned_away
}

/// A figure of a process's memory, in KiB.
fn memory_kib(house: &House, node: usize, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.nodes[node].pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
    line.trim_matches([':', '\t', ' ']).split_whitespace().next().unwrap().parse().unwrap()
}

/// Sends as many bids as a session may have under way, and hands the session back.
async fn flood(user: &Client, url: &str, auction: &str, next: &AtomicI64) -> (Ws, Vec<String>) {
    let token = format!("Bearer {}", user.token());
    let mut ws = Ws::handshake_at(url, &[("authorization", &token)]).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..BIDS_PER_SESSION {
        ids.push(uuid());
        ws.bid(auction, &ids[ids.len() - 1], next.fetch_add(10, Ordering::SeqCst)).await;
    }
    (ws, ids)
}

/// Reads every receipt of a session; how many bids were turned away.
async fn receipts(mut ws: Ws, ids: Vec<String>, auction: &str) -> (usize, Work) {
    let (mut turned_away, mut work) = (0, Work::default());
    for _ in 0..ids.len() {
        let receipt = ws.next_of("receipt").await;
        let bid_id = receipt["bid_id"].as_str().unwrap().to_owned();
        assert!(ids.contains(&bid_id), "{receipt}");
        if receipt["code"] == "overloaded" {
            assert_eq!(receipt["retryable"], true, "{receipt}");
            turned_away += 1;
        } else {
            let status = if receipt["status"] == "accepted" { 201 } else { 409 };
            note(&mut work, auction, &bid_id, (status, receipt));
        }
    }
    (turned_away, work)
}

/// A cluster, those who bid calmly, and those who bid too much.
struct Scene {
    house: House,
    wires: Wires,
    loaded: String,
    other: String,
    calm: Vec<Client>,
    flood: Vec<Client>,
    /// Amounts rise, whoever bids.
    next: Arc<AtomicI64>,
    works: Vec<Work>,
}

impl Scene {
    async fn begin() -> Self {
        let rate = RATE.to_string();
        let many = ["SIGN_INS_PER_MINUTE", "SIGN_UPS_PER_MINUTE", "WRITES_PER_SECOND", "READS_PER_SECOND"];
        let many: Vec<String> = many.iter().map(|limit| format!("LIMITS__{limit}")).collect();
        let mut settings = vec![("LIMITS__ENABLED", "true"), ("LIMITS__BIDS_PER_SECOND", rate.as_str())];
        settings.extend(many.iter().map(|limit| (limit.as_str(), "100000")));
        let (house, wires) = House::wired_alone(&settings).await;
        let loaded = house.sell_at(LOADED, 1, 3_600).await.remove(0);
        let other = house.sell_at(OTHER, 1, 3_600).await.remove(0);
        let (calm, urls) = (house.users(4).await, house.urls());
        let sign_up = |number: usize| Client::sign_up_owned(urls[number % NODES].clone(), "flood".to_owned());
        let flood = join_all((0..SESSIONS).map(sign_up)).await;
        Self { house, wires, loaded, other, calm, flood, next: Arc::new(AtomicI64::new(2_000)), works: Vec::new() }
    }

    fn calm_at(&self, node: usize, auction: &str) -> Calm {
        Calm::begin(&self.calm, self.house.nodes[node].url(), auction, &self.next)
    }

    async fn end_calm(&mut self, calm: Calm) -> Vec<u64> {
        let (took_ms, work) = calm.finish().await;
        self.works.push(work);
        took_ms
    }

    async fn alone(&mut self) -> Vec<u64> {
        let calm = self.calm_at(LOADED, &self.loaded);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.end_calm(calm).await
    }

    /// One user wants more than a share, at the same node and in the same auction as the calm ones.
    async fn beside_greed(&mut self) -> Vec<u64> {
        let (calm, stop) = (self.calm_at(LOADED, &self.loaded), Arc::new(AtomicBool::new(false)));
        let greedy = self.flood[0].at(self.house.nodes[LOADED].url());
        let begin = |_| tokio::spawn(greed(greedy.clone(), self.loaded.clone(), Arc::clone(&stop)));
        let tasks: Vec<_> = (0..4).map(begin).collect();
        tokio::time::sleep(Duration::from_secs(2)).await;
        stop.store(true, Ordering::SeqCst);
        let mut turned_away = TurnedAway::default();
        for task in tasks {
            turned_away.0.extend(task.await.unwrap().0);
        }
        assert!(turned_away.told("one user's bids beyond the rate") > 100);
        self.end_calm(calm).await
    }

    /// The store of one node stands still, and more bids come than there is room for; the calm ones bid elsewhere.
    async fn beside_a_flood(&mut self) -> Vec<u64> {
        let (house, loaded) = (&self.house, &self.loaded);
        let before_kib = memory_kib(house, LOADED, "VmRSS");
        let calm = self.calm_at(OTHER, &self.other);
        self.wires.hold(LOADED, Hold::Before);
        let url = house.nodes[LOADED].url();
        let sessions = self.flood.iter().map(|user| flood(user, url, loaded, &self.next));
        let sessions = join_all(sessions).await;
        let in_flight = || async { house.figure(LOADED, "gavel_bids_in_flight").await >= ROOM };
        eventually("the auction to be full", || async { in_flight().await.then_some(()) }).await;
        let mut turned_away = TurnedAway::default();
        for (number, node) in [LOADED, OTHER].into_iter().cycle().take(40).enumerate() {
            let user = self.calm[number % self.calm.len()].at(house.nodes[node].url());
            let began = Instant::now();
            turned_away.note(&user.bid(loaded, 1_000_000_000).await, began);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.wires.release(LOADED);
        let answered = join_all(sessions.into_iter().map(|(ws, ids)| receipts(ws, ids, loaded))).await;
        let memory_kib = memory_kib(house, LOADED, "VmHWM").saturating_sub(before_kib);
        turned_away.told("bids beyond the room of an auction");
        let flooded_away: usize = answered.iter().map(|(turned_away, _)| turned_away).sum();
        let all = SESSIONS * BIDS_PER_SESSION;
        eprintln!("overload: of {all} bids at once {flooded_away} turned away, {memory_kib} KiB more memory");
        assert!(flooded_away > 0, "there was room for all");
        assert!(memory_kib < MEMORY_KIB_MAX, "{memory_kib} KiB");
        self.works.extend(answered.into_iter().map(|(_, work)| work));
        self.end_calm(calm).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn load_beyond_capacity_is_turned_away_at_once_and_costs_others_nothing() {
    let mut scene = Scene::begin().await;
    let alone_ms = scene.alone().await;
    let beside_ms = [scene.beside_greed().await, scene.beside_a_flood().await];
    check::assert_none(&check::faults(&scene.house, &scene.works.iter().collect::<Vec<_>>()).await);
    scene.house.verify().await;
    let of = |all_ms: &[u64]| (all_ms.len(), at(all_ms, 500), at(all_ms, 900), at(all_ms, 990));
    eprintln!(
        "overload: calm bidders' acceptances and their p50, p90, p99 ms: alone {:?}, beside greed {:?}, beside a flood {:?}",
        of(&alone_ms),
        of(&beside_ms[0]),
        of(&beside_ms[1])
    );
    for busy_ms in &beside_ms {
        assert!(busy_ms.len() > 20, "hardly anyone was accepted");
        assert!(at(busy_ms, 900) < at(&alone_ms, 900) + AT_ONCE_MS, "alone {alone_ms:?}, under load {busy_ms:?}");
    }
}
