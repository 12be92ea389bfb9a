//! The door for other nodes: who does not belong gets nothing, and nonsense harms nobody.

use std::time::Duration;

use gavel::auction::BidError;
use gavel::clock::Stopwatch;
use gavel::domain::{BidId, Bidder, Epoch, UserId};
use gavel::protocol::link::{ForwardedBid, Frame, VERSION};
use rand::{RngExt as _, SeedableRng as _};
use reqwest::{Body, Client, StatusCode};
use sha2::{Digest as _, Sha256};

use super::nodes::{Node, SECRET, Trio, accepted, bid};
use crate::postgres::server;
use crate::postgres::world::money;

fn client() -> Client {
    Client::builder().http2_prior_knowledge().no_proxy().build().unwrap()
}

/// What a node with the secret shows.
fn token() -> String {
    let derived = Sha256::digest(format!("gavel node link\0{SECRET}"));
    derived.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A stream to `node` on which these bytes are sent and nothing more; what came until the node ended it.
async fn send(node: &Node, bytes: Vec<u8>) -> Vec<u8> {
    let (more, rest) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    more.send(Ok(bytes)).await.unwrap();
    let body =
        futures_util::stream::unfold(rest, |mut rest| async move { rest.recv().await.map(|piece| (piece, rest)) });
    let request = client().post(format!("http://{}/node/link", node.address)).header("authorization", token());
    let response = request.body(Body::wrap_stream(body)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let answer = actix::clock::timeout(Duration::from_secs(5), response.bytes()).await.expect("the stream is ended");
    drop(more);
    answer.unwrap().to_vec()
}

#[actix::test]
async fn who_does_not_know_the_secret_gets_401_from_every_address_and_learns_nothing() {
    let url = server::database().await;
    let node = Node::start(&url, "a").await;
    let client = client();
    for (method, path) in [("POST", "link"), ("POST", "offer"), ("POST", "created"), ("GET", "ping")] {
        for shown in [None, Some(String::new()), Some(SECRET.to_owned()), Some(format!("{}0", token()))] {
            let method = method.parse().unwrap();
            let mut request = client.request(method, format!("http://{}/node/{path}", node.address));
            if let Some(shown) = shown {
                request = request.header("authorization", shown);
            }
            let response = request.body(r#"{"shards":[1],"auctions":[]}"#).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert!(!response.text().await.unwrap().contains("token"));
        }
    }
    assert!(node.told.offered.lock().unwrap().is_empty());
    let ping = client.get(format!("http://{}/node/ping", node.address)).header("authorization", token());
    assert_eq!(ping.send().await.unwrap().status(), StatusCode::NO_CONTENT);
}

#[actix::test]
async fn a_node_with_another_secret_gets_no_bid_through() {
    let url = server::database().await;
    let Trio { a, taken, people, .. } = Trio::start(&url).await;
    let stranger = Node::start_with(&url, "x", "a secret of another cluster").await;
    stranger.believe(&a, &a.address, &taken);
    let auction = people.auction(&a.store).await.id;
    assert_eq!(stranger.place(auction, bid(1, &people.ann, 200)).await, Err(BidError::Moving));
    assert!(stranger.directory.take_suspects().is_empty());
}

#[actix::test]
async fn bytes_that_are_not_the_protocol_end_their_stream_and_harm_nobody() {
    let Trio { a, b, people, .. } = Trio::start(&server::database().await).await;
    let auction = people.auction(&b.store).await.id;
    let bidder = Bidder { id: UserId(1), nick: "ann".into() };
    let mut hello = bytes::BytesMut::new();
    Frame::Hello { version: VERSION }.encode(&mut hello);
    let first_words = hello.clone().to_vec();
    let frame = |frame: Frame| {
        let mut bytes = bytes::BytesMut::new();
        frame.encode(&mut bytes);
        bytes.to_vec()
    };
    let forged = ForwardedBid {
        auction_id: auction,
        bid: gavel::domain::PlaceBid { bid_id: BidId(9), bidder, amount: money(900), message: None },
        epoch: Epoch(1),
        hops_left: 0,
    };
    let mut nonsense = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        u32::MAX.to_le_bytes().to_vec(),
        frame(Frame::Hello { version: VERSION + 1 }),
        // A bid before the first word, and words that only the other side says.
        frame(Frame::Bid { number: 1, bid: forged }),
        [first_words.clone(), frame(Frame::Pong)].concat(),
        [first_words.clone(), first_words.clone()].concat(),
    ];
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    for length in [5, 50, 5_000, 50_000] {
        let mut bytes = [first_words.clone(), vec![0; length]].concat();
        random.fill(&mut bytes[first_words.len()..]);
        nonsense.push(bytes);
    }
    for (id, bytes) in (1..).zip(nonsense) {
        assert_eq!(send(&a, bytes).await, first_words, "{id}: nothing but its own first word is said");
        let amount = 200 + i64::try_from(id).unwrap();
        assert!(!accepted(b.place(auction, bid(id, &people.ann, amount)).await).1);
    }
}

#[actix::test]
async fn a_stream_on_which_nothing_comes_is_ended() {
    let url = server::database().await;
    let node = Node::start(&url, "a").await;
    let mut hello = bytes::BytesMut::new();
    Frame::Hello { version: VERSION }.encode(&mut hello);
    let watch = Stopwatch::start();
    // Half a frame, and then silence.
    assert_eq!(send(&node, hello[..3].to_vec()).await, hello);
    let waited = watch.elapsed();
    assert!(waited > Duration::from_millis(2_900) && waited < Duration::from_secs(4), "{waited:?}");
}
