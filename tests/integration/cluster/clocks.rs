//! Clocks that jump: bidders see nothing of it.
//!
//! By an hour the nodes' wall clocks, one ahead and another back: each node runs with a library between itself and its wall
//! clock (`clock.c`). By seconds that of Postgres, so that every node's is off: what the nodes read as its clock is a
//! function of the test's.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use gavel::limits;
use tempfile::TempDir;

use super::crowd::Manners;
use super::house::NODES;
use super::{Crowd, House, Viewers};
use crate::harness::{eventually, micros, now_micros, soon};

const HOUR_US: i64 = 3_600_000_000;
/// How far a stamp or a closing may be from this test's own clock.
const NEAR_US: i64 = 2_000_000;

/// Whoever connects from then on reads a clock that is ahead by what stands in a table.
const CLOCK_OF_POSTGRES: &str = "CREATE SCHEMA moved; \
    CREATE TABLE moved.clock (ahead interval NOT NULL); \
    INSERT INTO moved.clock VALUES ('0'); \
    CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
    AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM moved.clock'; \
    ALTER DATABASE gavel SET search_path = public, moved, pg_catalog";

/// The wall clocks of the nodes.
struct Clocks(TempDir);

impl Clocks {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let library = folder.path().join("clock.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/cluster/clock.c");
        let mut compiler = tokio::process::Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
        assert!(soon("the library", compiler.status()).await.unwrap().success());
        let clocks = Self(folder);
        for node in 0..NODES {
            std::fs::write(clocks.file(node), 0_i64.to_ne_bytes()).unwrap();
            let gavel = env!("CARGO_BIN_EXE_gavel");
            let (library, file) = (library.display(), clocks.file(node));
            let script =
                format!("#!/bin/sh\nLD_PRELOAD='{library}' CLOCK_AHEAD='{}' exec '{gavel}' \"$@\"\n", file.display());
            std::fs::write(clocks.program(node), script).unwrap();
            std::fs::set_permissions(clocks.program(node), std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        clocks
    }

    fn file(&self, node: usize) -> PathBuf {
        self.0.path().join(format!("ahead-{node}"))
    }

    fn program(&self, node: usize) -> PathBuf {
        self.0.path().join(format!("gavel-{node}"))
    }

    fn jump(&self, node: usize, ahead_us: i64) {
        // Written in place: the process has it mapped.
        let file = std::fs::OpenOptions::new().write(true).open(self.file(node)).unwrap();
        file.write_all_at(&ahead_us.to_ne_bytes(), 0).unwrap();
    }
}

/// How far a node's wall clock is ahead of ours, from the date that it puts on its answers.
async fn ahead_us(house: &House, node: usize) -> i64 {
    let reply = house.anyone(node).get("/healthz").await;
    let date = jiff::fmt::rfc2822::parse(reply.header("date")).unwrap();
    date.timestamp().as_microsecond() - now_micros()
}

async fn has_jumped(house: &House, node: usize, by_us: i64) {
    let is_there = || async { ((ahead_us(house, node).await - by_us).abs() < NEAR_US).then_some(()) };
    eventually("the wall clock to jump", is_there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_wall_clocks_jump_by_an_hour_no_bid_fails_no_stamp_is_wrong_and_auctions_end_in_time() {
    const AHEAD: usize = 0;
    const BACK: usize = 1;
    let clocks = Clocks::new().await;
    let programs: Vec<PathBuf> = (0..NODES).map(|node| clocks.program(node)).collect();
    let house = House::with_programs(&programs).await;
    let auctions = house.sell(6).await;
    let users = house.users(6).await;
    let viewers = Viewers::begin(&house, &auctions[0]);
    let taken = house.takeovers().await;
    let mut ending = house.sell_at(AHEAD, 1, 6).await;
    ending.extend(house.sell_at(BACK, 1, 6).await);
    let (began, crowd) = (now_micros(), Crowd::begin(&house, &users, &auctions, Manners::Pushing));
    tokio::time::sleep(Duration::from_millis(500)).await;
    clocks.jump(AHEAD, HOUR_US);
    has_jumped(&house, AHEAD, HOUR_US).await;
    clocks.jump(BACK, -HOUR_US);
    has_jumped(&house, BACK, -HOUR_US).await;
    for node in [AHEAD, BACK] {
        let seller = users[0].at(house.nodes[node].url());
        let new = seller.create(&serde_json::json!({"title": "A sundial", "start_price": 1, "duration_s": 60})).await;
        let ends_in = micros(new["ends_at"].as_str().unwrap()) - now_micros();
        assert!((ends_in - 60_000_000).abs() < NEAR_US, "node {node}: {new}");
    }
    let mut late = Vec::new();
    for auction in &ending {
        let closed = || async { (house.anyone(2).auction(auction).await["state"] == "closed").then_some(()) };
        eventually("the end", closed).await;
        let ends_at = house.anyone(2).auction(auction).await["ends_at"].as_str().map(micros).unwrap();
        late.push(now_micros() - ends_at);
    }
    let work = crowd.finish().await;
    let ended = now_micros();
    work.assert_kept(&house).await;
    let mut stamps = 0;
    for auction in &auctions {
        for bid in house.history(auction).await {
            let at = micros(bid["at"].as_str().unwrap());
            assert!(began - NEAR_US < at && at < ended + NEAR_US, "{bid} between {began} and {ended}");
            stamps += 1;
        }
    }
    viewers.finish(&house.history(&auctions[0]).await, std::time::Instant::now()).await;
    house.verify().await;
    eprintln!(
        "wall clocks: {} acknowledged, {} put off, longest pause of each auction ms {:?}, {stamps} stamps near the true \
         time, ends noticed {late:?} us late",
        work.accepted.len(),
        work.put_off,
        work.pauses_ms((Duration::ZERO, Duration::MAX))
    );
    assert_eq!(work.put_off, 0, "bids failed because of a wall clock");
    assert_eq!(taken, house.takeovers().await, "something was taken over because of a wall clock");
    assert!(late.iter().all(|late| (0..NEAR_US).contains(late)), "{late:?}");
}

/// Waits until every node that runs says in Postgres that it is well, or that its clock is off.
async fn all_say(house: &House, state: &'static str) {
    let running = house.nodes.iter().filter(|node| node.pid().is_some());
    let names: Vec<String> = running.map(|node| node.name().to_owned()).collect();
    eventually("every node to notice", || async {
        let asked = names.clone();
        let sql = "SELECT count(*) FROM nodes WHERE state = $1 AND id = ANY ($2)";
        let noticed: i64 = house.ask(move |client| client.query_one(sql, &[&state, &asked])).unwrap().get(0);
        (usize::try_from(noticed).unwrap() == names.len()).then_some(())
    })
    .await;
}

async fn assert_ready(house: &House, node: usize) {
    let reply = house.anyone(node).get("/readyz").await;
    assert_eq!(reply.status, 200, "node {node}: {reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_clock_of_postgres_jumps_nothing_moves_and_a_killed_nodes_auctions_go_on() {
    const VICTIM: usize = 1;
    let mut house = House::with_database_told(CLOCK_OF_POSTGRES).await;
    let auctions = house.sell(9).await;
    let users = house.users(6).await;
    let viewers = Viewers::begin(&house, &auctions[0]);
    let (began, crowd) = (now_micros(), Crowd::begin(&house, &users, &auctions, Manners::Pushing));
    let taken = house.takeovers().await;
    house.execute("UPDATE moved.clock SET ahead = '1 second'").unwrap();
    let jumped_at = crowd.began.elapsed();
    all_say(&house, "draining").await;
    // Twice as long as one that is off beside others that are well would keep anything.
    tokio::time::sleep(2 * Duration::from(limits::CLOCK_OFF_CERTAIN)).await;
    assert_eq!(taken, house.takeovers().await, "something was taken over because of Postgres' clock");
    for node in 0..NODES {
        let offset = house.figure(node, "gavel_clock_offset_seconds").await;
        assert!((-1.2..-0.8).contains(&offset), "node {node} is off by {offset} s");
        assert_ready(&house, node).await;
    }
    let its_own = house.owned_by(VICTIM, &auctions);
    assert!(!its_own.is_empty(), "the killed node had no auction");
    tokio::task::block_in_place(|| house.nodes[VICTIM].kill()).unwrap();
    let killed_at = crowd.began.elapsed();
    house.taken_from(&[VICTIM]).await;
    let taken_after = crowd.began.elapsed().saturating_sub(killed_at);
    for node in (0..NODES).filter(|node| *node != VICTIM) {
        let ready = || async { (house.anyone(node).get("/readyz").await.status == 200).then_some(()) };
        eventually("a node to be ready", ready).await;
    }
    house.restart_killed(VICTIM);
    assert_ready(&house, VICTIM).await;
    house.execute("UPDATE moved.clock SET ahead = '0'").unwrap();
    all_say(&house, "up").await;
    house.balanced().await;
    let work = crowd.finish().await;
    let ended = now_micros();
    work.assert_kept(&house).await;
    for auction in &auctions {
        for bid in house.history(auction).await {
            let at = micros(bid["at"].as_str().unwrap());
            assert!(began - NEAR_US < at && at < ended + NEAR_US, "{bid} between {began} and {ended}");
        }
    }
    viewers.finish(&house.history(&auctions[0]).await, std::time::Instant::now()).await;
    house.verify().await;
    let first = |auction: &String| work.first_after_ms(auction, killed_at, killed_at + Duration::from_secs(10));
    let pauses: Vec<u64> = its_own.iter().map(first).collect();
    let before = work.pauses_ms((jumped_at, killed_at));
    eprintln!(
        "Postgres' clock: {} acknowledged, {} put off, longest pause of each auction after the jump ms {before:?}; with all \
         off, a killed node's shards were taken after {taken_after:?} and its auctions went on after ms {pauses:?}",
        work.accepted.len(),
        work.put_off
    );
    assert_eq!(before.len(), auctions.len(), "an auction stood still");
    assert!(pauses.iter().all(|pause| *pause < 8_000), "{pauses:?}");
}
