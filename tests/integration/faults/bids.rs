//! Faults of taking bids: 1 to 7, 9 to 11.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{attribute, scripts};
use crate::harness::{Browser, Client, PATIENCE, Reply, Server, Ws, assert_rising, send, soon, uuid};

#[tokio::test(flavor = "multi_thread")]
async fn fault_01_two_bids_that_read_the_same_top_never_both_pass() {
    let server = Server::start().await;
    let auction = server.user("Seller").await.sell(3600).await;
    let bidders = server.users(16).await;
    let mut accepted = 0;
    for round in 0..40 {
        let start = 1001 + round * 100;
        let bids = bidders.iter().zip(start..).map(|(bidder, amount)| bidder.bid(&auction, amount));
        let replies = join_all(bids).await;
        accepted += replies.iter().filter(|reply| reply.status == 201).count();
        let fine = |reply: &Reply| matches!(reply.status, 201 | 409);
        assert!(replies.iter().all(fine), "{replies:?}");
    }
    let history = server.anonymous().bids(&auction).await;
    assert_rising(&history);
    assert_eq!(history.len(), accepted);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_02_of_equal_bids_the_first_leads_and_no_other() {
    let server = Server::start().await;
    let auction = server.user("Seller").await.sell(3600).await;
    let bidders = server.users(16).await;
    for amount in (2000..4000).step_by(100) {
        let replies = join_all(bidders.iter().map(|bidder| bidder.bid(&auction, amount))).await;
        let accepted = replies.iter().filter(|reply| reply.status == 201).collect::<Vec<_>>();
        assert_eq!(accepted.len(), 1, "{replies:?}");
        let seq = accepted[0].json()["seq"].clone();
        for refused in replies.iter().filter(|reply| reply.status != 201) {
            let problem = refused.json();
            assert!(problem["code"] == "too_low" || problem["code"] == "already_leading", "{problem}");
            if problem["top"]["amount"] == amount {
                assert_eq!(problem["top"]["seq"], seq, "{problem}");
            }
        }
    }
    assert_rising(&server.anonymous().bids(&auction).await);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_03_a_body_without_a_bid_or_with_text_in_it_is_refused() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let api = format!("/api/v1/auctions/{auction}/bids");
    for body in [json!({}), json!({"bid_id": uuid()}), json!({"bid_id": uuid(), "amount": "a lot"})] {
        let reply = ann.post(&api, &body).await;
        assert!(matches!(reply.status, 400 | 422), "{reply:?}");
    }
    let browser = Browser::signed_in(server.url(), &ann).await;
    let original = format!("/good/{auction}/bid");
    let forms: [&[(&str, &str)]; 4] = [&[], &[("msg", "hi")], &[("bid", "")], &[("bid", "a lot"), ("msg", "")]];
    for form in forms {
        assert_unreadable(&browser.form(&original, form).await);
    }
    for body in [json!({}), json!({"bid": null}), json!({"bid": "a lot"}), json!({"bid": [5000]}), json!({"bid": true})]
    {
        assert_unreadable(&send(browser.own(reqwest::Method::POST, &original).json(&body)).await);
    }
    for amount in [json!({}), json!({"amount": null}), json!({"amount": "a lot"})] {
        assert_frame_refused(&server, &ann, &auction, &amount).await;
    }
    assert_eq!(ann.auction(&auction).await["seq"], 0, "nothing was stored");
    server.finish().await;
}

/// Refused because no amount can be read from it: one that was taken for 0, or rounded, would get another text or `ok`.
fn assert_unreadable(reply: &Reply) {
    let texts =
        ["입찰가를 숫자로 입력해 주세요.", "입찰가의 소수 자릿수가 올바르지 않습니다.", "입찰가가 너무 큽니다."];
    assert!(reply.status == 403 && texts.contains(&reply.text.as_str()), "{reply:?}");
}

/// As [`assert_unreadable`], for a bid in a WebSocket frame with this `amount`, or without one.
async fn assert_frame_refused(server: &Server, bidder: &Client, auction: &str, amount: &Value) {
    let bid_id = uuid();
    let mut frame = json!({"type": "bid", "auction_id": auction, "bid_id": bid_id});
    frame.as_object_mut().unwrap().extend(amount.as_object().unwrap().clone());
    let mut ws = Ws::signed_in(server, bidder).await;
    ws.send(&frame).await;
    let receipt = soon("a receipt", ws.receipt(&bid_id)).await;
    assert_eq!((&receipt["status"], &receipt["code"]), (&json!("rejected"), &json!("invalid")), "{frame}: {receipt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_04_a_fraction_does_not_beat_the_top_and_is_not_rounded() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("Ann").await, server.user("Bob").await);
    let auction = server.user("Seller").await.sell(3600).await;
    ann.bid(&auction, 2000).await.expect(201);
    let api = format!("/api/v1/auctions/{auction}/bids");
    for amount in ["2000.4", "2001.0001", "20001e-1"] {
        let body = format!("{{\"bid_id\":\"{}\",\"amount\":{amount}}}", uuid());
        let reply = bob.post_raw(&api, "application/json", body).await;
        assert!(matches!(reply.status, 400 | 422), "{amount}: {reply:?}");
    }
    let browser = Browser::signed_in(server.url(), &bob).await;
    let path = format!("/good/{auction}/bid");
    // Rounded, the first is a tie with the top and the second would beat it.
    for bid in [2000.4, 2001.4] {
        assert_unreadable(&browser.form(&path, &[("bid", &bid.to_string()), ("msg", "")]).await);
        let body = json!({"bid": bid, "msg": ""});
        assert_unreadable(&send(browser.own(reqwest::Method::POST, &path).json(&body)).await);
        assert_frame_refused(&server, &bob, &auction, &json!({"amount": bid})).await;
    }
    assert_eq!(bob.bids(&auction).await.len(), 1);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_05_nobody_types_a_balance_and_no_balance_goes_negative() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let body = json!({"email": "rich@test.example", "nick": "Rich", "password": "a-good-password", "money": 999_999});
    crate::api::assert_refused(&server.anonymous().post("/api/v1/users", &body).await);
    let browser = Browser::new(server.url());
    let join = [("email", "typed@test.example"), ("nick", "Typed"), ("password", "a-good-password"), ("money", "5")];
    assert!(matches!(browser.form("/auth/join", &join).await.status, 302 | 303));
    let ann = server.user("Ann").await;
    let mut auctions = Vec::new();
    for _ in 0..3 {
        let auction = seller.sell(2).await;
        ann.bid(&auction, 1_000_000_000_000_000).await.expect(201);
        auctions.push(auction);
    }
    for auction in &auctions {
        soon("the end", crate::closing::story(&server, auction)).await;
    }
    let me = ann.get("/api/v1/me").await.expect(200);
    assert_eq!(me["won"].as_array().map(Vec::len), Some(3), "{me}");
    let text = me.to_string();
    assert!(!text.contains("\"money\"") && !text.contains("\"balance\"") && !text.contains(":-"), "{me}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_06_neither_the_owner_nor_the_leader_bids_against_themselves() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    seller.bid(&auction, 2000).await.problem(403, "own_auction");
    ann.bid(&auction, 2000).await.expect(201);
    ann.bid(&auction, 3000).await.problem(409, "already_leading");
    let path = format!("/good/{auction}/bid");
    for user in [&seller, &ann] {
        let browser = Browser::signed_in(server.url(), user).await;
        let reply = browser.form(&path, &[("bid", "9000"), ("msg", "")]).await;
        assert!(reply.status == 403 && !reply.text.is_empty(), "{reply:?}");
    }
    assert_eq!(ann.bids(&auction).await.len(), 1);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_07_a_bid_in_flight_at_the_end_is_never_acknowledged_in_vain() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let bidders = server.users(4).await;
    let auction = seller.sell(2).await;
    let started = Instant::now();
    let mut acknowledged = BTreeSet::new();
    let mut amount = 2000;
    let mut closed = 0;
    while closed < bidders.len() {
        closed = 0;
        assert!(started.elapsed() < PATIENCE, "bids are taken for ever");
        let bids = bidders.iter().zip(amount..).map(|(bidder, amount)| bidder.bid(&auction, amount));
        for reply in join_all(bids).await {
            match (reply.status, reply.json()) {
                (201, receipt) => drop(acknowledged.insert(receipt["amount"].as_i64().unwrap())),
                (_, problem) if problem["code"] == "closed" => closed += 1,
                (409, _) => {}
                _ => panic!("{reply:?}"),
            }
        }
        amount += 10;
        // Fewer bids than one replay holds.
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    let story = soon("the end", crate::closing::whole_story(&server, &auction)).await;
    let (end, bids) = story.split_last().unwrap();
    let shown = bids.iter().map(|bid| bid["amount"].as_i64().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(shown, acknowledged, "shown is what was acknowledged");
    assert_eq!(end["amount"].as_i64(), acknowledged.last().copied(), "and the last of it wins");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_09_a_bid_costs_the_same_however_many_came_before() {
    const PART: i64 = 200;
    let server = Server::start_alone().await;
    let rules = json!({"leader_may_raise": true});
    let auction = json!({"title": "Long", "start_price": 1, "duration_s": 3600, "rules": rules});
    let auction = server.user("Seller").await.create(&auction).await["id"].as_str().unwrap().to_owned();
    let ann = server.user("Ann").await;
    let fresh = fastest_of_three(&ann, &auction, 2_000, PART).await;
    let amount = fill(&server, &ann, &auction, 10_000).await;
    let later = fastest_of_three(&ann, &auction, amount, PART).await;
    eprintln!("fault 9: {PART} bids took {fresh:.3} s in a new auction, {later:.3} s after 10,000 bids");
    assert!(later < fresh * 3.0, "{fresh} s became {later} s");
    server.finish().await;
}

/// The shortest of three runs, in seconds: what disturbs a run only makes it longer.
async fn fastest_of_three(bidder: &Client, auction: &str, from: i64, count: i64) -> f64 {
    let mut fastest = f64::INFINITY;
    for run in 0..3 {
        let started = Instant::now();
        for number in 0..count {
            bidder.bid(auction, from + run * count + number).await.expect(201);
        }
        fastest = fastest.min(started.elapsed().as_secs_f64());
    }
    fastest
}

/// Adds `count` bids, a hundred at a time, and returns an amount that is enough afterwards.
async fn fill(server: &Server, bidder: &Client, auction: &str, count: i64) -> i64 {
    const START: i64 = 100_000;
    let mut ws = Ws::signed_in(server, bidder).await;
    for number in 0..count {
        ws.bid(auction, &uuid(), START + number).await;
        if number % 100 == 99 {
            for _ in 0..100 {
                let receipt = ws.next_of("receipt").await;
                assert_eq!(receipt["status"], "accepted", "{receipt}");
            }
        }
    }
    START + count
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_10_the_forms_minimum_is_what_the_server_accepts() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("Ann").await, server.user("Bob").await);
    let auction = server.user("Seller").await.sell(3600).await;
    for (bidder, expected) in [(&ann, 1001), (&bob, 1002)] {
        let browser = Browser::signed_in(server.url(), bidder).await;
        let page = browser.get(&format!("/good/{auction}")).await;
        let minimum = attribute(&page.text, "name=\"bid\"", "min").expect("the form has a minimum");
        assert_eq!(minimum.parse::<i64>().unwrap(), expected);
        let below = (expected - 1).to_string();
        let refused = browser.form(&format!("/good/{auction}/bid"), &[("bid", &below), ("msg", "")]).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        let taken = browser.form(&format!("/good/{auction}/bid"), &[("bid", &minimum), ("msg", "")]).await;
        assert_eq!((taken.status, taken.text.as_str()), (200, "ok"));
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_11_a_retry_or_a_double_click_is_the_same_bid() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    for amount in [2000, 2001] {
        let bidder = if amount == 2000 { ann.clone() } else { server.user("Bob").await };
        let bid_id = uuid();
        let replies = join_all((0..8).map(|_| bidder.bid_as(&auction, &bid_id, amount))).await;
        let first = replies.iter().filter(|reply| reply.status == 201).count();
        assert_eq!(first, 1, "{replies:?}");
        let receipts = replies.iter().map(|reply| reply.json().to_string()).collect::<BTreeSet<_>>();
        assert_eq!(receipts.len(), 1, "one answer: {receipts:?}");
        assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 201)), "{replies:?}");
    }
    let history: Vec<Value> = ann.bids(&auction).await;
    assert_eq!(history.len(), 2);
    let browser = Browser::signed_in(server.url(), &ann).await;
    let page = browser.get(&format!("/good/{auction}")).await;
    let bid_id = attribute(&page.text, "name=\"bid_id\"", "value").expect("the form names its bid");
    for _ in 0..2 {
        let fields = [("bid_id", bid_id.as_str()), ("bid", "3000"), ("msg", "")];
        let pressed = browser.form(&format!("/good/{auction}/bid"), &fields).await;
        assert_eq!((pressed.status, pressed.text.as_str()), (200, "ok"));
    }
    assert_eq!(ann.bids(&auction).await.len(), 3);
    let script = scripts(&browser, &page.text).await;
    assert!(script.contains("bid_id: uuid()"), "the page's script names each bid");
    server.finish().await;
}
