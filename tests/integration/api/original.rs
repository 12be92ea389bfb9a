//! The original application's addresses and texts.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use super::images::picture;
use crate::harness::{Browser, Server, Sse, send, unpercent};

fn photo_form(name: &str, price: &str) -> Form {
    let photo = Part::bytes(picture(image::ImageFormat::Png, 16)).file_name("photo.png").mime_str("image/png").unwrap();
    Form::new().text("name", name.to_owned()).text("price", price.to_owned()).part("img", photo)
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_joins_signs_in_sells_and_signs_out_through_the_forms() {
    let server = Server::start().await;
    let browser = Browser::new(server.url());
    let join = [("email", "zero@test.example"), ("nick", "zero"), ("password", "long-enough"), ("money", "10000")];
    assert_eq!(browser.get("/join").await.status, 200);
    let reply = browser.form("/auth/join", &join).await;
    assert!(matches!(reply.status, 302 | 303) && reply.header("location").starts_with('/'), "{reply:?}");

    let again = Browser::new(server.url()).form("/auth/join", &join).await;
    let location = unpercent(again.header("location"));
    assert!(location.ends_with("/join?error=이미 가입된 이메일입니다."), "{location}");

    let login = [("email", "zero@test.example"), ("password", "long-enough")];
    assert!(matches!(browser.form("/auth/login", &login).await.status, 302 | 303));
    assert_eq!(browser.get("/good").await.status, 200);
    let sold = browser.multipart("/good", photo_form("오래된 의자", "1000")).await;
    assert!(matches!(sold.status, 302 | 303), "{sold:?}");
    let list = browser.get("/").await;
    assert!(list.status == 200 && list.text.contains("오래된 의자"), "{list:?}");

    let out = send(browser.own(Method::GET, "/auth/logout")).await;
    assert!(matches!(out.status, 302 | 303), "{out:?}");
    assert_eq!(browser.get("/api/v1/me").await.status, 401);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sign_in_comes_back_with_one_text_for_both_causes() {
    let server = Server::start().await;
    let ann = server.user("Ann").await;
    let browser = Browser::new(server.url());
    let unknown = browser.form("/auth/login", &[("email", "no@test.example"), ("password", "whatever-it-is")]).await;
    let wrong = browser.form("/auth/login", &[("email", &ann.email), ("password", "whatever-it-is")]).await;
    assert!(unpercent(unknown.header("location")).starts_with("/?"), "{unknown:?}");
    assert_eq!(unknown.header("location"), wrong.header("location"));
    let page = browser.get(wrong.header("location")).await;
    assert_eq!(page.status, 200);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bids_are_answered_with_the_original_texts_in_the_original_order() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let (auction, short) = (seller.sell(3600).await, seller.sell(1).await);
    let (anns, bobs) = (Browser::signed_in(server.url(), &ann).await, Browser::signed_in(server.url(), &bob).await);
    let path = format!("/good/{auction}/bid");

    let stranger = Browser::new(server.url()).form(&path, &[("bid", "2000")]).await;
    assert_eq!((stranger.status, stranger.text.contains("로그인")), (403, true), "{stranger:?}");
    let nothing = anns.form("/good/424242/bid", &[("bid", "2000")]).await;
    assert_eq!((nothing.status, nothing.text.as_str()), (404, "해당 상품은 존재하지 않습니다."));
    let low = anns.form(&path, &[("bid", "1000"), ("msg", "")]).await;
    assert_eq!((low.status, low.text.as_str()), (403, "시작 가격보다 높게 입찰해야 합니다."));
    let ok = anns.form(&path, &[("bid", "2000"), ("msg", "내 것")]).await;
    assert_eq!((ok.status, ok.text.as_str()), (200, "ok"), "{ok:?}");
    let json = send(bobs.own(Method::POST, &path).json(&json!({"bid": 2000, "msg": ""}))).await;
    assert_eq!((json.status, json.text.as_str()), (403, "이전 입찰가보다 높아야 합니다"));
    let json = send(bobs.own(Method::POST, &path).json(&json!({"bid": 3000, "msg": "아니요"}))).await;
    assert_eq!((json.status, json.text.as_str()), (200, "ok"), "{json:?}");

    Sse::open(&ann, &format!("/api/v1/auctions/{short}/events")).await.next_of("closed").await;
    let late = anns.form(&format!("/good/{short}/bid"), &[("bid", "5000")]).await;
    assert_eq!((late.status, late.text.as_str()), (403, "경매가 이미 종료되었습니다"));
    let below = anns.form(&format!("/good/{short}/bid"), &[("bid", "500")]).await;
    assert_eq!(
        (below.status, below.text.as_str()),
        (403, "시작 가격보다 높게 입찰해야 합니다."),
        "the first that holds"
    );

    let history = ann.bids(&auction).await;
    assert_eq!(history.len(), 2);
    assert_eq!(history[0]["message"], "내 것");
    let room = anns.get(&format!("/good/{auction}")).await;
    assert!(room.status == 200 && room.text.contains("내 것") && room.text.contains("아니요"), "{}", room.text);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_for_members_send_strangers_away() {
    let server = Server::start().await;
    let browser = Browser::new(server.url());
    for path in ["/good", "/list"] {
        let reply = browser.get(path).await;
        assert!(matches!(reply.status, 302 | 303), "{path}: {reply:?}");
    }
    let sold = browser.multipart("/good", photo_form("의자", "1000")).await;
    assert!(matches!(sold.status, 302 | 303 | 401 | 403), "{sold:?}");
    assert_eq!(server.anonymous().get("/api/v1/auctions").await.expect(200)["items"], json!([]));
    assert_eq!(browser.get("/good/424242").await.status, 404);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_won_item_is_on_the_winners_list_with_its_price() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let item = seller.create(&json!({"title": "벽시계", "start_price": 1000, "duration_s": 2})).await;
    let id = item["id"].as_str().unwrap();
    bob.bid(id, 1500).await.expect(201);
    ann.bid(id, 77_700).await.expect(201);
    Sse::open(&ann, &format!("/api/v1/auctions/{id}/events")).await.next_of("closed").await;
    let won = Browser::signed_in(server.url(), &ann).await.get("/list").await;
    assert!(won.text.contains("벽시계") && won.text.contains("77,700"), "{}", won.text);
    let lost = Browser::signed_in(server.url(), &bob).await.get("/list").await;
    assert!(lost.status == 200 && !lost.text.contains("벽시계"), "{}", lost.text);
    server.finish().await;
}
