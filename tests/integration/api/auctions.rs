//! Creating auctions, showing one, listing many.

use serde_json::{Value, json};

use super::assert_refused;
use crate::harness::{Client, Server, micros, now_micros};

const DAY_US: i64 = 86_400_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_auction_shows_every_field_of_the_contract() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let created = seller.create(&json!({"title": "Gavel", "description": "Oak", "start_price": 1000})).await;
    let id = created["id"].as_str().unwrap();
    let shown = server.anonymous().auction(id).await;
    for auction in [&created, &shown] {
        assert_eq!(auction["title"], "Gavel");
        assert_eq!(auction["description"], "Oak");
        assert_eq!(auction["image_url"], Value::Null);
        assert_eq!(auction["seller"], json!({"id": seller.id, "nick": "Seller"}));
        assert_eq!(auction["currency"], "KRW");
        assert_eq!(auction["start_price"], 1000);
        assert_eq!(auction["top"], Value::Null);
        assert_eq!(auction["min_next"], 1001, "the first bid has to beat the start price");
        assert_eq!((auction["bid_count"].as_i64(), auction["seq"].as_i64()), (Some(0), Some(0)));
        assert_eq!(auction["state"], "open");
        assert_eq!(auction["winner"], Value::Null);
        let (from, to) = (micros(auction["starts_at"].as_str().unwrap()), micros(auction["ends_at"].as_str().unwrap()));
        assert_eq!(to - from, DAY_US, "the default is 24 hours to the millisecond");
        let server_time = micros(auction["server_time"].as_str().unwrap());
        assert!((server_time - now_micros()).abs() < 2_000_000, "{auction}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_rfc_3339_utc_with_milliseconds() {
    let server = Server::start().await;
    let time = server.anonymous().get("/api/v1/time").await.expect(200);
    let text = time["server_time"].as_str().unwrap();
    assert!(text.len() == "2026-11-24T05:46:29.123Z".len() && text.ends_with('Z'), "{text}");
    assert!((micros(text) - now_micros()).abs() < 2_000_000, "{text}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_may_start_later_and_end_at_an_instant() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let at = |hours: i64| jiff::Timestamp::from_microsecond(now_micros() + hours * 3_600_000_000).unwrap().to_string();
    let (starts_at, ends_at) = (at(1), at(2));
    let body = json!({"title": "Later", "start_price": 1000, "starts_at": starts_at, "ends_at": ends_at});
    let auction = seller.create(&body).await;
    assert_eq!(auction["state"], "scheduled");
    assert_eq!(micros(auction["ends_at"].as_str().unwrap()) / 1000, micros(&ends_at) / 1000);
    let problem = ann.bid(auction["id"].as_str().unwrap(), 2000).await.problem(409, "not_started");
    assert_eq!(problem["starts_at"], auction["starts_at"]);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_travel_with_their_auction() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let rules = json!({"min_increment": 500, "leader_may_raise": true});
    let body = json!({"title": "Raise", "start_price": 1000, "currency": "USD", "rules": rules});
    let auction = seller.create(&body).await;
    assert_eq!((&auction["currency"], auction["min_next"].as_i64()), (&json!("USD"), Some(1500)));
    let id = auction["id"].as_str().unwrap();
    ann.bid(id, 1499).await.problem(409, "too_low");
    assert_eq!(ann.bid(id, 1500).await.expect(201)["min_next"], 2000);
    ann.bid(id, 2000).await.expect(201);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_of_the_wrong_form_is_refused() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let good = json!({"title": "Good", "start_price": 1000, "duration_s": 60});
    let wrong = [
        ("title", json!("")),
        ("title", json!("x".repeat(121))),
        ("title", json!(7)),
        ("title", Value::Null),
        ("start_price", json!(-1)),
        ("start_price", json!(10.5)),
        ("start_price", json!("1000")),
        ("start_price", json!(2_000_000_000_000_000_i64)),
        ("start_price", Value::Null),
        ("duration_s", json!(0)),
        ("duration_s", json!(-5)),
        ("duration_s", json!(1_000_000_000)),
        ("currency", json!("XXX")),
        ("currency", json!("krw ")),
        ("description", json!("x".repeat(5_001))),
        ("image_id", json!("no-such-picture")),
        ("ends_at", json!("tomorrow")),
        ("ends_at", json!("2001-01-01T00:00:00Z")),
        ("rules", json!({"min_increment": 0})),
        ("rules", json!({"min_increment": -1})),
        ("rules", json!({"soft_close": true})),
        ("winner", json!("1")),
    ];
    for (field, value) in wrong {
        let mut body = good.clone();
        body[field] = value;
        let reply = seller.post("/api/v1/auctions", &body).await;
        assert!(matches!(reply.status, 400 | 422), "{body} got {reply:?}");
        assert_refused(&reply);
    }
    let both = json!({"title": "Both", "start_price": 1, "duration_s": 60, "ends_at": "2100-01-01T00:00:00Z"});
    assert_refused(&seller.post("/api/v1/auctions", &both).await);
    server.anonymous().post("/api/v1/auctions", &good).await.problem(401, "unauthenticated");
    let all = seller.get("/api/v1/auctions").await.expect(200);
    assert_eq!(all["items"], json!([]), "nothing was created");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_that_does_not_exist_is_not_found() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    for id in ["1", "999999999999", "0", "-1", "9223372036854775808", "abc", "%00", "1%2F2"] {
        ann.get(&format!("/api/v1/auctions/{id}")).await.problem(404, "not_found");
        ann.get(&format!("/api/v1/auctions/{id}/bids")).await.problem(404, "not_found");
        ann.bid(id, 2000).await.problem(404, "not_found");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_pages_through_everything_soonest_closing_first() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    for seconds in [500, 100, 300, 300, 300, 200, 400] {
        seller.sell(seconds).await;
    }
    let whole = pages(&seller, "limit=1000").await;
    assert_eq!(whole.len(), 7);
    for limit in [1, 2, 3, 7] {
        assert_eq!(ids(&pages(&seller, &format!("limit={limit}")).await), ids(&whole), "limit={limit}");
    }
    let ends = whole.iter().map(|item| micros(item["ends_at"].as_str().unwrap())).collect::<Vec<_>>();
    assert!(ends.is_sorted(), "{ends:?}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_up_to_its_limit_and_long_descriptions_end_it_earlier() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let long = "긴".repeat(5_000);
    for number in 0..100 {
        let description = if number < 90 { &long } else { "" };
        let auction = json!({"title": format!("{number}"), "start_price": 1, "description": description});
        seller.create(&auction).await;
    }
    let usual = seller.get("/api/v1/auctions").await.expect(200);
    assert_eq!(usual["items"].as_array().unwrap().len(), 50, "the default");
    let reply = seller.get("/api/v1/auctions?limit=1000").await;
    let page = reply.expect(200);
    assert!(reply.text.len() < 1_200_000, "{} bytes", reply.text.len());
    assert!((50..90).contains(&page["items"].as_array().unwrap().len()) && page["next_cursor"].is_string());
    let all = pages(&seller, "limit=1000").await;
    assert_eq!(all.len(), 100);
    assert_eq!(ids(&all).iter().collect::<std::collections::BTreeSet<_>>().len(), 100);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_shows_one_state_when_asked() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let short = seller.sell(1).await;
    let long = seller.sell(3600).await;
    let mut sse = crate::harness::Sse::open(&seller, &format!("/api/v1/auctions/{short}/events")).await;
    sse.next_of("closed").await;
    assert_eq!(ids(&pages(&seller, "state=open").await), [long]);
    assert_eq!(ids(&pages(&seller, "state=closed").await), [short]);
    assert!(pages(&seller, "state=scheduled").await.is_empty());
    let negative = format!("cursor={}", "f".repeat(32));
    let wrong = ["state=sold", "limit=0", "limit=1001", "limit=-1", "limit=x", "cursor=x", "cursor=%FF", "page=2"];
    for query in wrong.into_iter().chain([&*negative]) {
        assert_refused(&seller.get(&format!("/api/v1/auctions?{query}")).await);
    }
    server.finish().await;
}

async fn pages(client: &Client, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/auctions?{query}{cursor}")).await.expect(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
        assert!(all.len() < 1000, "the cursor does not come to an end");
    }
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
