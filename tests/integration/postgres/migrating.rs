//! Many processes that would bring one schema up to date, and one of them that has its turn and does nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use gavel::domain::Span;
use gavel::limits;
use gavel::store::postgres::{self, OpenError};

use super::server;
use super::world;
use crate::harness::{eventually, gavel, soon};

const TAKE_THE_TURN: &str = "SELECT pg_advisory_lock(113668295846945)";
const PASS_THE_TURN: &str = "SELECT pg_advisory_unlock_all()";

async fn signal(signal: &str, pid: u32) {
    let mut kill = tokio::process::Command::new("kill");
    assert!(soon("a signal", kill.args([signal, &pid.to_string()]).status()).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_freezes_when_it_has_its_turn_to_migrate_loses_it_and_can_do_nothing_afterwards() {
    let url = server::database().await;
    let client = server::connect(&url).await;
    client.batch_execute(TAKE_THE_TURN).await.unwrap();
    let mut migrate = gavel(&["migrate"]);
    migrate.env("GAVEL__STORE__URL", &url).env("GAVEL__CLUSTER__SECRET", "a secret of the tests alone");
    let frozen = migrate.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = frozen.id().unwrap();
    eventually("it to wait for its turn", || async {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        client.query_opt(waits, &[]).await.unwrap()
    })
    .await;
    signal("-STOP", pid).await;
    // Now it has its turn, and does not know.
    client.batch_execute(PASS_THE_TURN).await.unwrap();
    let began = Instant::now();
    assert_eq!(postgres::migrate(&world::settings(&url, "a", 1)).await.unwrap(), 1);
    let took = began.elapsed();
    eprintln!("a process that froze with its turn to migrate held another up for {took:?}");
    assert!(took < Duration::from(limits::POSTGRES_READ) + Duration::from_secs(3), "{took:?}");
    signal("-CONT", pid).await;
    let woken = soon("its end", frozen.wait_with_output()).await.unwrap();
    assert!(!woken.status.success(), "it went on without its turn: {woken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_nobody_passes_on_ends_a_start_in_time_and_stops_none_that_has_nothing_to_migrate() {
    let (old, new) = (server::database().await, server::database().await);
    world::open(&old, "a").await;
    let clients = [server::connect(&old).await, server::connect(&new).await];
    for client in &clients {
        client.batch_execute(TAKE_THE_TURN).await.unwrap();
    }
    let began = Instant::now();
    world::open(&old, "b").await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let began = Instant::now();
    let refused = postgres::migrate(&world::settings(&new, "a", 1)).await;
    assert!(matches!(refused, Err(OpenError::BeingMigrated)), "{refused:?}");
    let at_most = Span(limits::POSTGRES_MIGRATION_LOCK.0 + 3_000_000);
    assert!(began.elapsed() < Duration::from(at_most), "{:?}", began.elapsed());
}
