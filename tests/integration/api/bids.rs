//! Placing bids over HTTP, and reading them back.

use serde_json::{Value, json};

use super::assert_refused;
use crate::harness::{Server, Sse, Ws, assert_rising, micros, uuid};

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_bid_gets_a_receipt_and_is_in_the_history() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let bid_id = uuid();
    let body = json!({"bid_id": bid_id, "amount": 1500, "message": "제가 살게요"});
    let receipt = ann.post(&format!("/api/v1/auctions/{auction}/bids"), &body).await.expect(201);
    assert_eq!(receipt["status"], "accepted");
    assert_eq!(receipt["bid_id"], bid_id.as_str());
    assert_eq!(receipt["auction_id"], auction.as_str());
    assert_eq!((receipt["seq"].as_i64(), receipt["amount"].as_i64()), (Some(1), Some(1500)));
    assert_eq!(receipt["min_next"], 1501);

    let shown = ann.auction(&auction).await;
    assert_eq!(receipt["ends_at"], shown["ends_at"]);
    let bidder = json!({"id": ann.id, "nick": "Ann"});
    assert_eq!(shown["top"], json!({"seq": 1, "amount": 1500, "bidder": bidder, "at": receipt["at"]}));
    assert_eq!(
        (shown["bid_count"].as_i64(), shown["seq"].as_i64(), shown["min_next"].as_i64()),
        (Some(1), Some(1), Some(1501))
    );
    let history = ann.bids(&auction).await;
    let expected = json!({"seq": 1, "bid_id": bid_id, "amount": 1500, "bidder": bidder, "message": "제가 살게요", "at": receipt["at"]});
    assert_eq!(history, [expected]);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_status_code_and_facts() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    server.anonymous().bid(&auction, 2000).await.problem(401, "unauthenticated");
    seller.bid(&auction, 2000).await.problem(403, "own_auction");
    ann.bid("424242", 2000).await.problem(404, "not_found");

    let too_low = ann.bid(&auction, 1000).await.problem(409, "too_low");
    assert_eq!((too_low["min_next"].as_i64(), &too_low["top"]), (Some(1001), &Value::Null));
    assert!(too_low.get("top").is_some(), "top is null, not missing: {too_low}");
    ann.bid(&auction, 2000).await.expect(201);
    let too_low = bob.bid(&auction, 2000).await.problem(409, "too_low");
    assert_eq!(too_low["min_next"], 2001);
    assert_eq!((too_low["top"]["seq"].as_i64(), &too_low["top"]["bidder"]["nick"]), (Some(1), &json!("Ann")));
    let leading = ann.bid(&auction, 3000).await.problem(409, "already_leading");
    assert_eq!(leading["top"]["amount"], 2000);

    let short = seller.sell(1).await;
    Sse::open(&ann, &format!("/api/v1/auctions/{short}/events")).await.next_of("closed").await;
    let closed = ann.bid(&short, 2000).await.problem(409, "closed");
    assert_eq!(closed["ends_at"], ann.auction(&short).await["ends_at"]);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_of_the_wrong_form_is_refused_and_leaves_no_trace() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let path = format!("/api/v1/auctions/{auction}/bids");
    let wrong = [
        ("amount", Value::Null),
        ("amount", json!("2000")),
        ("amount", json!(2000.5)),
        ("amount", json!(-2000)),
        ("amount", json!(1_000_000_000_000_001_i64)),
        ("amount", json!(1e300)),
        ("amount", json!([2000])),
        ("bid_id", Value::Null),
        ("bid_id", json!("not-a-uuid")),
        ("bid_id", json!(7)),
        ("message", json!("가".repeat(101))),
        ("message", json!(5)),
        ("bidder", json!("2")),
    ];
    for (field, value) in wrong {
        let mut body = json!({"bid_id": uuid(), "amount": 2000});
        body[field] = value;
        let reply = ann.post(&path, &body).await;
        assert!(matches!(reply.status, 400 | 422), "{body} got {reply:?}");
        assert_refused(&reply);
    }
    for body in ["", "{", "null", "[]", "2000", "{\"bid_id\":\"", "\u{0}"] {
        assert_refused(&ann.post_raw(&path, "application/json", body).await);
    }
    assert_eq!(ann.auction(&auction).await["seq"], 0);
    let body = json!({"bid_id": uuid(), "amount": 2000, "message": "가".repeat(100)});
    ann.post(&path, &body).await.expect(201);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bid_id_gets_the_same_answer_over_http_and_websocket() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    let (accepted, refused) = (uuid(), uuid());
    let first = ann.bid_as(&auction, &accepted, 2000).await.expect(201);
    let refusal = bob.bid_as(&auction, &refused, 1500).await.problem(409, "too_low");
    bob.bid(&auction, 9000).await.expect(201);

    assert_eq!(ann.bid_as(&auction, &accepted, 2000).await.expect(200), first);
    assert_eq!(bob.bid_as(&auction, &refused, 1500).await.problem(409, "too_low"), refusal);

    let mut ws = Ws::signed_in(&server, &ann).await;
    ws.bid(&auction, &accepted, 2000).await;
    let receipt = ws.receipt(&accepted).await;
    for member in ["status", "bid_id", "auction_id", "seq", "amount", "at", "min_next", "ends_at"] {
        assert_eq!(receipt[member], first[member], "{member}");
    }
    let over_ws = uuid();
    ws.bid(&auction, &over_ws, 8000).await;
    let over_ws_receipt = ws.receipt(&over_ws).await;
    assert_eq!((&over_ws_receipt["status"], &over_ws_receipt["code"]), (&json!("rejected"), &json!("too_low")));
    let over_http = ann.bid_as(&auction, &over_ws, 8000).await.problem(409, "too_low");
    assert_eq!((&over_http["min_next"], &over_http["top"]), (&over_ws_receipt["min_next"], &over_ws_receipt["top"]));
    assert_eq!(ann.bids(&auction).await.len(), 2, "nothing was applied twice");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_remembered_over_a_restart() {
    let mut server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    let (accepted, refused) = (uuid(), uuid());
    let receipt = ann.bid_as(&auction, &accepted, 2000).await.expect(201);
    let refusal = bob.bid_as(&auction, &refused, 2000).await.problem(409, "too_low");
    server.terminate().await;
    server.restart().await;
    let (ann, bob) = (ann.at(server.url()), bob.at(server.url()));
    bob.bid(&auction, 3000).await.expect(201);
    assert_eq!(ann.bid_as(&auction, &accepted, 2000).await.expect(200), receipt);
    assert_eq!(bob.bid_as(&auction, &refused, 2000).await.problem(409, "too_low"), refusal);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_id_used_for_another_bid_is_refused() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    let (accepted, refused) = (uuid(), uuid());
    ann.bid_as(&auction, &accepted, 2000).await.expect(201);
    bob.bid_as(&auction, &refused, 1).await.problem(409, "too_low");
    ann.bid_as(&auction, &accepted, 3000).await.problem(422, "bid_id_reused");
    bob.bid_as(&auction, &accepted, 2000).await.problem(422, "bid_id_reused");
    bob.bid_as(&auction, &refused, 5000).await.problem(422, "bid_id_reused");
    let other_message = json!({"bid_id": accepted, "amount": 2000, "message": "another"});
    ann.post(&format!("/api/v1/auctions/{auction}/bids"), &other_message).await.problem(422, "bid_id_reused");
    assert_eq!(ann.bids(&auction).await.len(), 1);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_pages_by_seq() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    for number in 0..25 {
        let bidder = if number % 2 == 0 { &ann } else { &bob };
        bidder.bid(&auction, 1001 + number * 10).await.expect(201);
    }
    let whole = ann.bids(&auction).await;
    assert_eq!(whole.len(), 25);
    assert_rising(&whole);
    let stamps = whole.iter().map(|bid| micros(bid["at"].as_str().unwrap())).collect::<Vec<_>>();
    assert!(stamps.is_sorted(), "{stamps:?}");
    let path = format!("/api/v1/auctions/{auction}/bids");
    let page = server.anonymous().get(&format!("{path}?after_seq=10&limit=5")).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap(), &whole[10..15]);
    assert_eq!(page["next_after_seq"], 15);
    for query in ["after_seq=-1", "after_seq=x", "limit=0", "limit=1001", "limit=99999999999999999999", "page=1"] {
        assert_refused(&ann.get(&format!("{path}?{query}")).await);
    }
    let beyond = ann.get(&format!("{path}?after_seq=1000")).await.expect(200);
    assert_eq!(beyond["items"], json!([]));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_no_bid_over_any_transport() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let by_position = json!([uuid(), 2_000, "by position"]);
    ann.post(&format!("/api/v1/auctions/{auction}/bids"), &by_position).await.problem(422, "invalid");
    let original = ann.post(&format!("/good/{auction}/bid"), &json!([2_000])).await;
    assert_eq!(original.status, 400, "{original:?}");
    let mut ws = Ws::signed_in(&server, &ann).await;
    ws.send(&json!(["bid", auction, uuid(), 2_000])).await;
    assert_eq!(ws.next_of("error").await["code"], "invalid");
    ann.post("/api/v1/users", &json!(["x@test.example", "x", "long enough"])).await.problem(422, "invalid");
    assert_eq!(ann.auction(&auction).await["bid_count"], 0);
    server.finish().await;
}
