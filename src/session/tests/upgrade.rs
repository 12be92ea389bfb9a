//! The way of a connection from HTTP to its session, byte by byte.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{House, Node, PATIENCE, handshake, read_to_end};
use crate::domain::Span;
use crate::limits::{FRAME_BYTES_MAX, RECEIVE_BYTES_AT_ONCE};
use crate::session::Ending;

/// A client's text frame with a mask of zeros.
fn text(words: &str) -> Vec<u8> {
    let length = u16::try_from(words.len()).unwrap();
    [&[0x81, 0xfe][..], &length.to_be_bytes(), &[0; 4], words.as_bytes()].concat()
}

fn pong(number: usize) -> String {
    format!(r#""t":{number},"#)
}

/// Reads until `wanted` has come; all of it.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(wanted) {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut bytes)).await.unwrap().unwrap();
        assert!(read > 0, "ended at: {}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[actix_web::test]
async fn frames_that_come_with_the_handshake_are_answered() {
    let node = Node::start(House::default());
    let last = text(r#"{"type":"ping","t":2}"#);
    let (whole, part) = (text(r#"{"type":"ping","t":1}"#), &last[..7]);
    let mut stream = node.raw(&[handshake().as_bytes(), &whole, part].concat()).await;
    let head = read_until(&mut stream, &pong(1)).await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(head.contains(r#""type":"hello""#), "{head}");
    stream.write_all(&last[7..]).await.unwrap();
    read_until(&mut stream, &pong(2)).await;
}

#[actix_web::test]
async fn answers_to_requests_before_the_handshake_come_before_it() {
    let node = Node::start(House::default());
    let before = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut stream = node.raw(&[before, before, &handshake()].concat().into_bytes()).await;
    let answers = read_until(&mut stream, r#""type":"hello""#).await;
    let codes: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(codes, ["404", "404", "101"]);
}

#[actix_web::test]
async fn a_frame_may_come_in_any_pieces_and_many_in_one() {
    let node = Node::start(House::default());
    let mut stream = node.raw(handshake().as_bytes()).await;
    let padded = format!(r#"{{"type":"ping","t":1}}{}"#, " ".repeat(FRAME_BYTES_MAX - 21));
    let frame = text(&padded);
    assert!(frame.len() > 2 * RECEIVE_BYTES_AT_ONCE - 16);
    for piece in [&frame[..1], &frame[1..3], &frame[3..8_191], &frame[8_191..16_383], &frame[16_383..]] {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    read_until(&mut stream, &pong(1)).await;
    let many: Vec<u8> = (2..=100).flat_map(|number| text(&format!(r#"{{"type":"ping","t":{number}}}"#))).collect();
    stream.write_all(&many).await.unwrap();
    let answers = read_until(&mut stream, &pong(100)).await;
    assert!((2..=100).all(|number| answers.contains(&pong(number))), "{answers}");
}

#[actix_web::test]
async fn a_request_for_an_upgrade_that_is_not_granted_is_answered_as_any_other_and_the_connection_ends() {
    let node = Node::start(House::default());
    for (request, code) in [
        (handshake().replace("GET /ws", "GET /nowhere"), "404"),
        (handshake().replace("Sec-WebSocket-Version: 13\r\n", ""), "503"),
        (handshake().replace("Upgrade: websocket", "Upgrade: websocket, h2c"), "503"),
        ("CONNECT /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404"),
    ] {
        let mut stream = node.raw(&[request.as_bytes(), b"what is no HTTP"].concat()).await;
        let answer = String::from_utf8(read_to_end(&mut stream).await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{request}: {answer}");
    }
    assert_eq!(node.hubs.sessions(), 0);
}

#[actix_web::test]
async fn a_stream_that_was_asked_for_with_an_upgrade_is_as_long_as_its_connection() {
    let node = Node::start(House::default());
    let mut stream = node.raw(handshake().replace("GET /ws", "GET /sse").as_bytes()).await;
    node.until_sessions(1).await;
    node.tick_after(Span::from_secs(1));
    let answer = read_until(&mut stream, "data: ").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("connection: close") && !head.contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("data: ") || body.starts_with("event: "), "{body}");
    node.hubs.close_all(Ending::Shutdown);
    read_to_end(&mut stream).await;
}

/// Bytes that nobody reads would make the kernel reset the connection, and the close frame be lost.
#[actix_web::test]
async fn the_close_code_reaches_a_client_that_sends_on() {
    let node = Node::start(House::default());
    let mut stream = node.raw(handshake().as_bytes()).await;
    read_until(&mut stream, r#""type":"hello""#).await;
    let mut bytes = vec![0x82, 0xfe, 0xff, 0xff];
    bytes.resize(64 * 1_024, 0);
    stream.write_all(&bytes).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.windows(2).any(|code| code == 1009_u16.to_be_bytes()));
    for _ in 0..3 {
        stream.write_all(&[0]).await.expect("it is still read");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[actix_web::test]
async fn nothing_comes_after_the_close_frame() {
    let node = Node::start_single(House::with_auctions(1));
    let _other = node.follow(1).await;
    let mut stream = node.raw(handshake().as_bytes()).await;
    read_until(&mut stream, r#""type":"hello""#).await;
    // What the hub has at once for who subscribes, and a last word before it.
    let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
    let ping = text(r#"{"type":"ping","t":1}"#);
    let subscribe = text(r#"{"type":"subscribe","auction_id":"1"}"#);
    stream.write_all(&[&ping[..], &subscribe, &close, &ping].concat()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.ends_with(&[0x88, 2, 0x03, 0xe8]), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(String::from_utf8_lossy(&answer).matches("pong").count(), 1);
}

#[actix_web::test]
async fn a_client_that_leaves_a_stream_that_says_nothing_is_noticed() {
    let node = Node::start(House::default());
    let stream = node.raw(handshake().replace("GET /ws", "GET /sse").as_bytes()).await;
    node.until_sessions(1).await;
    drop(stream);
    node.until_sessions(0).await;
}
