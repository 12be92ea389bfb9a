//! Sign-up, sign-in, sign-out, and who may change state with a cookie.

use reqwest::Method;
use serde_json::{Value, json};

use super::assert_refused;
use crate::harness::{Browser, Server, Sse, Ws, micros, now_micros, send};

fn sign_up(email: &str) -> Value {
    json!({"email": email, "nick": "Ann", "password": "a-good-password"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_up_once_for_an_address_in_any_case() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    let user = anyone.post("/api/v1/users", &sign_up("ann@test.example")).await.expect(201);
    assert!(user["id"].is_string(), "{user}");
    assert_eq!((user["email"].as_str(), user["nick"].as_str()), (Some("ann@test.example"), Some("Ann")));
    assert!(user.get("password").is_none(), "{user}");
    anyone.post("/api/v1/users", &sign_up("ann@test.example")).await.problem(409, "email_taken");
    anyone.post("/api/v1/users", &sign_up("ANN@test.example")).await.problem(409, "email_taken");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sign_ups_for_one_address_at_once_make_one_user() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    let body = sign_up("ann@test.example");
    let replies = futures_util::future::join_all((0..8).map(|_| anyone.post("/api/v1/users", &body))).await;
    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(created, 1, "{replies:?}");
    replies.iter().filter(|reply| reply.status != 201).for_each(|reply| drop(reply.problem(409, "email_taken")));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_names_each_field_that_is_wrong() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    let body = json!({"email": "no-address", "nick": "", "password": "short"});
    let problem = anyone.post("/api/v1/users", &body).await.problem(422, "invalid").to_string();
    for field in ["email", "nick", "password"] {
        assert!(problem.contains(field), "{field} is not named: {problem}");
    }
    let mut unknown = sign_up("ann@test.example");
    unknown["admin"] = json!(true);
    assert_refused(&anyone.post("/api/v1/users", &unknown).await);
    for missing in ["email", "nick", "password"] {
        let mut body = sign_up("ann@test.example");
        body.as_object_mut().unwrap().remove(missing);
        assert_refused(&anyone.post("/api/v1/users", &body).await);
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_gives_a_token_and_a_cookie_that_scripts_cannot_read() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let body = json!({"email": ann.email, "password": crate::harness::PASSWORD});
    let reply = server.anonymous().post("/api/v1/sessions", &body).await;
    let session = reply.expect(201);
    assert!(session["token"].as_str().unwrap().len() >= 32, "{session}");
    assert_eq!(session["user"]["id"], ann.id.as_str());
    assert!(micros(session["expires_at"].as_str().unwrap()) > now_micros());
    let cookie = reply.header("set-cookie").to_ascii_lowercase();
    assert!(cookie.contains("httponly") && cookie.contains("samesite="), "{cookie}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_and_a_wrong_password_get_the_same_answer() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let wrong = json!({"email": ann.email, "password": "not-her-password"});
    let unknown = json!({"email": "nobody@test.example", "password": "not-her-password"});
    let wrong = server.anonymous().post("/api/v1/sessions", &wrong).await.problem(401, "bad_credentials");
    let unknown = server.anonymous().post("/api/v1/sessions", &unknown).await.problem(401, "bad_credentials");
    assert_eq!(wrong, unknown);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_token_and_its_live_streams_and_no_other() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let elsewhere = ann.sign_in().await;
    let auction = ann.sell(3600).await;
    let mut sse = Sse::open(&ann, &format!("/api/v1/auctions/{auction}/events")).await;
    sse.next_of("hello").await;
    let mut ws = Ws::signed_in(&server, &ann).await;
    ws.subscribe(&auction).await;
    ws.next_of("snapshot").await;
    let mut other = Ws::signed_in(&server, &elsewhere).await;

    assert_eq!(ann.delete("/api/v1/sessions/current").await.status, 204);
    let code = ws.close_code().await;
    assert!((4000..5000).contains(&code), "signed out is a close code of ours, not {code}");
    sse.until_ended().await;
    ann.get("/api/v1/me").await.problem(401, "unauthenticated");

    other.send(&json!({"type": "ping", "t": 1})).await;
    assert_eq!(other.next_of("pong").await["t"], 1);
    elsewhere.get("/api/v1/me").await.expect(200);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sign_in_too_many_ends_the_oldest_with_its_live_streams() {
    let server = Server::start().await;
    let oldest = server.user("Ann").await;
    let newer = oldest.sign_in().await;
    let auction = oldest.sell(3600).await;
    let mut sse = Sse::open(&oldest, &format!("/api/v1/auctions/{auction}/events")).await;
    let mut ws = Ws::signed_in(&server, &oldest).await;
    let mut other = Ws::signed_in(&server, &newer).await;
    for _ in 2..gavel::limits::TOKENS_PER_USER_MAX {
        oldest.sign_in().await;
    }
    assert_eq!(ws.answers_ping_or_closes().await, None, "as many as one may have");
    newer.sign_in().await;
    assert_eq!(ws.close_code().await, 4001);
    sse.until_ended().await;
    oldest.get("/api/v1/me").await.problem(401, "unauthenticated");
    assert_eq!(other.answers_ping_or_closes().await, None);
    newer.get("/api/v1/me").await.expect(200);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn my_page_shows_my_bids_and_what_i_won() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(2).await;
    ann.bid(&auction, 2000).await.expect(201);
    let me = ann.get("/api/v1/me").await.expect(200);
    let text = me.to_string();
    assert!(text.contains(&ann.email) && text.contains("2000"), "{me}");
    let mut sse = Sse::open(&ann, &format!("/api/v1/auctions/{auction}/events")).await;
    sse.next_of("closed").await;
    let me = ann.get("/api/v1/me").await.expect(200);
    assert!(me["won"].to_string().contains(&format!("\"{auction}\"")), "{me}");
    server.anonymous().get("/api/v1/me").await.problem(401, "unauthenticated");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_changes_state_only_from_our_own_origin() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let browser = Browser::signed_in(server.url(), &ann).await;
    let path = format!("/api/v1/auctions/{auction}/bids");
    let bid = json!({"bid_id": crate::harness::uuid(), "amount": 5000});
    assert_eq!(send(browser.foreign(Method::POST, &path).json(&bid)).await.status, 403);
    let only_origin = browser.request(Method::POST, &path).header("origin", "https://evil.example");
    assert_eq!(send(only_origin.json(&bid)).await.status, 403);
    let null_origin = browser.request(Method::POST, &path).header("origin", "null");
    assert_eq!(send(null_origin.json(&bid)).await.status, 403);
    let only_site = browser.request(Method::POST, &path).header("sec-fetch-site", "cross-site");
    assert_eq!(send(only_site.json(&bid)).await.status, 403);
    assert_eq!(send(browser.foreign(Method::DELETE, "/api/v1/sessions/current")).await.status, 403);
    assert_eq!(ann.auction(&auction).await["seq"], 0, "nothing happened");
    send(browser.own(Method::POST, &path).json(&bid)).await.expect(201);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_needs_no_origin() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let path = format!("/api/v1/auctions/{auction}/bids");
    let bid = json!({"bid_id": crate::harness::uuid(), "amount": 5000});
    let foreign = ann.request(Method::POST, &path).header("origin", "https://an.app.example");
    send(foreign.json(&bid)).await.expect(201);
    let false_token = server.anonymous().request(Method::POST, &path).bearer_auth("made-up");
    send(false_token.json(&bid)).await.problem(401, "unauthenticated");
    server.finish().await;
}
