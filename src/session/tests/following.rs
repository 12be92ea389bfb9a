//! Following an auction: replay, snapshots, and nothing twice or never while all is in motion.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::bus::Subscriber;
use crate::domain::{AuctionId, Seq, Span};
use crate::limits::{RECENT_EVENTS_PER_AUCTION, REPLAY_EVENTS_MAX, SUBSCRIPTIONS_PER_SESSION_MAX};

use super::support::{House, Node, until};

fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().ok().unwrap()
}

#[actix_web::test]
async fn a_newcomer_gets_a_snapshot_then_every_event() {
    let node = Node::start(House::with_auctions(1));
    for _ in 0..5 {
        node.house.bid(1);
    }
    let mut client = node.connect().await;
    client.subscribe(1, None).await;
    let hello = client.next().await;
    assert_eq!((&hello["recovered"], &hello["head"], &hello["epoch"]), (&false.into(), &5.into(), &1.into()));
    let snapshot = client.next().await;
    assert_eq!((&snapshot["auction"]["id"], &snapshot["seq"]), (&"1".into(), &5.into()));
    node.bid(1);
    let bid = client.next().await;
    assert_eq!((&bid["type"], &bid["seq"], &bid["bidder"]["nick"]), (&"bid".into(), &6.into(), &"ann".into()));
}

#[actix_web::test]
async fn what_was_missed_is_replayed_in_full() {
    let node = Node::start(House::with_auctions(1));
    let missed = count(REPLAY_EVENTS_MAX);
    for _ in 0..missed + 2 {
        node.house.bid(1);
    }
    let beyond_memory = count(RECENT_EVENTS_PER_AUCTION) * 2;
    for after in [2, missed + 2 - beyond_memory, missed, missed + 2] {
        let mut client = node.connect().await;
        client.subscribe(1, Some(after)).await;
        let hello = client.next().await;
        assert_eq!((&hello["recovered"], &hello["head"]), (&true.into(), &(missed + 2).into()), "after {after}");
        let frames = client.read_until(1, missed + 2).await;
        assert_eq!(count(frames.len()), missed + 2 - after);
    }
}

#[actix_web::test]
async fn too_much_missed_or_a_seq_that_never_was_means_a_snapshot() {
    let node = Node::start(House::with_auctions(1));
    let head = count(REPLAY_EVENTS_MAX) + 1;
    for _ in 0..head {
        node.house.bid(1);
    }
    for after in [0, head + 1, i64::MAX] {
        let mut client = node.connect().await;
        client.subscribe(1, Some(after)).await;
        assert_eq!(client.next().await["recovered"], false, "after {after}");
        assert_eq!(client.next().await["seq"], head);
    }
}

#[actix_web::test]
async fn nothing_comes_twice_or_never_to_those_who_subscribe_while_bids_pour_in() {
    const BIDS: i64 = 4_000;
    let node = Node::start(House::slow(2, Duration::from_millis(3)));
    let (hubs, house) = (Arc::clone(&node.hubs), Arc::clone(&node.house));
    let publisher = std::thread::spawn(move || {
        for number in 0..BIDS {
            let batch = [house.bid(1), house.bid(2)];
            hubs.deliver(&Arc::from(batch));
            if number % 4 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let clients = (0..24).map(|number: i64| {
        let node = &node;
        async move {
            tokio::time::sleep(Duration::from_millis(number.unsigned_abs() * 25)).await;
            let mut client = node.connect().await;
            let after = (number % 3 != 0).then_some(number * 2);
            client.subscribe(1, after).await;
            client.subscribe(2, None).await;
            client.read_until(1, BIDS).await;
            client.read_until(2, BIDS).await;
        }
    });
    futures_util::future::join_all(clients).await;
    publisher.join().unwrap();
}

#[actix_web::test]
async fn a_gap_on_the_bus_is_filled_from_the_history_and_repeats_are_dropped() {
    let node = Node::start(House::with_auctions(1));
    let mut client = node.follow(1).await;
    let first = node.house.bid(1);
    node.house.bid(1);
    let third = node.house.bid(1);
    node.hubs.deliver(&Arc::from([third.clone(), first, third]));
    assert_eq!(client.read_until(1, 3).await.len(), 3);
}

#[actix_web::test]
async fn a_burst_that_no_hub_can_hold_is_read_again() {
    let node = Node::start(House::with_auctions(1));
    let mut client = node.follow(1).await;
    let events: Vec<_> = (0..=crate::limits::HUB_QUEUE_MAX).map(|_| node.house.bid(1)).collect();
    let small: Arc<[_]> = Arc::from(&events[..1]);
    node.hubs.deliver(&small);
    node.hubs.deliver(&Arc::from(events));
    client.read_until(1, count(crate::limits::HUB_QUEUE_MAX) + 1).await;
}

#[actix_web::test]
async fn a_history_that_is_down_is_asked_again_at_the_next_tick() {
    let node = Node::start(House::with_auctions(1));
    node.house.is_down.store(true, Ordering::SeqCst);
    let mut client = node.connect().await;
    client.subscribe(1, None).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    node.house.is_down.store(false, Ordering::SeqCst);
    node.tick_after(Span::from_secs(1));
    client.read_until(1, 0).await;
}

#[actix_web::test]
async fn an_event_that_the_bus_lost_without_another_after_it_is_found_by_the_heads() {
    let node = Node::start(House::with_auctions(2));
    let mut client = node.follow(1).await;
    crate::session::heads::watch(&node.hubs);
    node.house.bid(1);
    node.house.bid(1);
    client.read_until(1, 2).await;
}

#[actix_web::test]
async fn auctions_that_nobody_follows_are_not_looked_after() {
    let node = Node::start(House::with_auctions(3));
    let mut client = node.connect().await;
    for auction in [1, 3] {
        client.subscribe(auction, None).await;
        client.read_until(auction, 0).await;
    }
    crate::session::heads::watch(&node.hubs);
    until(|| node.house.heads_read.load(Ordering::SeqCst) == 2).await;
    let mut asked = node.house.heads_asked.lock().unwrap().clone();
    asked.sort_unstable();
    assert_eq!(asked, [AuctionId(1), AuctionId(3)]);
}

#[actix_web::test]
async fn events_that_are_merely_on_their_way_are_not_read() {
    let node = Node::start(House::with_auctions(1));
    let mut client = node.follow(1).await;
    let read_before = node.house.events_read.load(Ordering::SeqCst);
    crate::session::heads::watch(&node.hubs);
    let mut bids = 0;
    while node.house.heads_read.load(Ordering::SeqCst) < 3 {
        let bid = node.house.bid(1);
        // The way of an event, an age for one within a process.
        tokio::time::sleep(Duration::from_millis(20)).await;
        node.hubs.deliver(&Arc::from([bid]));
        bids += 1;
    }
    client.read_until(1, bids).await;
    assert_eq!(node.house.events_read.load(Ordering::SeqCst), read_before);
}

#[actix_web::test]
async fn a_crowd_shares_one_snapshot() {
    let node = Node::start(House::slow(1, Duration::from_millis(200)));
    let clients = (0..50).map(|_| async { node.follow(1).await });
    let _clients = futures_util::future::join_all(clients).await;
    assert!(node.house.snapshots_read.load(Ordering::SeqCst) <= 2, "one for each worker");
}

#[actix_web::test]
async fn unknown_auctions_and_too_many_of_them_are_told() {
    let node = Node::start(House::with_auctions(count(SUBSCRIPTIONS_PER_SESSION_MAX) + 1));
    let mut client = node.connect().await;
    client.subscribe(999, None).await;
    let error = client.next().await;
    assert_eq!((&error["code"], &error["auction_id"]), (&"not_found".into(), &"999".into()));
    for auction in 1..=count(SUBSCRIPTIONS_PER_SESSION_MAX) {
        client.subscribe(auction, None).await;
        client.read_until(auction, 0).await;
    }
    client.subscribe(count(SUBSCRIPTIONS_PER_SESSION_MAX) + 1, None).await;
    assert_eq!(client.next().await["code"], "too_many_subscriptions");
}

#[actix_web::test]
async fn an_unsubscribed_auction_is_silent() {
    let node = Node::start(House::with_auctions(2));
    let mut client = node.connect().await;
    client.subscribe(1, None).await;
    client.subscribe(2, None).await;
    client.read_until(1, 0).await;
    client.read_until(2, 0).await;
    client.say(&serde_json::json!({"type": "unsubscribe", "auction_id": 1})).await;
    client.say(&serde_json::json!({"type": "ping", "t": 1})).await;
    assert_eq!(client.next().await["type"], "pong");
    node.bid(1);
    node.bid(2);
    assert_eq!(client.next().await["auction_id"], "2");
    node.tick_after(Span::from_secs(1));
    assert_eq!(client.next().await["heads"], serde_json::json!({"2": 1}));
}

#[actix_web::test]
async fn ticks_carry_heads_and_closing_instants() {
    let node = Node::start(House::with_auctions(2));
    node.house.bid(1);
    let mut client = node.connect().await;
    client.subscribe(1, None).await;
    client.subscribe(2, None).await;
    client.read_until(1, 1).await;
    client.read_until(2, 0).await;
    node.tick_after(Span::from_secs(1));
    let tick = client.next().await;
    assert_eq!(tick["type"], "tick");
    assert_eq!(tick["heads"], serde_json::json!({"1": Seq(1).0, "2": 0}));
    assert_eq!(tick["server_time"], "2023-11-14T22:13:21.000Z");
    assert_eq!(tick["ends_at"]["1"], "2023-11-14T22:14:20.000Z");
}
