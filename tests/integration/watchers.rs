//! Two thousand watchers of one auction, two of whom never read.

mod crowd;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use self::crowd::Board;
use crate::harness::{Others, Server, Ws, soon, uuid};

const WATCHERS_OF_EACH_KIND: usize = 1_000;
/// Of them, those that tell how old a bid is when they see it.
const TIMED_OF_EACH_KIND: usize = 100;
/// How often they look.
const TIMED_LOOK_EVERY: Duration = Duration::from_millis(3);
/// How often the others do.
const OTHERS_LOOK_EVERY: Duration = Duration::from_millis(200);
const BIDS_PER_SECOND: u64 = 50;
/// At least 20 s; then on until the stuck readers show in the metrics, at most 60 s.
const BIDS_MIN: usize = 1_000;
const BIDS_MAX: usize = 3_000;
const SEEN_WITHIN: Duration = Duration::from_millis(100);
/// What the stuck sessions' bounded queues and the store's caches may add.
const GROWTH_KIB_MAX: u64 = 48 * 1_024;

/// Others took so much of the machine that ages measured meanwhile are theirs as much as Gavel's.
const OTHERS_SHARE_MAX: f64 = 0.1;
/// A thread of the test itself could not run, or not write to the disk, for so long.
const STANDSTILL_MAX: Duration = Duration::from_millis(50);
/// A measurement that others spoilt is made again, so often in all.
const MEASUREMENTS_MAX: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_watchers_see_every_bid_at_once_though_two_are_stuck() {
    assert_room_for_connections();
    let server = Server::start_alone().await;
    for measurement in 1..=MEASUREMENTS_MAX {
        let others = Others::beside(server.pid(), server.home());
        let p99 = watched_auction(&server).await;
        let (share, standstill) = (others.share(), others.standstill());
        eprintln!("watchers: others took {:.0} % of the machine, it stood still for {standstill:?}", share * 100.0);
        if p99 < SEEN_WITHIN {
            break;
        }
        let disturbed = share > OTHERS_SHARE_MAX || standstill > STANDSTILL_MAX;
        assert!(disturbed && measurement < MEASUREMENTS_MAX, "p99 is {p99:?}");
    }
    server.finish().await;
}

/// An auction with all its watchers, who see every bid; the 99th percentile of the bids' ages when they saw them.
async fn watched_auction(server: &Server) -> Duration {
    let seller = server.user("Seller").await;
    let rules = json!({"leader_may_raise": true});
    let auction =
        seller.create(&json!({"title": "Watched", "start_price": 1, "duration_s": 3600, "rules": rules})).await;
    let auction = auction["id"].as_str().unwrap().to_owned();
    let board = Arc::new(Board::new(BIDS_MAX));
    let stuck = (stuck_sse(server, &auction).await, stuck_ws(server, &auction).await);
    let watchers = 2 * (WATCHERS_OF_EACH_KIND - 1);
    let place = (server.address(), auction.as_str());
    let timed = crowd::gather(place, (TIMED_OF_EACH_KIND, TIMED_LOOK_EVERY), &board);
    let others = WATCHERS_OF_EACH_KIND - 1 - TIMED_OF_EACH_KIND;
    let others = crowd::gather(place, (others, OTHERS_LOOK_EVERY), &board);
    crate::harness::eventually("all watchers to be subscribed", || async {
        (board.watching() == watchers).then_some(())
    })
    .await;

    let (bids, before_kib, after_kib) = bid_at_a_steady_rate(server, &auction, &board).await;
    board.end_after(bids);
    let (timed, others) =
        soon("the watchers to have seen the last bid", futures_util::future::join(timed, others)).await;
    let (timed, others) = (timed.expect("no watcher failed"), others.expect("no watcher failed"));
    assert_eq!(timed.len() + others.len(), watchers);
    assert!(timed.iter().chain(&others).all(|seen| seen.len() == bids), "every bid, each once");
    tell_late(bids, &timed);
    let mut ages = timed.concat();
    ages.sort_unstable();
    let at = |per_mille: usize| ages[(ages.len() - 1) * per_mille / 1_000];
    let (p50, p99, p999, max) = (at(500), at(990), at(999), at(1_000));
    eprintln!(
        "watchers: {bids} bids at {BIDS_PER_SECOND}/s, {watchers} watchers, {} sightings timed, µs after sending: p50 {p50} p99 {p99} p99.9 {p999} max {max}",
        ages.len()
    );
    eprintln!("watchers: server memory {before_kib} KiB, at the end {after_kib} KiB");
    assert!(after_kib < before_kib + GROWTH_KIB_MAX, "memory grew from {before_kib} to {after_kib} KiB");
    drop(stuck);
    Duration::from_micros(p99)
}

/// Tells which bids someone saw too late, so that a stall can be told from a load that is too much.
fn tell_late(bids: usize, timed: &[crowd::Seen]) {
    let worst = |bid: usize| timed.iter().map(|seen| seen[bid]).max().map(Duration::from_micros).unwrap_or_default();
    let late: Vec<usize> = (0..bids).filter(|bid| worst(*bid) > SEEN_WITHIN).collect();
    for run in late.chunk_by(|one, next| one + 1 == *next) {
        let longest = run.iter().map(|bid| worst(*bid)).max().unwrap_or_default();
        eprintln!("watchers: late were bids {} to {}, at most {longest:?}", run[0] + 1, run[run.len() - 1] + 1);
    }
}

/// This process and the server each hold one end of two thousand connections.
fn assert_room_for_connections() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: usize = line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    let needed = 2 * WATCHERS_OF_EACH_KIND + 500;
    assert!(soft >= needed, "at most {soft} open files, {needed} are needed: `ulimit -n {needed}` before the tests");
}

/// Bids until both stuck readers were dealt with; the number of bids, and memory before and after.
async fn bid_at_a_steady_rate(server: &Server, auction: &str, board: &Board) -> (usize, u64, u64) {
    let ann = server.user("Ann").await;
    let (mut sink, mut stream) = Ws::signed_in(server, &ann).await.into_inner().split();
    let answers = tokio::spawn(async move {
        let mut accepted = 0;
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message
                && text.contains("\"receipt\"")
            {
                assert!(text.contains("\"accepted\""), "{text}");
                accepted += 1;
            }
        }
        accepted
    });
    let message = "입".repeat(100);
    let handled_before = handled_by_policy(server).await;
    let mut every = tokio::time::interval(Duration::from_micros(1_000_000 / BIDS_PER_SECOND));
    let (mut before_kib, mut bids) = (0, 0);
    while bids < BIDS_MAX {
        every.tick().await;
        bids += 1;
        let frame =
            json!({"type": "bid", "auction_id": auction, "bid_id": uuid(), "amount": 1_000 + bids, "message": message});
        board.sent(bids);
        sink.send(Message::text(frame.to_string())).await.unwrap();
        if bids == 250 {
            before_kib = resident_kib(server.pid());
        }
        if bids >= BIDS_MIN && bids % 50 == 0 && handled_by_policy(server).await >= handled_before + 2.0 {
            break;
        }
    }
    let handled = handled_by_policy(server).await - handled_before;
    assert!(handled >= 2.0, "the stuck readers do not show in /metrics: {handled}");
    let after_kib = resident_kib(server.pid());
    crate::harness::eventually("the last bid to be committed", || async {
        (server.anonymous().auction(auction).await["seq"].as_u64() == Some(bids as u64)).then_some(())
    })
    .await;
    sink.close().await.unwrap();
    assert_eq!(soon("the end of the receipts", answers).await.unwrap(), bids, "every bid was accepted");
    (bids, before_kib, after_kib)
}

async fn handled_by_policy(server: &Server) -> f64 {
    let metrics = server.metrics().await;
    metrics.sum("gavel_sessions_slow_dropped_total", "") + metrics.sum("gavel_sessions_lagged_total", "")
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A connection with a small receive buffer.
async fn narrow(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    soon("a connection", socket.connect(server.address().parse().unwrap())).await.unwrap()
}

/// Subscribes over SSE and never reads again.
async fn stuck_sse(server: &Server, auction: &str) -> TcpStream {
    let mut socket = narrow(server).await;
    let request = format!("GET /api/v1/auctions/{auction}/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut byte = [0];
    soon("the first byte of the answer", socket.read_exact(&mut byte)).await.unwrap();
    socket
}

/// Subscribes over WebSocket and never reads again.
async fn stuck_ws(server: &Server, auction: &str) -> impl Sized + use<> {
    let socket = narrow(server).await;
    let address = format!("ws://{}/api/v1/ws", server.address());
    let (mut stream, _) = soon("a handshake", tokio_tungstenite::client_async(address, socket)).await.unwrap();
    let frame = json!({"type": "subscribe", "auction_id": auction});
    stream.send(Message::text(frame.to_string())).await.unwrap();
    stream
}
