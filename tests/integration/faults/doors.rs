//! Faults of accounts and uploads: 22 and 23.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::harness::{Browser, Server, send};

#[tokio::test(flavor = "multi_thread")]
async fn fault_22_sign_up_fields_are_required_and_checked() {
    let server = Server::start().await;
    let good = [("email", "ann@test.example"), ("nick", "Ann"), ("password", "a-good-password"), ("money", "0")];
    for (name, wrong) in
        [("email", ""), ("email", "no address"), ("nick", ""), ("nick", "  "), ("password", ""), ("password", "short")]
    {
        let browser = Browser::new(server.url());
        let fields = good.map(|(field, value)| if field == name { (field, wrong) } else { (field, value) });
        let form = browser.form("/auth/join", &fields).await;
        let location = form.header("location");
        assert!(form.status >= 400 || location.contains("error="), "{name}={wrong:?}: {form:?}");
        let body = json!({"email": fields[0].1, "nick": fields[1].1, "password": fields[2].1});
        let problem = server.anonymous().post("/api/v1/users", &body).await.problem(422, "invalid");
        assert!(problem.to_string().contains(name), "{name} is not named: {problem}");
    }
    for left_out in ["email", "nick", "password"] {
        let fields = good.iter().copied().filter(|(name, _)| *name != left_out).collect::<Vec<_>>();
        let form = Browser::new(server.url()).form("/auth/join", &fields).await;
        assert!(form.status >= 400 || form.header("location").contains("error="), "no {left_out}: {form:?}");
        let mut body = json!({"email": good[0].1, "nick": good[1].1, "password": good[2].1});
        body.as_object_mut().unwrap().remove(left_out);
        let problem = server.anonymous().post("/api/v1/users", &body).await.problem(422, "invalid");
        assert!(problem.to_string().contains(left_out), "{left_out} is not named: {problem}");
    }
    let empty = Browser::new(server.url()).form("/auth/join", &[]).await;
    assert!(empty.status < 500 && (empty.status >= 400 || empty.header("location").contains("error=")), "{empty:?}");
    let login = json!({"email": "ann@test.example", "password": "a-good-password"});
    server.anonymous().post("/api/v1/sessions", &login).await.problem(401, "bad_credentials");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_23_other_sites_neither_sign_out_nor_change_state_and_uploads_are_pictures() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let auction = server.user("Seller").await.sell(3600).await;
    let browser = Browser::signed_in(server.url(), &ann).await;

    let out = send(browser.foreign(Method::GET, "/auth/logout")).await;
    assert!(out.status < 500, "{out:?}");
    assert_eq!(browser.get("/api/v1/me").await.status, 200, "still signed in");
    for (method, path) in [(Method::POST, "/auth/logout"), (Method::DELETE, "/api/v1/sessions/current")] {
        assert_eq!(send(browser.foreign(method.clone(), path)).await.status, 403, "{method} {path}");
        assert_eq!(browser.get("/api/v1/me").await.status, 200, "still signed in after {method} {path}");
    }
    let form = "application/x-www-form-urlencoded";
    let bid = browser
        .foreign(Method::POST, &format!("/good/{auction}/bid"))
        .header("content-type", form)
        .body("bid=5000&msg=");
    assert_eq!(send(bid).await.status, 403);
    let join = browser.foreign(Method::POST, "/auth/login").header("content-type", form).body("email=x&password=y");
    assert_eq!(send(join).await.status, 403);
    let photo = Part::bytes(b"<html><script>alert(1)</script></html>".to_vec())
        .file_name("x.html")
        .mime_str("text/html")
        .unwrap();
    let item = Form::new().text("name", "Trojan").text("price", "1").part("img", photo);
    let reply = browser.multipart("/good", item).await;
    assert!(reply.status >= 400 || reply.header("location").contains("rror="), "{reply:?}");
    let foreign = Form::new().text("name", "Foreign").text("price", "1");
    assert_eq!(send(browser.foreign(Method::POST, "/good").multipart(foreign)).await.status, 403);

    let shown = ann.get("/api/v1/auctions").await.expect(200);
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(ann.auction(&auction).await["seq"], 0);
    server.finish().await;
}
