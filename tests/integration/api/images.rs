//! Pictures: what is taken, what is shown.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::harness::{Client, Reply, Server, send};

/// A picture of a few colours in this format.
pub(crate) fn picture(format: ImageFormat, side: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let pixels =
        image::RgbImage::from_fn(side, side, |x, y| image::Rgb([x, y, x ^ y].map(|part| part.to_le_bytes()[0])));
    DynamicImage::ImageRgb8(pixels).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

async fn upload(client: &Client, bytes: Vec<u8>, name: &str, media_type: &str) -> Reply {
    let part = Part::bytes(bytes).file_name(name.to_owned()).mime_str(media_type).unwrap();
    send(client.request(Method::POST, "/api/v1/images").multipart(Form::new().part("file", part))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_taken_by_content_and_encoded_anew() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let mut bytes = picture(format, 64);
        bytes.extend_from_slice(b"<script>alert(1)</script>");
        let reply = upload(&seller, bytes, "photo.txt", "text/plain").await.expect(201);
        let url = reply["url"].as_str().unwrap();
        assert!(url.starts_with("/img/"), "{reply}");
        let answer = seller.request(Method::GET, url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("image/"), "{answer:?}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let shown = answer.bytes().await.unwrap();
        assert!(!shown.windows(8).any(|part| part == b"<script>"), "what was behind the picture is gone");
        assert_eq!(image::load_from_memory(&shown).unwrap().width(), 64);

        let body = json!({"title": "With a picture", "start_price": 1, "image_id": reply["id"]});
        assert_eq!(seller.create(&body).await["image_url"], url);
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_picture_is_refused_whatever_it_is_called() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    for bytes in [svg.as_slice(), b"<html></html>", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", b"\x89PNG\r\n\x1a\n", b""] {
        let reply = upload(&seller, bytes.to_vec(), "photo.png", "image/png").await;
        assert!(matches!(reply.status, 415 | 422), "{reply:?}");
        assert!(reply.header("content-type").starts_with("application/problem+json"), "{reply:?}");
    }
    let reply = upload(&seller, svg.to_vec(), "photo.svg", "image/svg+xml").await;
    assert_eq!(reply.status, 415, "{reply:?}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    upload(&seller, vec![0; 6 * 1024 * 1024], "photo.png", "image/png").await.problem(413, "too_large");
    let reply = upload(&seller, picture(ImageFormat::Png, 8_001), "photo.png", "image/png").await;
    assert!(matches!(reply.status, 413 | 422), "{reply:?}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_needs_a_sign_in_and_a_file() {
    let server = Server::start().await;
    let reply = upload(&server.anonymous(), picture(ImageFormat::Png, 8), "photo.png", "image/png").await;
    reply.problem(401, "unauthenticated");
    let seller = server.user("Seller").await;
    let no_file = Form::new().text("name", "no file");
    let reply = send(seller.request(Method::POST, "/api/v1/images").multipart(no_file)).await;
    assert!(matches!(reply.status, 400 | 422), "{reply:?}");
    let reply = seller.post("/api/v1/images", &json!({})).await;
    assert_eq!(reply.status, 415, "{reply:?}");
    assert_eq!(seller.get("/img/no-such-picture").await.status, 404);
    server.finish().await;
}
