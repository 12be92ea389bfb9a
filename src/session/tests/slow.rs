//! Slow readers: conflated, then cut, and never at the cost of others.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use super::support::{Client, House, Node, until};
use crate::domain::Span;
use crate::limits::SESSION_QUEUE_FRAMES;

/// A client whose kernel takes little for it.
async fn lazy(node: &Node) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream: TcpStream = socket.connect(node.address).await.unwrap();
    let mut client = node.client_over(stream, None).await;
    client.next().await;
    client.subscribe(1, None).await;
    client.read_until(1, 0).await;
    client
}

/// Enough bids that the lazy one's queue is full, as its sockets hold a few hundred KiB.
const BIDS: i64 = 4_000;

async fn pour(node: &Node, others: &mut [Client]) {
    for _ in 0..BIDS {
        node.bid(1);
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    for client in others {
        let frames = client.read_until(1, BIDS).await;
        assert!(frames.iter().all(|frame| frame["type"] == "bid"), "no other reader is conflated");
    }
}

#[actix_web::test]
async fn a_slow_reader_gets_a_snapshot_in_place_of_what_it_missed_and_goes_on_live() {
    let node = Node::start(House::with_auctions(1));
    let mut lazy = lazy(&node).await;
    let reading = async {
        let mut client = node.follow(1).await;
        client.read_until(1, BIDS).await
    };
    let pouring = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pour(&node, &mut []).await;
    };
    let (frames, ()) = tokio::join!(reading, pouring);
    assert!(frames.iter().all(|frame| frame["type"] == "bid"), "no other reader is conflated");

    let frames = lazy.read_until(1, BIDS).await;
    let conflated = frames.iter().filter(|frame| frame["type"] == "snapshot").count();
    assert!(conflated >= 1, "it was announced");
    assert!(frames.len() < usize::try_from(BIDS).unwrap(), "it did not get everything");
    assert!(frames.len() > SESSION_QUEUE_FRAMES);
    node.bid(1);
    assert_eq!(lazy.next().await["seq"], BIDS + 1);
}

#[actix_web::test]
async fn a_stuck_reader_is_cut_with_a_code_of_its_own() {
    let node = Node::start(House::with_auctions(1));
    let mut stuck = lazy(&node).await;
    pour(&node, &mut []).await;
    until(|| node.hubs.waiting() == 0).await;
    node.tick_after(Span::from_secs(16));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(node.hubs.sessions(), 1, "it cannot end while its client does not read");
    assert_eq!(stuck.close_code().await, 4000);
    node.until_sessions(0).await;
}

/// The kernel's part, with a shorter patience than the product's.
#[cfg(target_os = "linux")]
#[actix_web::test]
async fn a_reader_that_never_reads_again_is_freed_by_the_kernel() {
    fn impatient(stream: &TcpStream) {
        crate::session::tune_connection(stream);
        SockRef::from(stream).set_tcp_user_timeout(Some(Duration::from_secs(1))).unwrap();
    }
    let node = Node::start_tuned(House::with_auctions(1), impatient);
    let stuck = lazy(&node).await;
    pour(&node, &mut []).await;
    node.until_sessions(0).await;
    drop(stuck);
}
