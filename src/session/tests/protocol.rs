//! The WebSocket protocol: bids, errors, close codes, and whatever else a client may send.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::rt::System;
use proptest::prelude::*;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

use super::support::{House, Node, handshake, token, until};
use crate::account::SignOutListener;
use crate::domain::Span;
use crate::limits::{BIDS_IN_FLIGHT_PER_SESSION, FRAME_BYTES_MAX, FRAMES_AT_ONCE_PER_SESSION, INVALID_FRAMES_MAX};
use crate::session::Ending;

fn bid(number: u128) -> serde_json::Value {
    let bid_id = uuid::Uuid::from_u128(number).to_string();
    json!({"type": "bid", "auction_id": "1", "bid_id": bid_id, "amount": 10})
}

#[actix_web::test]
async fn the_first_frame_says_who_is_signed_in() {
    let node = Node::start(House::default());
    let stream = TcpStream::connect(node.address).await.unwrap();
    let hello = node.client_over(stream, Some(7)).await.next().await;
    assert_eq!(hello["user"], json!({"id": "7", "nick": "user7"}));
    assert_eq!(hello["epoch"], json!(null));
    let stream = TcpStream::connect(node.address).await.unwrap();
    assert_eq!(node.client_over(stream, None).await.next().await["user"], json!(null));
}

#[actix_web::test]
async fn a_signed_in_bidder_gets_a_receipt_and_others_an_error() {
    let node = Node::start(House::with_auctions(1));
    let mut client = node.connect_as(Some(3)).await;
    client.say(&bid(1)).await;
    let receipt = client.next().await;
    assert_eq!((&receipt["status"], &receipt["nick"]), (&"accepted".into(), &"user3".into()));
    let mut stranger = node.connect().await;
    stranger.say(&bid(2)).await;
    let error = stranger.next().await;
    assert_eq!((&error["code"], &error["bid_id"]), (&"unauthenticated".into(), &bid(2)["bid_id"]));
    assert!(error["detail"].is_string() && error["retryable"] == false, "{error}");
}

#[actix_web::test]
async fn a_wrong_bid_is_rejected_by_name_and_the_connection_stays() {
    let node = Node::start(House::with_auctions(1));
    let mut client = node.connect_as(Some(3)).await;
    let mut wrong = bid(1);
    wrong["amount"] = json!(1.5);
    client.say(&wrong).await;
    let receipt = client.next().await;
    assert_eq!(receipt["type"], "receipt");
    assert_eq!((&receipt["status"], &receipt["code"]), (&"rejected".into(), &"invalid".into()));
    assert_eq!((&receipt["auction_id"], &receipt["errors"][0]["field"]), (&"1".into(), &"amount".into()));
    client.say(&json!({"type": "shout"})).await;
    assert_eq!(client.next().await["code"], "invalid");
    client.say(&json!({"type": "ping", "t": 12})).await;
    let pong = client.next().await;
    assert_eq!((&pong["type"], &pong["t"]), (&"pong".into(), &12.into()));
}

#[actix_web::test]
async fn more_bids_than_may_be_under_way_are_rejected_as_overloaded() {
    let node = Node::start(House::with_auctions(1));
    node.house.desk_is_shut.store(true, Ordering::SeqCst);
    let mut client = node.connect_as(Some(3)).await;
    for number in 0..=BIDS_IN_FLIGHT_PER_SESSION {
        client.say(&bid(number as u128)).await;
    }
    let receipt = client.next().await;
    assert_eq!((&receipt["code"], &receipt["retryable"]), (&"overloaded".into(), &true.into()));
    assert!(receipt["detail"].is_string() && receipt["retry_after"] == 1, "{receipt}");
    node.house.desk_is_shut.store(false, Ordering::SeqCst);
    for _ in 0..BIDS_IN_FLIGHT_PER_SESSION {
        assert_eq!(client.next().await["status"], "accepted");
    }
}

#[actix_web::test]
async fn frames_above_the_rate_are_refused_and_then_the_connection_ends() {
    let node = Node::start(House::with_auctions(1));
    let mut client = node.connect().await;
    for _ in 0..FRAMES_AT_ONCE_PER_SESSION {
        client.say(&json!({"type": "ping"})).await;
        assert_eq!(client.next().await["type"], "pong");
    }
    for _ in 0..INVALID_FRAMES_MAX {
        client.say(&json!({"type": "unsubscribe", "auction_id": "7"})).await;
        let error = client.next().await;
        assert_eq!((&error["code"], &error["auction_id"]), (&"rate_limited".into(), &"7".into()));
        assert_eq!((&error["retryable"], &error["retry_after"]), (&true.into(), &1.into()), "{error}");
    }
    client.say(&json!({"type": "ping"})).await;
    assert_eq!(client.close_code().await, 1008);
}

#[actix_web::test]
async fn each_fault_has_its_close_code() {
    let node = Node::start(House::default());
    let text = |opcode, is_final, payload: &[u8]| {
        let header = FrameHeader { is_final, opcode: OpCode::Data(opcode), ..FrameHeader::default() };
        Message::Frame(Frame::from_payload(header, payload.to_vec().into()))
    };
    let large = vec![b' '; FRAME_BYTES_MAX + 1];
    let half = vec![b' '; FRAME_BYTES_MAX / 2 + 1];
    let cases = [
        (vec![Message::binary(vec![1])], 1003),
        (vec![text(Data::Text, true, &large)], 1009),
        (vec![text(Data::Text, false, &half), text(Data::Continue, true, &half)], 1009),
        (vec![text(Data::Text, true, &[0xff, 0xfe])], 1007),
        (vec![text(Data::Text, false, &[0xff]), text(Data::Continue, true, &[0xfe])], 1007),
        (vec![text(Data::Continue, true, b"x")], 1002),
        (vec![text(Data::Text, false, b"x"), text(Data::Text, false, b"x")], 1002),
        (vec![text(Data::Reserved(3), true, b"x")], 1002),
        (vec![text(Data::Binary, false, b"x")], 1003),
        (vec![Message::text("?"); INVALID_FRAMES_MAX as usize + 1], 1008),
    ];
    for (number, (messages, code)) in cases.into_iter().enumerate() {
        let mut client = node.connect().await;
        for message in messages {
            client.say_raw(message).await;
        }
        assert_eq!(client.close_code().await, code, "case {number}");
    }
    node.until_sessions(0).await;
}

#[actix_web::test]
async fn a_message_in_several_frames_is_one_message() {
    let node = Node::start(House::default());
    let mut client = node.connect().await;
    for (opcode, part, is_final) in
        [(Data::Text, r#"{"type":"#, false), (Data::Continue, "", false), (Data::Continue, r#""ping","t":5}"#, true)]
    {
        let header = FrameHeader { is_final, opcode: OpCode::Data(opcode), ..FrameHeader::default() };
        client.say_raw(Message::Frame(Frame::from_payload(header, part.as_bytes().to_vec().into()))).await;
    }
    assert_eq!(client.next().await["t"], 5);
}

#[actix_web::test]
async fn sign_out_and_expiry_end_the_sessions_of_that_sign_in_alone() {
    let node = Node::start(House::with_auctions(1));
    let mut ann = node.connect_as(Some(1)).await;
    let mut bob = node.connect_as(Some(2)).await;
    let mut stranger = node.connect().await;
    node.hubs.signed_out(token(1));
    assert_eq!(ann.close_code().await, 4001);
    bob.say(&json!({"type": "ping"})).await;
    assert_eq!(bob.next().await["type"], "pong");
    for _ in 0..72 {
        node.tick_after(Span::from_secs(50));
        for client in [&mut bob, &mut stranger] {
            if node.clock.now() < super::support::START.plus(Span::from_secs(3_600)) {
                while client.next().await["type"] != "tick" {}
                client.say(&json!({"type": "ping"})).await;
                while client.next().await["type"] != "pong" {}
            }
        }
    }
    assert_eq!(bob.close_code().await, 4001);
    stranger.say(&json!({"type": "ping"})).await;
    while stranger.next().await["type"] != "pong" {}
}

#[actix_web::test]
async fn a_sign_out_that_was_lost_ends_the_sessions_at_the_next_look() {
    let node = Node::start(House::with_auctions(1));
    let mut ann = node.connect_as(Some(1)).await;
    let mut bob = node.connect_as(Some(2)).await;
    crate::session::sign_ins::look(&node.hubs, &|sign_in| std::future::ready(sign_in != token(1))).await;
    assert_eq!(ann.close_code().await, 4001);
    bob.say(&json!({"type": "ping"})).await;
    assert_eq!(bob.next().await["type"], "pong");
}

#[actix_web::test]
async fn a_silent_client_is_pinged_then_cut() {
    let node = Node::start(House::default());
    let mut client = node.connect().await;
    node.tick_after(Span::from_secs(20));
    until_ping(&mut client).await;
    drop(client);
    node.until_sessions(0).await;
    let mut mute = node.raw(handshake().as_bytes()).await;
    node.until_sessions(1).await;
    node.tick_after(Span::from_secs(61));
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), mute.read_to_end(&mut bytes)).await.unwrap().unwrap();
    assert!(bytes.windows(2).any(|code| code == 4002_u16.to_be_bytes()));
    node.until_sessions(0).await;
}

async fn until_ping(client: &mut super::support::Client) {
    while !matches!(client.next_message().await, Message::Ping(_)) {}
}

#[actix_web::test]
async fn a_shutdown_sends_the_receipts_under_way_then_closes_and_takes_nobody_new() {
    let node = Node::start(House::with_auctions(1));
    node.house.desk_is_shut.store(true, Ordering::SeqCst);
    let mut bidder = node.connect_as(Some(1)).await;
    let mut watcher = node.connect().await;
    bidder.say(&bid(1)).await;
    bidder.say(&json!({"type": "ping"})).await;
    assert_eq!(bidder.next().await["type"], "pong");
    node.hubs.close_all(Ending::Shutdown);
    assert_eq!(watcher.close_code().await, 1001);
    assert!(node.hubs.is_closed());
    node.house.desk_is_shut.store(false, Ordering::SeqCst);
    assert_eq!(bidder.next().await["status"], "accepted");
    assert_eq!(bidder.close_code().await, 1001);
    let refused = reqwest::get(format!("http://{}/sse", node.address)).await.unwrap();
    assert_eq!(refused.status(), 503);
    node.until_sessions(0).await;
}

#[actix_web::test]
async fn a_frame_without_end_is_stopped_at_its_header() {
    let node = Node::start(House::default());
    let mut raw = node.raw(handshake().as_bytes()).await;
    raw.write_all(&[0x81, 0xff, 0, 0, 0, 0xff, 0, 0, 0, 0, 1, 2, 3, 4, b'x']).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), raw.read_to_end(&mut bytes)).await.unwrap().unwrap();
    assert!(bytes.windows(2).any(|code| code == 1009_u16.to_be_bytes()));
    node.until_sessions(0).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Worker threads that panic would be replaced silently: the node must still hold and serve its witness.
    #[test]
    fn arbitrary_bytes_never_panic(sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 20)) {
        System::new().block_on(async move {
            let node = Node::start(House::with_auctions(1));
            let (mut first, mut second) = (node.connect().await, node.connect().await);
            for bytes in sent {
                let mut raw = node.raw(handshake().as_bytes()).await;
                raw.write_all(&bytes).await.unwrap();
                raw.shutdown().await.unwrap();
                let _ = raw.read_to_end(&mut Vec::new()).await;
            }
            for witness in [&mut first, &mut second] {
                witness.say(&json!({"type": "ping"})).await;
                assert_eq!(witness.next().await["type"], "pong");
            }
            until(|| node.hubs.sessions() == 2).await;
        });
    }
}
