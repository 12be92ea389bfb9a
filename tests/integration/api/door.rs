//! What operators ask, documents, and requests that no route takes.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::harness::{Server, send};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_that_it_is_up_and_ready() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    assert_eq!(anyone.get("/healthz").await.status, 200);
    assert_eq!(anyone.get("/readyz").await.status, 200);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_prometheus_text_and_count_what_happens() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    ann.bid(&auction, 2000).await.expect(201);
    ann.bid(&auction, 1).await.problem(409, "too_low");
    let metrics = server.metrics().await;
    assert!(metrics.sum("gavel_bids_total", "accepted") >= 1.0, "{:?}", metrics.names());
    assert!(metrics.sum("gavel_bids_total", "too_low") >= 1.0, "{:?}", metrics.names());
    for subject in ["bid", "session", "commit", "event", "clock", "batch"] {
        assert!(metrics.names().iter().any(|name| name.starts_with("gavel_") && name.contains(subject)), "{subject}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_lists_every_route_of_the_contract() {
    let server = Server::start().await;
    let document = server.anonymous().get("/api/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    let known = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| format!("{method} {}", unnamed(path)))
    });
    let known = known.collect::<BTreeSet<_>>();
    let contract = [
        "post /api/v1/users",
        "post /api/v1/sessions",
        "delete /api/v1/sessions/current",
        "get /api/v1/me",
        "post /api/v1/images",
        "post /api/v1/auctions",
        "get /api/v1/auctions",
        "get /api/v1/auctions/{}",
        "get /api/v1/auctions/{}/bids",
        "post /api/v1/auctions/{}/bids",
        "get /api/v1/time",
        "get /api/v1/auctions/{}/events",
        "get /api/v1/events",
        "get /api/v1/ws",
    ];
    for route in contract {
        assert!(known.contains(route), "{route} is not in {known:?}");
    }
    server.finish().await;
}

fn unnamed(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_page_is_served_without_a_network() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    let mut reply = anyone.get("/api/docs").await;
    if matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
        let location = reply.header("location").to_owned();
        let path = if location.starts_with('/') { location } else { format!("/api/{location}") };
        reply = anyone.get(&path).await;
    }
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.header("content-type").starts_with("text/html"), "{reply:?}");
    let foreign = reply.text.match_indices("src=\"http").count() + reply.text.match_indices("href=\"http").count();
    assert_eq!(foreign, 0, "loads from elsewhere: {}", reply.text);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_route_or_method_is_answered_as_a_problem() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    ann.get("/api/v1/nothing").await.problem(404, "not_found");
    ann.get("/api/v2/auctions").await.problem(404, "not_found");
    let reply = ann.delete("/api/v1/auctions").await;
    assert!(matches!(reply.status, 404 | 405), "{reply:?}");
    assert!(reply.header("content-type").starts_with("application/problem+json"), "{reply:?}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_the_wrong_size_or_type_is_refused() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let bids = format!("/api/v1/auctions/{auction}/bids");
    let large = "x".repeat(65 * 1024);
    for path in ["/api/v1/users", "/api/v1/sessions", "/api/v1/auctions", &bids] {
        let json = format!("{{\"title\":\"{large}\"}}");
        ann.post_raw(path, "application/json", json).await.problem(413, "too_large");
        let reply = ann.post_raw(path, "text/plain", "{}").await;
        assert_eq!(reply.status, 415, "{path}: {reply:?}");
        assert!(reply.header("content-type").starts_with("application/problem+json"), "{reply:?}");
        let reply = ann.post_raw(path, "application/xml", "<bid/>").await;
        assert_eq!(reply.status, 415, "{path}: {reply:?}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_answers_carry_headers_that_keep_browsers_safe() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    let page = anyone.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{page:?}");
    assert!(page.header("content-security-policy").contains("default-src"), "{page:?}");
    let head = send(anyone.request(Method::HEAD, "/")).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let answer = anyone.get("/api/v1/auctions").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_only_true_now_is_kept_by_a_cache() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    let now = ["/healthz", "/readyz", "/metrics", "/api/v1/time", "/api/v1/auctions"];
    for path in now.into_iter().chain(["/nothing", "/img/none.jpg", "/api/nothing", "/api/v1/auctions/1"]) {
        let reply = anyone.get(path).await;
        assert_eq!(reply.header("cache-control"), "no-store", "{path}: {reply:?}");
    }
    server.finish().await;
}
