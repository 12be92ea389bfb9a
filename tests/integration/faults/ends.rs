//! Faults of the end of an auction: 17 to 21.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::closing::{story, whole_story};
use crate::harness::{Browser, Server, now_micros, soon};

#[tokio::test(flavor = "multi_thread")]
async fn fault_17_an_auction_without_bids_ends_well_and_does_not_disturb_the_next_start() {
    let mut server = Server::start().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(1).await;
    soon("the end", whole_story(&server, &auction)).await;
    for _ in 0..2 {
        server.kill().await;
        server.restart().await;
        let shown = server.anonymous().auction(&auction).await;
        assert_eq!((&shown["state"], &shown["winner"]), (&json!("closed"), &Value::Null));
    }
    let next = seller.at(server.url()).sell(1).await;
    assert_eq!(soon("the end", whole_story(&server, &next)).await.len(), 1);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_18_the_sale_and_its_price_are_settled_as_one() {
    let mut server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    for round in 0..8_u64 {
        let (seller, ann) = (seller.at(server.url()), ann.at(server.url()));
        // One ends after the other, so that the server is settling all the time between the first end and the last.
        let first_ends = now_micros() + 1_500_000;
        let put_up = (0..30).map(|place| {
            let (seller, ann) = (&seller, &ann);
            async move {
                let ends_at = jiff::Timestamp::from_microsecond(first_ends + place * 2_000).unwrap().to_string();
                let body = json!({"title": "Torn", "start_price": 1, "ends_at": ends_at});
                let auction = seller.create(&body).await["id"].as_str().unwrap().to_owned();
                ann.bid(&auction, 500).await.expect(201);
                auction
            }
        });
        let auctions = join_all(put_up).await;
        // The server dies in the middle of it.
        soon("the first end", story(&server, &auctions[0])).await;
        tokio::time::sleep(Duration::from_micros(round * 3_300)).await;
        server.kill().await;
        server.restart().await;
        for auction in &auctions {
            let events = soon("the end", story(&server, auction)).await;
            assert_eq!(events.len(), 2, "one end: {events:?}");
            assert_eq!((&events[1]["winner"]["nick"], events[1]["amount"].as_i64()), (&json!("Ann"), Some(500)));
        }
        server.verify().await;
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_19_a_second_process_never_settles_the_same_store() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(2).await;
    ann.bid(&auction, 2000).await.expect(201);
    let second = soon("the second process to give up", server.command(&["serve"]).output()).await.unwrap();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let story = soon("the end", whole_story(&server, &auction)).await;
    assert_eq!(story.len(), 2, "settled once: {story:?}");
    let me = ann.get("/api/v1/me").await.expect(200);
    assert_eq!(me["won"].as_array().map(Vec::len), Some(1), "{me}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_20_the_tables_are_there_before_anything_is_repaired() {
    let mut server = Server::start().await;
    let auction = server.user("Seller").await.sell(1).await;
    server.kill().await;
    for file in std::fs::read_dir(server.home()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    server.restart().await;
    server.anonymous().get(&format!("/api/v1/auctions/{auction}")).await.problem(404, "not_found");
    let auction = server.user("Seller").await.sell(1).await;
    server.kill().await;
    server.restart().await;
    assert_eq!(soon("the end", whole_story(&server, &auction)).await.len(), 1);
    assert!(!server.log().contains("no such table"), "{}", server.log());
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_21_an_unsold_item_stays_to_be_seen() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let created = seller.create(&json!({"title": "A chair of nobody", "start_price": 1, "duration_s": 1})).await;
    let auction = created["id"].as_str().unwrap();
    soon("the end", story(&server, auction)).await;
    let closed = seller.get("/api/v1/auctions?state=closed").await.expect(200);
    assert_eq!((&closed["items"][0]["id"], &closed["items"][0]["winner"]), (&created["id"], &Value::Null));
    for path in [format!("/good/{auction}"), "/".to_owned()] {
        let page = Browser::new(server.url()).get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.contains("chair of nobody"), "{path} does not show it");
    }
    server.finish().await;
}
