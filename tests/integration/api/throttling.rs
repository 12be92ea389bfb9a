//! Rate limits, when they are on.

use serde_json::json;

use crate::harness::{Server, Sse, Ws, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn guessing_passwords_is_slowed_down() {
    let server = Server::with(&[("LIMITS__ENABLED", "true"), ("LIMITS__SIGN_INS_PER_MINUTE", "5")]).await;
    let ann = server.user("Ann").await;
    let guess = json!({"email": ann.email, "password": "not-her-password"});
    let mut refused = 0;
    for _ in 0..10 {
        let reply = server.anonymous().post("/api/v1/sessions", &guess).await;
        if reply.status == 429 {
            reply.problem(429, "rate_limited");
            refused += 1;
        } else {
            reply.problem(401, "bad_credentials");
        }
    }
    assert!(
        (5..=7).contains(&refused),
        "one sign-in and four or five guesses go through, {refused} of 10 were refused"
    );
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_limit_on_bids_holds_over_every_transport() {
    let server = Server::with(&[("LIMITS__ENABLED", "true"), ("LIMITS__BIDS_PER_SECOND", "3")]).await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let mut ws = Ws::signed_in(&server, &ann).await;
    let mut limited = (0, 0);
    for amount in 1..=20 {
        let bid_id = crate::harness::uuid();
        if amount % 2 == 0 {
            ws.bid(&auction, &bid_id, amount).await;
            let receipt = ws.receipt(&bid_id).await;
            limited.0 += i32::from(receipt["code"] == "rate_limited");
        } else {
            let reply = ann.bid_as(&auction, &bid_id, amount).await;
            limited.1 += i32::from(reply.status == 429);
            if reply.status == 429 {
                reply.problem(429, "rate_limited");
            }
        }
    }
    assert!(limited.0 > 2 && limited.1 > 2 && limited.0 + limited.1 > 9, "{limited:?}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_holds_so_many_live_streams_and_no_more() {
    let server = Server::with(&[
        ("LIMITS__ENABLED", "true"),
        ("LIMITS__STREAMS_PER_ADDRESS", "3"),
        ("HTTP__TRUST_FORWARDED", "true"),
    ])
    .await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    let path = format!("/api/v1/auctions/{auction}/events");
    let clock = Sse::open(&seller, "/sse").await;
    let events = Sse::open(&seller, &path).await;
    let socket = Ws::anonymous(&server).await;
    for full in ["/sse", &path, &format!("/api/v1/events?auctions={auction}")] {
        seller.get(full).await.problem(429, "rate_limited");
    }
    assert_eq!(Ws::handshake(&server, &[]).await.err(), Some(429));
    // Another address has its own.
    let elsewhere = seller.request(reqwest::Method::GET, "/sse").header("x-forwarded-for", "203.0.113.7");
    drop(Sse::from_request(elsewhere).await);
    drop((clock, events, socket));
    let again = || async { Ws::handshake(&server, &[]).await.ok() };
    eventually("a place for a stream after three have gone", again).await;
    server.finish().await;
}
