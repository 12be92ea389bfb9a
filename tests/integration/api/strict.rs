//! What the contract does not know is refused, by name and alike over every transport; and each refused bid is counted once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Browser, Reply, Server, Sse, Ws, send, uuid};

fn fields(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|fault| fault["field"].as_str().unwrap()).collect()
}

#[track_caller]
fn assert_faulty(reply: &Reply, wanted: &[&str]) {
    assert_eq!(fields(&reply.problem(422, "invalid")), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_nobody_knows_or_that_stands_twice_is_refused_by_name() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let at = format!("/api/v1/auctions/{auction}");
    for (path, field) in [
        (format!("{at}?x=1"), "x"),
        (format!("{at}/events?after_seqq=1"), "after_seqq"),
        (format!("{at}/events?after_seq=1&after_seq=2"), "after_seq"),
        (format!("{at}/events?after_seq=-1"), "after_seq"),
        (format!("{at}/bids?limit=1&limit=1"), "limit"),
        (format!("{at}/bids?page=2"), "page"),
        (format!("/api/v1/events?auctions={auction}&after_seq=1"), "after_seq"),
        ("/api/v1/time?x=1".to_owned(), "x"),
        ("/api/v1/me?x=1".to_owned(), "x"),
        ("/api/v1/auctions?states=open".to_owned(), "states"),
    ] {
        assert_faulty(&ann.get(&path).await, &[field]);
    }
    let bid = json!({"bid_id": uuid(), "amount": 2000});
    assert_faulty(&ann.post(&format!("{at}/bids?x=1"), &bid).await, &["x"]);
    assert_eq!(ann.auction(&auction).await["bid_count"], 0);
    assert_eq!(ann.get("/?x=1").await.status, 200, "pages are lenient");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_members_are_named_beside_the_other_faults() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let bid = json!({"bid_id": "7", "amount": "1", "a": 1, "b": {"c": 2}});
    let reply = ann.post(&format!("/api/v1/auctions/{auction}/bids"), &bid).await;
    assert_faulty(&reply, &["a", "b", "bid_id", "amount"]);
    let item = json!({"titel": "x", "start_price": 1, "rules": {"soft": 1}});
    assert_faulty(&ann.post("/api/v1/auctions", &item).await, &["titel", "title", "rules.soft"]);
    let user = json!({"email": "x", "nick": "x", "password": "long enough", "name": "x"});
    assert_faulty(&ann.post("/api/v1/users", &user).await, &["name", "email"]);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_frame_is_told_as_over_http() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let mut ws = Ws::signed_in(&server, &ann).await;
    let bid_id = uuid();
    let bid = json!({"type": "bid", "auction_id": auction, "bid_id": bid_id, "amount": "1", "extra": 1});
    ws.send(&bid).await;
    let receipt = ws.receipt(&bid_id).await;
    let over_http = json!({"bid_id": bid_id, "amount": "1", "extra": 1});
    let problem = ann.post(&format!("/api/v1/auctions/{auction}/bids"), &over_http).await.problem(422, "invalid");
    for member in ["code", "detail", "retryable", "errors"] {
        assert_eq!(receipt[member], problem[member], "{member}");
    }
    assert_eq!((&receipt["status"], &receipt["auction_id"]), (&json!("rejected"), &json!(auction)));
    for wrong in [json!("01"), json!("+1"), json!("-1"), json!(-1), json!(0)] {
        ws.send(&json!({"type": "subscribe", "auction_id": wrong})).await;
        let error = ws.next_of("error").await;
        assert_eq!((error["code"].as_str(), fields(&error)), (Some("invalid"), vec!["auction_id"]), "{wrong}");
    }
    ws.send(&json!({"type": "bid", "auction_id": auction, "bid_id": bid_id.replace('-', ""), "amount": 2000})).await;
    assert_eq!(fields(&ws.next_of("error").await), ["bid_id"]);
    ann.get("/api/v1/auctions/01").await.problem(404, "not_found");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refused_bid_is_counted_once_on_every_way_in() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let browser = Browser::signed_in(server.url(), &ann).await;
    let path = format!("/api/v1/auctions/{auction}/bids");
    let (mut ws, mut stranger) = (Ws::signed_in(&server, &ann).await, Ws::anonymous(&server).await);

    ann.post(&path, &json!({"bid_id": uuid(), "amount": -1})).await.problem(422, "invalid");
    browser.form(&format!("/good/{auction}/bid"), &[("bid", "x")]).await;
    let wrong = uuid();
    ws.bid(&auction, &wrong, -1).await;
    ws.receipt(&wrong).await;

    let bid = json!({"bid_id": uuid(), "amount": 2000});
    server.anonymous().post(&path, &bid).await.problem(401, "unauthenticated");
    Browser::new(server.url()).form(&format!("/good/{auction}/bid"), &[("bid", "2000")]).await;
    stranger.bid(&auction, &uuid(), 2000).await;
    stranger.next_of("error").await;

    send(browser.foreign(Method::POST, &path).json(&bid)).await.problem(403, "forbidden_origin");
    ann.post("/api/v1/auctions/x/bids", &bid).await.problem(404, "not_found");
    ann.bid(&auction, 1).await.problem(409, "too_low");
    ann.bid(&auction, 2000).await.expect(201);
    ann.get(&format!("{path}?limit=0")).await.problem(422, "invalid");

    let metrics = server.metrics().await;
    let counted = |outcome: &str| metrics.sum("gavel_bids_total", &format!("outcome=\"{outcome}\""));
    let outcomes = ["invalid", "unauthenticated", "forbidden_origin", "not_found", "too_low", "accepted"];
    let counts = outcomes.map(|outcome| format!("{outcome} {:.0}", counted(outcome)));
    let wanted = ["invalid 3", "unauthenticated 3", "forbidden_origin 1", "not_found 1", "too_low 1", "accepted 1"];
    assert_eq!(counts, wanted);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_that_an_auction_is_not_there_and_why_it_ends() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let mut stream = Sse::open(&ann, &format!("/api/v1/events?auctions={auction},424242")).await;
    let error = stream.next_of("error").await.json();
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("not_found")), "{error}");
    assert_eq!(error["auction_id"], "424242");
    ann.delete("/api/v1/sessions/current").await.expect(204);
    let end = stream.next_of("end").await.json();
    assert_eq!(end, json!({"type": "end", "code": 4001, "reason": "signed out"}));
    assert!(stream.try_next().await.is_none(), "nothing comes after the end");
    server.finish().await;
}
