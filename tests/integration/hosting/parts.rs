//! The parts of a cluster: a private Postgres, a private Redis, and a node on Postgres, with the commands for its store.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gavel::cli::cluster::{Node, NodePlan, PrivatePostgres, PrivateRedis, Signal};
use serde_json::Value;
use tokio::task::block_in_place;

use super::plan;
use crate::harness::{Client, assert_rising, beside_others, gavel, soon, verified};

const SECRET: &str = "hunter2-hunter2-hunter2";

/// A node that has Postgres to itself.
fn alone(postgres: &str, folder: &Path) -> NodePlan {
    plan("node", folder).with("STORE__URL", postgres).with("CLUSTER__SECRET", SECRET)
}

/// Runs a command of the program on this store: its exit code and all that it said.
async fn run(command: &str, store: &str) -> (i32, String) {
    let mut command = gavel(&[command]);
    command.env("GAVEL__STORE__URL", store).env("GAVEL__CLUSTER__SECRET", SECRET);
    let output = soon("a command's end", command.output()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// Bids as fast as answers come, each higher; counts what was accepted.
async fn bid_until(done: Arc<AtomicBool>, bidder: Client, auction: String) -> usize {
    let mut accepted = 0;
    while !done.load(Ordering::Relaxed) {
        let min_next = bidder.auction(&auction).await["min_next"].as_i64().unwrap();
        accepted += usize::from(bidder.bid(&auction, min_next).await.status == 201);
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_serves_on_postgres_and_an_audit_beside_it_finds_no_fault() {
    let _turn = beside_others().await;
    let folder = tempfile::tempdir().unwrap();
    let postgres = block_in_place(|| PrivatePostgres::start(None, &[])).unwrap();
    let store = postgres.database("gavel").unwrap();
    assert_eq!(run("verify", &store).await.0, 1, "there is no schema yet");
    let (code, said) = run("migrate", &store).await;
    assert_eq!((code, said.contains("schema version")), (0, true), "{said}");
    let mut node = block_in_place(|| Node::start(&alone(&store, folder.path()))).unwrap();
    let seller = Client::sign_up(node.url(), "Seller").await;
    let auctions = [seller.sell(3_600).await, seller.sell(3_600).await, seller.sell(4).await];
    let done = Arc::new(AtomicBool::new(false));
    let mut bidding = Vec::new();
    for (number, auction) in auctions.iter().cycle().take(6).enumerate() {
        let bidder = Client::sign_up(node.url(), &format!("bidder{number}")).await;
        bidding.push(tokio::spawn(bid_until(Arc::clone(&done), bidder, auction.clone())));
    }
    let mut seen = 0;
    // Long enough for the last auction to end meanwhile.
    while seller.auction(&auctions[2]).await["state"] != "closed" || seen == 0 {
        let (code, said) = run("verify", &store).await;
        let (audited, events, faults) = verified(said.lines().last().unwrap()).unwrap();
        assert_eq!((code, audited, faults), (0, 3, 0), "{said}");
        assert!(events >= seen, "events only come");
        seen = events;
    }
    done.store(true, Ordering::Relaxed);
    let mut accepted = 0;
    for bidder in bidding {
        accepted += bidder.await.unwrap();
    }
    block_in_place(|| node.kill()).unwrap();
    block_in_place(|| node.restart()).unwrap();
    let seller = seller.at(node.url());
    let mut kept = 0;
    for auction in &auctions {
        let history = seller.bids(auction).await;
        assert_rising(&history);
        kept += history.iter().filter(|bid: &&Value| bid["bid_id"].is_string()).count();
    }
    assert_eq!(kept, accepted, "nothing acknowledged is lost, and nothing is there twice");
    assert_eq!(block_in_place(|| node.terminate()).unwrap(), 0);
    assert!(!std::fs::read_to_string(node.log()).unwrap().contains("panicked"));
    let (code, said) = run("verify", &store).await;
    assert_eq!((code, said.contains(" 0 faults")), (0, true), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_had_is_told_without_its_password() {
    let postgres = block_in_place(|| PrivatePostgres::start(None, &[])).unwrap();
    let nowhere = format!("postgres://gavel:hunter2@127.0.0.1:{}/nothing", postgres.port());
    for command in ["serve", "migrate", "verify"] {
        let (code, said) = run(command, &nowhere).await;
        assert_eq!(code, 1, "{command}: {said}");
        assert!(said.contains("nothing") && !said.contains("hunter2"), "{command}: {said}");
    }
}

#[test]
fn postgres_is_killed_restarted_and_keeps_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    // As another user, it has to get into the folder.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let data = folder.path().join("postgres");
    let mut server = PrivatePostgres::start(Some(&data), &["max_connections=20"]).unwrap();
    let url = server.database("kept").unwrap();
    let ask = |url: &str, sql: &str| {
        let mut client = postgres::Client::connect(url, postgres::NoTls)?;
        client.query_one(sql, &[]).map(|row| row.get::<_, String>(0))
    };
    let durable = "SELECT current_setting('fsync') || current_setting('synchronous_commit') \
                   || current_setting('full_page_writes') || current_setting('max_connections')";
    assert_eq!(ask(&url, durable).unwrap(), "ononon20");
    postgres::Client::connect(&url, postgres::NoTls).unwrap().batch_execute("CREATE TABLE kept ()").unwrap();
    server.kill().unwrap();
    assert!(server.has_ended() && server.pid().is_none());
    assert!(ask(&url, "SELECT ''").is_err());
    server.restart().unwrap();
    assert_eq!(ask(&url, "SELECT 'kept'::regclass::text").unwrap(), "kept");
    assert_eq!(server.database("kept").unwrap(), url, "made once");
    let run = server.log().parent().unwrap().to_owned();
    assert!(run.exists());
    server.stop().unwrap();
    assert!(!run.exists());
    let again = PrivatePostgres::start(Some(&data), &[]).unwrap();
    assert_eq!(ask(&again.url("kept"), "SELECT 'kept'::regclass::text").unwrap(), "kept");
}

#[test]
fn a_part_that_does_not_start_says_why() {
    let error = PrivatePostgres::start(None, &["no_such_setting=1"]).unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
    let error = PrivateRedis::start(&["--no-such-setting", "1"]).unwrap_err().to_string();
    assert!(error.contains("Redis did not start"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = Node::start(&plan("node", folder.path()).with("ENGINE__ACK", "maybe")).unwrap_err().to_string();
    assert!(error.contains("engine.ack"), "{error}");
}

/// Whether whoever listens at `port` answers a PING.
fn answers(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(b"PING\r\n")?;
    stream.read_exact(&mut [0; 7])
}

#[test]
fn redis_is_frozen_killed_and_restarted_on_its_port() {
    let mut server = PrivateRedis::start(&[]).unwrap();
    let (url, port) = (server.url(), server.port());
    assert!(answers(port).is_ok());
    server.signal(Signal::Stop).unwrap();
    assert!(answers(port).is_err() && !server.has_ended());
    server.signal(Signal::Cont).unwrap();
    server.kill().unwrap();
    assert!(server.has_ended() && TcpStream::connect(("127.0.0.1", port)).is_err());
    server.restart().unwrap();
    assert!(server.url() == url && answers(port).is_ok());
    let run = server.log().parent().unwrap().to_owned();
    server.stop().unwrap();
    assert!(!run.exists() && TcpStream::connect(("127.0.0.1", port)).is_err());
}
