//! The pages: what a refused form keeps, what a reader finds again, and what people see in place of problems.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use super::images::picture;
use crate::harness::{Browser, PASSWORD, Reply, Server, Sse, send, unpercent};

fn item(price: &str, picture: Vec<u8>) -> Form {
    let photo = Part::bytes(picture).file_name("photo.png").mime_str("image/png").unwrap();
    let texts = [("name", "A lamp"), ("price", price), ("currency", "EUR"), ("description", "brass, old")];
    texts.into_iter().fold(Form::new(), |form, (name, text)| form.text(name, text.to_owned())).part("img", photo)
}

fn small() -> Vec<u8> {
    picture(image::ImageFormat::Png, 16)
}

async fn sell(browser: &Browser, form: Form) -> Reply {
    send(browser.own(Method::POST, "/good").header("accept", "text/html").multipart(form)).await
}

#[track_caller]
fn assert_kept(page: &Reply) {
    for kept in [r#"value="A lamp""#, ">brass, old</textarea>", r#"<option value="EUR" selected>"#] {
        assert!(page.text.contains(kept), "{kept} is lost: {}", page.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_item_keeps_the_end_that_was_chosen() {
    let server = Server::start().await;
    let browser = Browser::signed_in(server.url(), &server.user("Ann").await).await;
    let ends_at = "2031-05-06T07:08:00.000Z";
    let custom = item("abc", small()).text("duration_s", "custom").text("ends_at", ends_at);
    let page = sell(&browser, custom).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert_kept(&page);
    assert!(page.text.contains(r#"value="custom" id="custom-duration" selected"#), "{}", page.text);
    assert!(page.text.contains(&format!(r#"id="ends-at" value="{ends_at}""#)), "{}", page.text);
    for (sent, chosen) in [("21600", "21600"), ("604800", "604800"), ("abc", "86400"), ("", "86400")] {
        let page = sell(&browser, item("abc", small()).text("duration_s", sent)).await;
        assert!(page.text.contains(&format!(r#"<option value="{chosen}" selected>"#)), "{sent}: {}", page.text);
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_item_keeps_its_texts_whatever_the_reason() {
    let server = Server::with(&[("LIMITS__ENABLED", "true"), ("LIMITS__WRITES_PER_SECOND", "1")]).await;
    let browser = Browser::signed_in(server.url(), &server.user("Ann").await).await;
    let page = sell(&browser, item("10", vec![7; 6 * 1_024 * 1_024])).await;
    assert_eq!(page.status, 413, "{page:?}");
    assert_kept(&page);
    let mut page = sell(&browser, item("10", small())).await;
    for _ in 0..100 {
        if page.status == 429 {
            break;
        }
        page = sell(&browser, item("10", small())).await;
    }
    assert!(page.header("retry-after").parse::<u64>().unwrap() >= 1, "{page:?}");
    assert_kept(&page);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_bid_is_found_again_after_hundreds_elsewhere() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let lamp = seller.create(&json!({"title": "벽등", "start_price": 1})).await;
    let lamp = lamp["id"].as_str().unwrap();
    ann.bid(lamp, 10).await.expect(201);
    bob.bid(lamp, 20).await.expect(201);
    let busy = json!({"title": "의자", "start_price": 1, "rules": {"leader_may_raise": true}});
    let busy = seller.create(&busy).await;
    for amount in 2..=203 {
        ann.bid(busy["id"].as_str().unwrap(), amount).await.expect(201);
    }
    let browser = Browser::signed_in(server.url(), &ann).await;
    let list = browser.get("/list").await;
    assert!(list.text.contains("벽등") && list.text.contains("Outbid"), "{}", list.text);
    let room = browser.get(&format!("/good/{lamp}")).await;
    assert!(room.text.contains("You were outbid: Bob leads."), "{}", room.text);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_finds_what_was_put_up() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    seller.create(&json!({"title": "벽시계", "start_price": 1000})).await;
    let list = Browser::signed_in(server.url(), &seller).await.get("/list").await;
    assert!(list.text.contains("Items I put up") && list.text.contains("벽시계"), "{}", list.text);
    let other = Browser::signed_in(server.url(), &server.user("Ann").await).await.get("/list").await;
    assert!(!other.text.contains("벽시계"), "{}", other.text);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_up_keeps_all_but_the_password() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let browser = Browser::new(server.url());
    for (email, password, status, text) in [
        (ann.email.as_str(), "long-enough-1", 409, "already registered"),
        ("zoe@test.example", "pw-7x", 422, "8 to 128"),
    ] {
        let body = format!("email={}&nick=Zo%C3%AB&password={password}", email.replace('@', "%40"));
        let request = browser.own(Method::POST, "/auth/join").header("accept", "text/html");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let page = send(request).await;
        assert_eq!(page.status, status, "{page:?}");
        assert!(page.text.contains(&format!(r#"value="{email}""#)) && page.text.contains(r#"value="Zoë""#), "{page:?}");
        assert!(page.text.contains(text) && !page.text.contains(password), "{page:?}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_on_the_way_to_a_page_comes_back_to_it() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    for path in ["/list", "/good"] {
        let browser = Browser::new(server.url());
        let away = browser.get(path).await;
        let sign_in = browser.get(away.header("location")).await;
        assert!(sign_in.text.contains(&format!(r#"name="next" value="{path}""#)), "{away:?} {}", sign_in.text);
        let wrong = [("email", ann.email.as_str()), ("password", "wrong-wrong"), ("next", path)];
        let wrong = browser.form("/auth/login", &wrong).await;
        let again = browser.get(wrong.header("location")).await;
        let told = unpercent(again.header("location"));
        assert!(told.contains("비밀번호가") && told.ends_with(&format!("next={path}")), "{told}");
        let back = [("email", ann.email.as_str()), ("password", PASSWORD), ("next", path)];
        assert_eq!(browser.form("/auth/login", &back).await.header("location"), path);
    }
    let evil = Browser::new(server.url()).get("/?next=//evil.example").await;
    assert!(!evil.text.contains("evil.example"), "{}", evil.text);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_says_when_it_opens_and_that_it_has_ended() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let starts_at = "2027-11-01T09:00:00.000Z";
    let later = json!({"title": "Later", "start_price": 1, "starts_at": starts_at, "duration_s": 60});
    let later = seller.create(&later).await;
    let short = seller.sell(1).await;
    let browser = Browser::new(server.url());
    let room = browser.get(&format!("/good/{}", later["id"].as_str().unwrap())).await;
    assert!(room.text.contains("Bidding opens at") && room.text.contains(starts_at), "{}", room.text);
    assert!(room.text.contains(r#"id="ends-label">Ends<"#), "{}", room.text);
    Sse::open(&seller, &format!("/api/v1/auctions/{short}/events")).await.next_of("closed").await;
    let room = browser.get(&format!("/good/{short}")).await;
    assert!(room.text.contains(r#"id="ends-label">Ended<"#), "{}", room.text);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_more_than_can_be_bid() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    ann.bid(&auction, 1_000_000_000_000_000).await.expect(201);
    let room = Browser::signed_in(server.url(), &bob).await.get(&format!("/good/{auction}")).await;
    assert!(room.text.contains("No higher bid is possible") && !room.text.contains("bid-form"), "{}", room.text);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_a_page_where_programs_get_a_problem() {
    let server = Server::with(&[("LIMITS__ENABLED", "true"), ("LIMITS__READS_PER_SECOND", "1")]).await;
    let browser = Browser::new(server.url());
    let html = "text/html,*/*;q=0.8";
    let foreign = browser.foreign(Method::POST, "/auth/login").header("accept", html);
    let foreign = send(foreign).await;
    let method = send(browser.own(Method::POST, "/").header("accept", html)).await;
    assert_eq!((method.status, method.header("allow")), (405, "GET, HEAD"), "{method:?}");
    let mut limited = browser.get("/good/4").await;
    for _ in 0..100 {
        if limited.status == 429 {
            break;
        }
        limited = browser.get("/good/4").await;
    }
    assert!(limited.header("retry-after").parse::<u64>().unwrap() >= 1, "{limited:?}");
    for (page, status) in [(foreign, 403), (method, 405), (limited, 429)] {
        assert_eq!(page.status, status, "{page:?}");
        assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
        assert!(page.header("content-security-policy").contains("default-src"), "{page:?}");
    }
    let program = send(browser.foreign(Method::POST, "/auth/login")).await;
    program.problem(403, "forbidden_origin");
    server.finish().await;
}
