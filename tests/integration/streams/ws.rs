//! WebSocket.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::auction_in;
use crate::harness::{Browser, Received, Server, Ws, micros, now_micros, send, uuid};

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_gets_a_snapshot_and_then_every_bid() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let mut ws = Ws::anonymous(&server).await;
    ws.subscribe(&auction).await;
    let snapshot = ws.next_of("snapshot").await;
    assert_eq!(auction_in(&snapshot)["seq"], 0, "{snapshot}");
    let receipt = ann.bid(&auction, 2000).await.expect(201);
    let bid = ws.next_of("bid").await;
    for member in ["auction_id", "seq", "amount", "at", "min_next", "ends_at"] {
        assert_eq!(bid[member], receipt[member], "{member}");
    }
    assert_eq!(bid["bidder"], json!({"id": ann.id, "nick": "Ann"}));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_replayed_over_websocket() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let bidders = [server.user("Ann").await, server.user("Bob").await];
    let auction = seller.sell(3600).await;
    for amount in 2000..2030 {
        let bidder = &bidders[usize::from(amount % 2 != 0)];
        bidder.bid(&auction, amount).await.expect(201);
    }
    let mut ws = Ws::anonymous(&server).await;
    ws.subscribe_after(&auction, 10).await;
    let hello = ws.next_of("hello").await;
    let hello = if hello.get("recovered").is_some() { hello } else { ws.next_of("hello").await };
    assert_eq!(hello["recovered"], true, "{hello}");
    for seq in 11..=30 {
        assert_eq!(ws.next_of("bid").await["seq"], seq);
    }
    let mut ahead = Ws::anonymous(&server).await;
    ahead.subscribe_after(&auction, 999).await;
    let snapshot = ahead.next_of("snapshot").await;
    assert_eq!(auction_in(&snapshot)["seq"], 30);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bids_are_receipted_as_over_http() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    let mut ws = Ws::signed_in(&server, &ann).await;
    let accepted = uuid();
    let message = json!({"type": "bid", "auction_id": auction, "bid_id": accepted, "amount": 2000, "message": "hi"});
    ws.send(&message).await;
    let receipt = ws.receipt(&accepted).await;
    assert_eq!((&receipt["status"], receipt["seq"].as_i64()), (&json!("accepted"), Some(1)), "{receipt}");
    assert_eq!(ann.bids(&auction).await[0]["message"], "hi");

    let mut bobs = Ws::signed_in(&server, &bob).await;
    let refused = uuid();
    bobs.bid(&auction, &refused, 2000).await;
    let receipt = bobs.receipt(&refused).await;
    let expected = (&json!("rejected"), &json!("too_low"), Some(2001));
    assert_eq!((&receipt["status"], &receipt["code"], receipt["min_next"].as_i64()), expected, "{receipt}");
    assert_eq!(receipt["top"]["bidder"]["nick"], "Ann", "{receipt}");

    let mut sellers = Ws::signed_in(&server, &seller).await;
    for (auction, code) in [(auction.as_str(), "own_auction"), ("424242", "not_found")] {
        let bid_id = uuid();
        sellers.bid(auction, &bid_id, 5000).await;
        let receipt = sellers.receipt(&bid_id).await;
        assert_eq!((&receipt["status"], &receipt["code"]), (&json!("rejected"), &json!(code)), "{receipt}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bidding_needs_a_sign_in_and_watching_does_not() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    let mut ws = Ws::anonymous(&server).await;
    let bid_id = uuid();
    ws.bid(&auction, &bid_id, 2000).await;
    let answer = loop {
        match ws.receive().await {
            Received::Frame(frame) if frame["type"] == "receipt" || frame["type"] == "error" => break frame,
            Received::Frame(_) => {}
            Received::Closed(code) => panic!("closed with {code}"),
        }
    };
    assert_eq!(answer["code"], "unauthenticated", "{answer}");
    ws.subscribe(&auction).await;
    ws.next_of("snapshot").await;
    assert_eq!(seller.auction(&auction).await["seq"], 0);
    assert_eq!(Ws::handshake(&server, &[("authorization", "Bearer made-up")]).await.err(), Some(401));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_with_the_server_time() {
    let server = Server::start().await;
    let mut ws = Ws::anonymous(&server).await;
    ws.send(&json!({"type": "ping", "t": 1_700_000_000_123_i64})).await;
    let pong = ws.next_of("pong").await;
    assert_eq!(pong["t"], 1_700_000_000_123_i64);
    assert!(pong.get("server_time").is_some(), "{pong}");
    let tick = ws.next_of("tick").await;
    let time = &tick["server_time"];
    let time = time.as_str().map_or_else(|| time.as_i64().unwrap() * 1000, micros);
    assert!((time - now_micros()).abs() < 1_000_000, "{tick}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsubscribing_stops_the_events_of_that_auction_only() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let (first, second) = (seller.sell(3600).await, seller.sell(3600).await);
    let mut ws = Ws::anonymous(&server).await;
    for auction in [&first, &second] {
        ws.subscribe(auction).await;
        ws.next_of("snapshot").await;
    }
    ws.send(&json!({"type": "unsubscribe", "auction_id": first})).await;
    ws.send(&json!({"type": "ping", "t": 1})).await;
    ws.next_of("pong").await;
    ann.bid(&first, 2000).await.expect(201);
    ann.bid(&second, 3000).await.expect(201);
    assert_eq!(ws.next_of("bid").await["auction_id"], second.as_str());
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_the_wrong_form_are_answered_with_an_error_or_a_close_code() {
    let server = Server::start().await;
    let auction = server.user("Seller").await.sell(3600).await;
    let unknown_field = json!({"type": "subscribe", "auction_id": auction, "admin": true}).to_string();
    let frames = [
        Message::text("{"),
        Message::text(""),
        Message::text("[]"),
        Message::text(json!({"type": "shout"}).to_string()),
        Message::text(json!({"auction_id": auction}).to_string()),
        Message::text(unknown_field),
        Message::text(json!({"type": "subscribe", "auction_id": "x"}).to_string()),
        Message::text(json!({"type": "subscribe", "auction_id": "424242"}).to_string()),
        Message::binary(vec![0, 159, 146, 150]),
    ];
    for frame in frames {
        let mut ws = Ws::anonymous(&server).await;
        ws.send_raw(frame.clone()).await.unwrap();
        loop {
            match ws.receive().await {
                Received::Frame(answer) if answer["type"] == "error" => {
                    assert!(answer["code"].is_string(), "{answer}");
                    break;
                }
                Received::Frame(answer) => {
                    assert!(["hello", "tick"].contains(&answer["type"].as_str().unwrap()), "{answer}");
                }
                Received::Closed(code) => {
                    assert!(matches!(code, 1002 | 1003 | 1007 | 1008 | 4000..5000), "{frame:?}: {code}");
                    break;
                }
            }
        }
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_too_large_closes_with_1009() {
    let server = Server::start().await;
    let mut ws = Ws::anonymous(&server).await;
    ws.send_raw(Message::text("x".repeat(17 * 1024))).await.unwrap();
    assert_eq!(ws.close_code().await, 1009);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_comes_from_our_own_origin() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let body = json!({"email": ann.email, "password": crate::harness::PASSWORD});
    let reply = server.anonymous().post("/api/v1/sessions", &body).await;
    let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
    let own = server.url().to_owned();
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(Ws::handshake(&server, &foreign).await.err(), Some(403));
    let null = [("cookie", cookie.as_str()), ("origin", "null")];
    assert_eq!(Ws::handshake(&server, &null).await.err(), Some(403));
    let mut ours = Ws::handshake(&server, &[("cookie", &cookie), ("origin", &own)]).await.unwrap();
    let auction = server.user("Seller").await.sell(3600).await;
    let bid_id = uuid();
    ours.bid(&auction, &bid_id, 2000).await;
    assert_eq!(ours.receipt(&bid_id).await["status"], "accepted", "the cookie signs the connection in");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_in_the_browser_closes_its_connection() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let browser = Browser::signed_in(server.url(), &ann).await;
    let login = browser.form("/auth/login", &[("email", &ann.email), ("password", crate::harness::PASSWORD)]).await;
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let mut ws = Ws::handshake(&server, &[("cookie", &cookie), ("origin", server.url())]).await.unwrap();
    ws.send(&json!({"type": "ping", "t": 1})).await;
    ws.next_of("pong").await;
    let out = send(browser.own(reqwest::Method::DELETE, "/api/v1/sessions/current")).await;
    assert_eq!(out.status, 204, "{out:?}");
    let code = ws.close_code().await;
    assert!((4000..5000).contains(&code), "{code}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_says_so_to_its_connections() {
    let mut server = Server::start().await;
    let auction = server.user("Seller").await.sell(3600).await;
    let mut ws = Ws::anonymous(&server).await;
    ws.subscribe(&auction).await;
    ws.next_of("snapshot").await;
    let (code, (status, _)) = tokio::join!(ws.close_code(), server.terminate());
    assert!(matches!(code, 1001 | 1012 | 4000..5000), "shutdown is not {code}");
    assert_eq!(status.code(), Some(0));
    server.verify().await;
}
