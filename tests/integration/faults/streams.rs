//! Faults of the live streams and pages: 8, 12 to 16, 24.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use super::{attribute, scripts, text_of};
use crate::harness::{Browser, Client, Server, Sse, Ws, eventually, micros, now_micros, send, soon, uuid};

#[tokio::test(flavor = "multi_thread")]
async fn fault_08_broadcasts_are_numbered_in_order_and_what_was_missed_is_caught_up() {
    let server = Server::start().await;
    let auction = server.user("Seller").await.sell(3600).await;
    let bidders = server.users(4).await;
    let path = format!("/api/v1/auctions/{auction}/events?after_seq=0");
    let mut stream = Sse::open(&server.anonymous(), &path).await;
    let mut last_id = String::new();
    for round in 0..25 {
        let amounts = 2000 + round * 10..;
        let bids = bidders.iter().zip(amounts).map(|(bidder, amount)| bidder.bid(&auction, amount));
        join_all(bids).await;
    }
    let head = server.anonymous().auction(&auction).await["seq"].as_i64().unwrap();
    for seq in 1..=head / 2 {
        let event = soon("a bid", stream.next_of("bid")).await;
        assert_eq!(event.json()["seq"], seq);
        last_id = event.id.unwrap();
    }
    drop(stream);
    let resumed = Sse::resume(&server.anonymous(), &format!("/api/v1/auctions/{auction}/events"), &last_id).await;
    let path = format!("/api/v1/auctions/{auction}/events?after_seq={}", head / 2);
    let asked = Sse::open(&server.anonymous(), &path).await;
    for mut again in [resumed, asked] {
        for seq in head / 2 + 1..=head {
            assert_eq!(soon("a missed bid", again.next_of("bid")).await.json()["seq"], seq);
        }
    }
    let mut ws = Ws::anonymous(&server).await;
    ws.subscribe_after(&auction, head / 2).await;
    for seq in head / 2 + 1..=head {
        assert_eq!(soon("a missed bid", ws.next_of("bid")).await["seq"], seq);
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_12_closed_connections_leave_no_timer_and_no_session_behind() {
    /// Well before the server would end sessions that take nothing, which hides those that were left behind.
    const GONE_WITHIN: Duration = Duration::from_secs(10);
    let server = Server::start().await;
    let auction = server.user("Seller").await.sell(3600).await;
    let anyone = server.anonymous();
    let mut streams = Vec::new();
    for _ in 0..100 {
        let clock = Sse::open(&anyone, "/sse").await;
        let events = Sse::open(&anyone, &format!("/api/v1/auctions/{auction}/events")).await;
        streams.push((clock, events, Ws::anonymous(&server).await));
    }
    let mut instants = BTreeSet::new();
    for (clock, events, _) in &mut streams {
        clock.next().await;
        events.next().await;
        instants.insert(clock.next().await.data);
    }
    assert!(instants.len() < streams.len() / 4, "each client has a clock of its own: {instants:?}");
    let open = server.metrics().await.sum("gavel_sessions", "kind=\"sse\"");
    assert!(open >= 100.0, "{open} sessions are counted");
    drop(streams);
    let dropped = Instant::now();
    eventually("no session to be left", || async {
        (server.metrics().await.sum("gavel_sessions", "") == 0.0).then_some(())
    })
    .await;
    assert!(dropped.elapsed() < GONE_WITHIN, "sessions were left for {:?}", dropped.elapsed());
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_13_the_room_is_what_was_asked_for_whatever_the_referer_says() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let (mine, other) = (seller.sell(3600).await, seller.sell(3600).await);
    let path = format!("/api/v1/auctions/{mine}/events");
    let base = server.url();
    let referers =
        [None, Some(format!("{base}/good/{other}")), Some(format!("{base}/good/{mine}?x=1")), Some("x".into())];
    let mut streams = Vec::new();
    for referer in &referers {
        let mut request = server.anonymous().request(Method::GET, &path);
        let mut headers = Vec::new();
        if let Some(referer) = referer {
            request = request.header("referer", referer);
            headers.push(("referer", referer.as_str()));
        }
        let mut sse = Sse::from_request(request).await;
        soon("a snapshot", sse.next_of("snapshot")).await;
        let mut ws = Ws::handshake(&server, &headers).await.unwrap();
        ws.subscribe(&mine).await;
        soon("a snapshot", ws.next_of("snapshot")).await;
        streams.push((sse, ws));
    }
    ann.bid(&other, 1500).await.expect(201);
    ann.bid(&mine, 2000).await.expect(201);
    for (mut sse, mut ws) in streams {
        assert_eq!(soon("a bid", sse.next_of("bid")).await.json()["auction_id"], mine.as_str());
        assert_eq!(soon("a bid", ws.next_of("bid")).await["auction_id"], mine.as_str());
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_14_live_endpoints_check_who_asks_and_the_page_names_no_host() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let mut ws = Ws::anonymous(&server).await;
    ws.bid(&auction, &uuid(), 2000).await;
    ws.send(&json!({"type": "ping", "t": 1})).await;
    soon("a pong", ws.next_of("pong")).await;
    assert_eq!(ann.auction(&auction).await["seq"], 0, "a stranger's bid does not count");
    let cookie = format!("gavel_session={}", ann.token());
    let elsewhere = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(Ws::handshake(&server, &elsewhere).await.err(), Some(403), "another site's page speaks as its visitor");
    let browser = Browser::signed_in(server.url(), &ann).await;
    let page = browser.get(&format!("/good/{auction}")).await;
    let code = page.text.clone() + &scripts(&browser, &page.text).await;
    for host in ["localhost", "127.0.0.1", ":8001", ":8010", ":8080"] {
        assert!(!code.contains(host), "the page names {host}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_15_one_closing_instant_for_the_page_the_check_and_the_close() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let whole_day = seller.create(&json!({"title": "A day", "start_price": 1})).await;
    let instants = ["starts_at", "ends_at"].map(|name| micros(whole_day[name].as_str().unwrap()));
    assert_eq!(instants[1] - instants[0], 86_400_000_000, "24 hours, whatever the calendar says");

    let (ann, bob) = (server.user("Ann").await, server.user("Bob").await);
    let auction = json!({"title": "A gavel", "start_price": 1, "duration_s": 3, "rules": {"leader_may_raise": true}});
    let mut ends = Vec::new();
    for _ in 0..4 {
        let ws = Ws::signed_in(&server, &bob).await;
        let created = seller.create(&auction).await;
        ends.push((ws, ["id", "ends_at"].map(|name| created[name].as_str().unwrap().to_owned())));
    }
    let [auction, ends_at] = ends[0].1.clone();
    let browser = Browser::new(server.url());
    let millis = (micros(&ends_at) / 1_000).to_string();
    for path in [format!("/good/{auction}"), "/".to_owned()] {
        let page = browser.get(&path).await.text;
        let counts_to = attribute(&page, "data-countdown", "data-ends");
        assert_eq!(counts_to.as_ref(), Some(&millis), "{path} does not count down to {ends_at}");
    }
    let at_the_ends = join_all(ends.into_iter().map(|(ws, [auction, ends_at])| bid_at_the_end(ws, auction, ends_at)));
    soon("the end", join(bid_until_refused(&ann, &auction, &ends_at), at_the_ends)).await;
    let story = soon("the end", crate::closing::whole_story(&server, &auction)).await;
    let late = micros(story.last().unwrap()["at"].as_str().unwrap()) - micros(&ends_at);
    assert!((0..200_000).contains(&late), "closed {late} µs after the instant");
    server.finish().await;
}

/// The check does not say no before the instant.
async fn bid_until_refused(bidder: &Client, auction: &str, ends_at: &str) {
    for amount in 2.. {
        let reply = bidder.bid(auction, amount).await;
        let now = now_micros();
        if reply.json()["code"] == "closed" {
            assert!(now >= micros(ends_at), "refused {} µs before the instant", micros(ends_at) - now);
            return assert_eq!(reply.json()["ends_at"], ends_at);
        }
    }
}

/// The check takes nothing at the instant or after it, though bids come in at a rate that leaves no gap.
async fn bid_at_the_end(mut ws: Ws, auction: String, ends_at: String) {
    let (ends_at, mut amount) = (micros(ends_at), 1_000_000);
    let until = ends_at - 30_000 - now_micros();
    tokio::time::sleep(Duration::from_micros(until.try_into().unwrap_or(0))).await;
    let mut last = String::new();
    while now_micros() < ends_at + 30_000 {
        for _ in 0..3 {
            last = uuid();
            amount += 1;
            ws.bid(&auction, &last, amount).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    loop {
        let receipt = ws.next_of("receipt").await;
        let taken = receipt["status"] == "accepted";
        assert!(!taken || micros(receipt["at"].as_str().unwrap()) < ends_at, "taken late: {receipt}");
        if receipt["bid_id"] == last.as_str() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_16_everyone_is_told_of_the_end_the_winner_and_a_higher_bid() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let browser = Browser::signed_in(server.url(), &ann).await;
    let mut anns = Ws::signed_in(&server, &ann).await;
    let auction = seller.sell(3).await;
    let room = format!("/good/{auction}");
    anns.subscribe(&auction).await;
    soon("a snapshot", anns.next_of("snapshot")).await;
    ann.bid(&auction, 2000).await.expect(201);
    assert_eq!(soon("a bid", anns.next_of("bid")).await["bidder"]["id"], ann.id.as_str());
    bob.bid(&auction, 3000).await.expect(201);
    assert_eq!(soon("a bid", anns.next_of("bid")).await["bidder"]["id"], bob.id.as_str(), "outbid");
    let page = browser.get(&room).await.text;
    assert_eq!(attribute(&page, "id=\"standing\"", "data-mood").as_deref(), Some("outbid"), "{page}");
    let closed = soon("the end", anns.next_of("closed")).await;
    assert_eq!((&closed["winner"]["id"], closed["amount"].as_i64()), (&json!(bob.id), Some(3000)));
    for browser in [browser, Browser::new(server.url())] {
        let page = browser.get(&room).await.text;
        let standing = text_of(&page, "id=\"standing\"").unwrap_or_default();
        assert!(standing.contains("Bob") && standing.contains("3,000"), "{standing:?} in {page}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_24_every_page_has_a_place_for_messages_and_shows_them_as_text() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let browser = Browser::signed_in(server.url(), &ann).await;
    let stranger = Browser::new(server.url());
    let room = format!("/good/{auction}");
    let form = browser.get(&room).await.text;
    let places = attribute(&form, "name=\"bid\"", "aria-describedby").expect("the form says why a bid is refused");
    for place in places.split_whitespace() {
        assert!(form.contains(&format!("id=\"{place}\"")), "the room lacks its {place}");
    }
    for (browser, path) in
        [(&stranger, "/"), (&stranger, "/join"), (&browser, "/"), (&browser, "/good"), (&browser, &room)]
    {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let live = page.text.contains("role=\"alert\"")
            || page.text.contains("aria-live=")
            || page.text.contains("role=\"status\"");
        assert!(live, "{path} has no place for a message");
        for parameter in ["error", "loginError", "auctionError"] {
            let query = format!("{path}?{parameter}=%EC%98%A4%EB%A5%98%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E");
            let page = send(browser.request(Method::GET, &query)).await;
            assert!(page.status == 200 && page.text.contains("오류"), "{query} does not show its message");
            assert!(!page.text.contains("<img src=x"), "{query} runs what it is given");
        }
    }
    server.finish().await;
}
