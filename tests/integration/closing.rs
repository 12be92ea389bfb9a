//! An auction ends by itself, once, and says who won.

use serde_json::{Value, json};

use crate::harness::{Server, Sse, Ws, micros, now_micros};

/// How long after its closing instant an auction may take to close.
const CLOSES_WITHIN_US: i64 = 200_000;

/// Every committed event of an auction up to `closed`, and nothing after it for a tick.
pub(crate) async fn whole_story(server: &Server, auction: &str) -> Vec<Value> {
    let (events, mut stream) = follow_to_the_end(server, auction).await;
    let after = stream.next().await;
    assert_eq!(after.event, "tick", "something after the end: {after:?}");
    events
}

/// Every committed event of an auction up to `closed`.
pub(crate) async fn story(server: &Server, auction: &str) -> Vec<Value> {
    follow_to_the_end(server, auction).await.0
}

async fn follow_to_the_end(server: &Server, auction: &str) -> (Vec<Value>, Sse) {
    let mut stream = Sse::whole(&server.anonymous(), auction).await;
    let mut events = Vec::new();
    loop {
        let event = stream.next_event().await;
        let mut json = event.json();
        json["event"] = json!(event.event);
        events.push(json);
        if event.event == "closed" {
            break;
        }
    }
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"].as_u64(), Some(index as u64 + 1), "{event}");
    }
    (events, stream)
}

fn lateness(closed: &Value, auction: &Value) -> i64 {
    micros(closed["at"].as_str().unwrap()) - micros(auction["ends_at"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_closes_on_time_with_nobody_looking() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(2).await;
    ann.bid(&auction, 2000).await.expect(201);
    // Someone who watches another auction tells when the time has passed.
    let witness = seller.sell(3).await;
    Sse::open(&ann, &format!("/api/v1/auctions/{witness}/events")).await.next_of("closed").await;
    let shown = ann.auction(&auction).await;
    assert_eq!((&shown["state"], &shown["winner"]), (&json!("closed"), &json!({"id": ann.id, "nick": "Ann"})));
    let story = whole_story(&server, &auction).await;
    assert_eq!(story.len(), 2);
    let late = lateness(&story[1], &shown);
    assert!((0..CLOSES_WITHIN_US).contains(&late), "closed {late} µs after its instant");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_auctions_that_end_at_once_all_close_on_time() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let ends_at = jiff::Timestamp::from_microsecond(now_micros() + 5_000_000).unwrap().to_string();
    let body = json!({"title": "Together", "start_price": 1, "ends_at": ends_at});
    let mut auctions = Vec::new();
    for _ in 0..100 {
        let auction = seller.create(&body).await["id"].as_str().unwrap().to_owned();
        ann.bid(&auction, 10).await.expect(201);
        auctions.push(auction);
    }
    let watch = auctions.iter().map(|auction| whole_story(&server, auction));
    for (auction, story) in auctions.iter().zip(futures_util::future::join_all(watch).await) {
        let late = lateness(&story[1], &ann.auction(auction).await);
        assert!((0..CLOSES_WITHIN_US).contains(&late), "closed {late} µs after its instant");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_are_told_who_won_and_for_how_much() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(2).await;
    let mut ws = Ws::anonymous(&server).await;
    ws.subscribe(&auction).await;
    ws.next_of("snapshot").await;
    let mut sse = Sse::open(&server.anonymous(), &format!("/api/v1/auctions/{auction}/events")).await;
    ann.bid(&auction, 2000).await.expect(201);
    bob.bid(&auction, 3000).await.expect(201);
    let frame = ws.next_of("closed").await;
    let arrived = now_micros();
    let event = sse.next_of("closed").await.json();
    let shown = ann.auction(&auction).await;
    for closed in [&frame, &event] {
        assert_eq!(closed["winner"], json!({"id": bob.id, "nick": "Bob"}), "{closed}");
        assert_eq!((closed["amount"].as_i64(), closed["seq"].as_i64()), (Some(3000), Some(3)), "{closed}");
    }
    assert_eq!(shown["winner"]["nick"], "Bob", "what is announced is committed");
    let after = arrived - micros(shown["ends_at"].as_str().unwrap());
    assert!((0..1_000_000).contains(&after), "announced {after} µs after the closing instant");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_without_bids_ends_unsold() {
    let server = Server::start().await;
    let auction = server.user("Seller").await.sell(1).await;
    let story = whole_story(&server, &auction).await;
    assert_eq!(story.len(), 1);
    assert_eq!((&story[0]["winner"], &story[0]["amount"]), (&Value::Null, &Value::Null));
    let shown = server.anonymous().auction(&auction).await;
    assert_eq!((&shown["state"], &shown["winner"], shown["seq"].as_i64()), (&json!("closed"), &Value::Null, Some(1)));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_in_flight_at_the_end_is_accepted_before_the_instant_or_answered_closed() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let bidders = server.users(8).await;
    let auction = seller.sell(2).await;
    let tasks = bidders.into_iter().enumerate().map(|(number, bidder)| {
        let auction = auction.clone();
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let mut amount = 1001 + i64::try_from(number).unwrap();
            loop {
                let reply = bidder.bid(&auction, amount).await;
                let body = reply.json();
                match (reply.status, body["code"].as_str()) {
                    (201, _) => acknowledged.push(body.clone()),
                    (409, Some("closed")) => return acknowledged,
                    (409, Some("too_low")) => {}
                    (409, Some("already_leading")) => tokio::task::yield_now().await,
                    _ => panic!("{reply:?}"),
                }
                amount = body["min_next"].as_i64().unwrap_or(amount) + 8;
            }
        })
    });
    let mut acknowledged = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        acknowledged.extend(task.await.unwrap());
    }
    let story = whole_story(&server, &auction).await;
    let (closed, bids) = story.split_last().unwrap();
    let mut told = acknowledged.iter().map(|receipt| receipt["seq"].as_u64().unwrap()).collect::<Vec<_>>();
    told.sort_unstable();
    assert_eq!(
        told,
        (1..=bids.len() as u64).collect::<Vec<_>>(),
        "acknowledged is what is in the history, no more, no less"
    );
    let ends_at = micros(server.anonymous().auction(&auction).await["ends_at"].as_str().unwrap());
    for bid in bids {
        assert!(micros(bid["at"].as_str().unwrap()) < ends_at, "{bid}");
    }
    assert_eq!(closed["amount"], bids.last().unwrap()["amount"], "the last acknowledged bid wins");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_that_ended_while_the_server_was_down_is_settled_once_at_the_start() {
    let mut server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let (sold, unsold) = (seller.sell(2).await, seller.sell(2).await);
    ann.bid(&sold, 2000).await.expect(201);
    let ends_at = micros(ann.auction(&unsold).await["ends_at"].as_str().unwrap());
    server.terminate().await;
    let left = u64::try_from(ends_at - now_micros()).unwrap_or(0);
    tokio::time::sleep(std::time::Duration::from_micros(left + 50_000)).await;

    server.restart().await;
    let story = whole_story(&server, &sold).await;
    assert_eq!((story.len(), &story[1]["winner"]["nick"]), (2, &json!("Ann")));
    assert_eq!(whole_story(&server, &unsold).await.len(), 1);
    for _ in 0..2 {
        server.terminate().await;
        server.restart().await;
        assert_eq!(whole_story(&server, &sold).await, story, "settled once");
    }
    assert_eq!(server.verify().await, (2, 3));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_auction_still_ends_after_a_restart() {
    let mut server = Server::start().await;
    let auction = server.user("Seller").await.sell(3).await;
    server.kill().await;
    server.restart().await;
    let story = whole_story(&server, &auction).await;
    let late = lateness(&story[0], &server.anonymous().auction(&auction).await);
    assert!((0..CLOSES_WITHIN_US).contains(&late), "closed {late} µs after its instant");
    server.finish().await;
}
