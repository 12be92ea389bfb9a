//! SSE: the server clock and the events of auctions.

use std::sync::atomic::Ordering;

use super::support::{House, Node, START, token};
use crate::account::SignOutListener;
use crate::domain::Span;
use crate::session::Ending;

#[actix_web::test]
async fn the_server_clock_tells_the_time_and_nothing_else() {
    let node = Node::start(House::default());
    let mut clock = node.sse("/sse").await;
    for secs in 1..=3 {
        node.tick_after(Span::from_secs(1));
        assert_eq!(clock.next().await.unwrap(), format!("data: {}", START.as_millis() + secs * 1_000));
    }
    drop(clock);
    node.until_sessions(0).await;
}

#[actix_web::test]
async fn events_carry_names_and_ids() {
    let node = Node::start(House::with_auctions(1));
    node.house.bid(1);
    let mut stream = node.sse("/events/1/-1").await;
    assert!(stream.next().await.unwrap().starts_with("retry: "));
    let hello = stream.next().await.unwrap();
    assert!(hello.starts_with("event: hello\ndata: {\"type\":\"hello\",\"auction_id\":\"1\""), "{hello}");
    let snapshot = stream.next().await.unwrap();
    assert!(snapshot.starts_with("event: snapshot\nid: 1-1-1\ndata: {"), "{snapshot}");
    node.bid(1);
    let bid = stream.next().await.unwrap();
    assert!(bid.starts_with("event: bid\nid: 1-1-2\ndata: {\"type\":\"bid\""), "{bid}");
    node.tick_after(Span::from_secs(1));
    let tick = stream.next().await.unwrap();
    assert!(tick.starts_with("event: tick\ndata: {") && tick.contains(r#""heads":{"1":2}"#), "{tick}");
}

#[actix_web::test]
async fn a_stream_is_told_of_an_auction_that_is_not_there() {
    let node = Node::start(House::with_auctions(1));
    let mut stream = node.sse("/events/999/-1").await;
    stream.next().await.unwrap();
    let error = stream.next().await.unwrap();
    assert!(error.starts_with("event: error\ndata: {\"type\":\"error\",\"code\":\"not_found\""), "{error}");
    assert!(error.contains(r#""auction_id":"999""#), "{error}");
}

#[actix_web::test]
async fn no_tick_comes_before_the_first_hello() {
    let node = Node::start_single(House::with_auctions(2));
    let mut clock = node.sse("/sse").await;
    node.house.is_down.store(true, Ordering::SeqCst);
    let mut stream = node.sse("/events/1,2/-1").await;
    for _ in 0..3 {
        node.tick_after(Span::from_secs(1));
        // The hub has ticked: what the stream gets of it is in its queue.
        clock.next().await.unwrap();
    }
    node.house.is_down.store(false, Ordering::SeqCst);
    node.tick_after(Span::from_secs(1));
    assert!(stream.next().await.unwrap().starts_with("retry: "));
    let first = stream.next().await.unwrap();
    assert!(first.starts_with("event: hello\n"), "{first}");
}

#[actix_web::test]
async fn a_tick_between_two_hellos_tells_only_of_the_auction_that_was_greeted() {
    let node = Node::start_single(House::with_auctions(2));
    let mut known = node.sse("/events/1/0").await;
    while !known.next().await.unwrap().starts_with("event: hello") {}
    node.house.is_down.store(true, Ordering::SeqCst);
    let mut stream = node.sse("/events/1,2/0").await;
    stream.next().await.unwrap();
    let hello = stream.next().await.unwrap();
    assert!(hello.starts_with("event: hello") && hello.contains(r#""auction_id":"1""#), "{hello}");
    node.tick_after(Span::from_secs(1));
    let tick = stream.next().await.unwrap();
    assert!(tick.starts_with("event: tick") && tick.contains(r#""heads":{"1":0}"#), "{tick}");
    node.house.is_down.store(false, Ordering::SeqCst);
    node.tick_after(Span::from_secs(1));
    let hello = loop {
        let next = stream.next().await.unwrap();
        if !next.starts_with("event: tick") {
            break next;
        }
    };
    assert!(hello.starts_with("event: hello") && hello.contains(r#""auction_id":"2""#), "{hello}");
}

#[actix_web::test]
async fn a_stream_that_comes_back_gets_what_it_missed() {
    let node = Node::start(House::with_auctions(1));
    for _ in 0..3_000 {
        node.house.bid(1);
    }
    let mut stream = node.sse("/events/1/10").await;
    stream.next().await.unwrap();
    assert!(stream.next().await.unwrap().contains(r#""recovered":true"#));
    for seq in 11..=3_000 {
        let bid = stream.next().await.unwrap();
        assert!(bid.starts_with(&format!("event: bid\nid: 1-1-{seq}\n")), "{bid}");
    }
}

#[actix_web::test]
async fn sign_out_and_shutdown_end_the_stream() {
    let node = Node::start(House::with_auctions(1));
    let client = reqwest::Client::new();
    let url = format!("http://{}/events/1/0", node.address);
    let signed_in = client.get(&url).header("x-user", "5").send().await.unwrap();
    let anonymous = client.get(&url).send().await.unwrap();
    node.hubs.signed_out(token(5));
    let told = signed_in.text().await.unwrap();
    assert!(
        told.ends_with("event: end\ndata: {\"type\":\"end\",\"code\":4001,\"reason\":\"signed out\"}\n\n"),
        "{told}"
    );
    node.until_sessions(1).await;
    node.hubs.close_all(Ending::Shutdown);
    let told = anonymous.text().await.unwrap();
    assert!(told.ends_with("event: end\ndata: {\"type\":\"end\",\"code\":1001,\"reason\":\"shutdown\"}\n\n"), "{told}");
    node.until_sessions(0).await;
}
