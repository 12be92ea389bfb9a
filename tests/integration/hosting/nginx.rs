//! Clients through nginx, with the configuration that we ship.

use std::collections::HashSet;

use gavel::cli::cluster::Signal;
use reqwest::Method;
use serde_json::json;
use tokio::task::block_in_place;

use super::Nodes;
use super::proxy::Nginx;
use crate::harness::{Client, PASSWORD, Reply, Sse, Ws, eventually, send, uuid};

/// Whom nginx asked last: on a second try it names both.
fn node(reply: &Reply) -> &str {
    reply.header("x-node").rsplit(", ").next().unwrap()
}

/// A bid of nobody, as JSON: refused by whichever node is asked.
async fn refused_bid(client: &Client, auction: &str) -> Reply {
    let reply = client.bid(auction, 2_000).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    reply
}

/// A bid of nobody, by the form of the original application.
async fn form_bid(client: &Client, auction: &str) -> Reply {
    let form = "application/x-www-form-urlencoded";
    client.post_raw(&format!("/good/{auction}/bid"), form, "bid=2000&msg=").await
}

#[tokio::test(flavor = "multi_thread")]
async fn bids_and_streams_of_an_auction_reach_one_node_and_the_rest_is_spread() {
    let nodes = Nodes::start(&[], 12).await;
    let nginx = Nginx::start(&nodes.addresses()).await;
    let anyone = nginx.anonymous();
    let mut used = HashSet::new();
    for auction in &nodes.auctions {
        let first = refused_bid(&anyone, auction).await;
        let home = node(&first).to_owned();
        for _ in 0..3 {
            assert_eq!(node(&refused_bid(&anyone, auction).await), home);
        }
        let history = anyone.get(&format!("/api/v1/auctions/{auction}/bids")).await;
        assert_eq!((history.status, node(&history)), (200, home.as_str()));
        assert_eq!(node(&form_bid(&anyone, auction).await), home, "the original's address");
        let stream = Sse::open(&anyone, &format!("/api/v1/auctions/{auction}/events")).await;
        assert_eq!(stream.headers["x-node"], home, "the stream");
        used.insert(home);
    }
    assert!(used.len() >= 2, "twelve auctions at one node: {used:?}");
    let mut asked = HashSet::new();
    for _ in 0..9 {
        asked.insert(node(&anyone.get("/api/v1/time").await).to_owned());
    }
    assert_eq!(asked.len(), 3, "{asked:?}");
    let seen = eventually("the log of requests", || async {
        let log = nginx.accesses();
        log.contains("GET /api/v1/time").then_some(log)
    });
    assert!(seen.await.contains("\"POST /api/v1/auctions/1/bids\" 401 127.0.0.1:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_goes_through_and_everyone_at_that_node_sees_it_at_once() {
    let nodes = Nodes::start(&[], 1).await;
    let nginx = Nginx::start(&nodes.addresses()).await;
    let auction = &nodes.auctions[0];
    let home = nodes.index(node(&refused_bid(&nginx.anonymous(), auction).await));
    let ann = Client::sign_up(nodes.each[home].url(), "Ann").await.at(nginx.url());
    let mut events = Sse::open(&ann, &format!("/api/v1/auctions/{auction}/events")).await;
    assert_eq!(events.headers["cache-control"], "no-store");
    let bid_id = uuid();
    let receipt = ann.bid_as(auction, &bid_id, 2_000).await.expect(201);
    assert_eq!(ann.bid_as(auction, &bid_id, 2_000).await.expect(200), receipt, "the same answer again");
    // Held back by nginx, it would not come before the stream has filled a buffer.
    let seen = loop {
        let event = events.try_next().await.expect("the stream goes on");
        if event.event == "bid" {
            break event.json();
        }
    };
    assert_eq!((&seen["amount"], &seen["seq"]), (&json!(2_000), &receipt["seq"]));
    let mut clock = Sse::open(&nginx.anonymous(), "/sse").await;
    let (first, second) = (clock.try_next().await.unwrap(), clock.try_next().await.unwrap());
    let millis = |text: &str| text.parse::<i64>().unwrap();
    assert!((500..3_000).contains(&(millis(&second.data) - millis(&first.data))), "{first:?} {second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_goes_through() {
    let nodes = Nodes::start(&[], 1).await;
    let nginx = Nginx::start(&nodes.addresses()).await;
    let auction = &nodes.auctions[0];
    let mut ws = Ws::handshake_at(nginx.url(), &[]).await.unwrap();
    ws.subscribe(auction).await;
    assert_eq!(ws.next_of("snapshot").await["auction_id"], auction.as_str());
    assert_eq!(ws.answers_ping_or_closes().await, None);
    // Nothing else is upgraded.
    let anyone = nginx.anonymous();
    let request = anyone.request(Method::GET, "/api/v1/time").header("connection", "upgrade").header("upgrade", "h2c");
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_is_passed_over_and_found_again() {
    let mut nodes = Nodes::start(&[], 1).await;
    let nginx = Nginx::start(&nodes.addresses()).await;
    let (anyone, auction) = (nginx.anonymous(), nodes.auctions[0].clone());
    let home = node(&refused_bid(&anyone, &auction).await).to_owned();
    let index = nodes.index(&home);
    block_in_place(|| nodes.each[index].kill()).unwrap();
    for _ in 0..4 {
        assert_ne!(node(&refused_bid(&anyone, &auction).await), home);
        assert_eq!(anyone.get("/").await.status, 200);
        assert_eq!(anyone.get(&format!("/api/v1/auctions/{auction}/bids")).await.status, 200);
    }
    block_in_place(|| nodes.each[index].restart()).unwrap();
    eventually("the bids to return home", || async {
        (node(&refused_bid(&anyone, &auction).await) == home).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_that_a_frozen_node_took_is_sent_again_only_if_it_has_a_bid_id() {
    let mut nodes = Nodes::start(&[], 1).await;
    let nginx = Nginx::start(&nodes.addresses()).await;
    let (anyone, auction) = (nginx.anonymous(), nodes.auctions[0].clone());
    let home = node(&refused_bid(&anyone, &auction).await).to_owned();
    let index = nodes.index(&home);
    nodes.each[index].signal(Signal::Stop).unwrap();
    let form = form_bid(&anyone, &auction).await;
    assert_eq!((form.status, form.header("x-node")), (504, home.as_str()), "asked once: {form:?}");
    let json = refused_bid(&anyone, &auction).await;
    assert!(json.header("x-node").starts_with(&format!("{home}, ")), "asked twice: {json:?}");
    nodes.each[index].signal(Signal::Cont).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_cannot_choose_their_address_or_origin_and_operators_pages_are_not_public() {
    let settings =
        [("LIMITS__ENABLED", "true"), ("LIMITS__SIGN_INS_PER_MINUTE", "2"), ("LIMITS__READS_PER_SECOND", "1000")];
    let nodes = Nodes::start(&settings, 0).await;
    let nginx = Nginx::start(&nodes.addresses()).await;
    let body = json!({"email": "nobody@test.example", "password": PASSWORD});
    let sign_in = |client: Client, number: u8| {
        let request = client.request(Method::POST, "/api/v1/sessions").json(&body);
        send(request.header("x-forwarded-for", format!("192.0.2.{number}")))
    };
    let mut statuses = HashSet::new();
    for number in 0..12 {
        statuses.insert(sign_in(nginx.anonymous(), number).await.status);
    }
    assert_eq!(statuses, HashSet::from([401, 429]), "each node lets two in a minute through from one address");
    // A node believes whoever reaches it: only nginx may.
    for number in 100..104 {
        assert_eq!(sign_in(Client::anonymous(nodes.each[0].url()), number).await.status, 401);
    }
    // The origin is compared with the host, port included, as the browser named it.
    let from = |origin: &str| {
        nginx.anonymous().request(Method::POST, "/api/v1/users").json(&json!({})).header("origin", origin)
    };
    assert_eq!(send(from(nginx.url())).await.status, 422);
    assert_eq!(send(from("http://127.0.0.1")).await.status, 403);
    assert_eq!(nginx.anonymous().get("/metrics").await.status, 404);
    assert_eq!(nginx.anonymous().get("/healthz").await.status, 200);
}
