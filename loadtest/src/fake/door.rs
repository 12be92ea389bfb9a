//! The fake's connections: HTTP by hand, WebSocket by the library.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::Fault;
use super::world::{Reply, World};
use crate::clock;

static TOKENS: AtomicUsize = AtomicUsize::new(0);

pub(super) async fn serve(mut stream: TcpStream, world: Arc<World>) {
    let mut peeked = [0; 32];
    let Ok(length) = stream.peek(&mut peeked).await else { return };
    if peeked[..length].starts_with(b"GET /api/v1/ws") {
        return live(stream, world).await;
    }
    let mut received = Vec::new();
    loop {
        let Some((request, used)) = parse(&received) else {
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        received.drain(..used);
        let Some((status, body)) = answer(&world, &request).await else { return };
        let body = body.to_string();
        let retry = if status == 503 { "Retry-After: 0\r\n" } else { "" };
        let text = format!("HTTP/1.1 {status} x\r\n{retry}content-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

struct Asked {
    method: String,
    path: String,
    token: String,
    body: Value,
}

fn parse(bytes: &[u8]) -> Option<(Asked, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(body_at) = request.parse(bytes).unwrap() else { return None };
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| std::str::from_utf8(header.value).unwrap().to_owned())
    };
    let length: usize = header("content-length").map_or(0, |text| text.parse().unwrap());
    let body = bytes.get(body_at..body_at + length)?;
    let asked = Asked {
        method: request.method.unwrap().to_owned(),
        path: request.path.unwrap().to_owned(),
        token: header("authorization").unwrap_or_default(),
        body: if length == 0 { Value::Null } else { serde_json::from_slice(body).unwrap() },
    };
    Some((asked, body_at + length))
}

/// The answer, or `None` to hang up.
async fn answer(world: &World, asked: &Asked) -> Option<(u16, Value)> {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
    let auction = parts.get(1).and_then(|id| id.parse::<usize>().ok());
    Some(match (asked.method.as_str(), parts.as_slice(), auction) {
        ("POST", ["users"], _) => (201, world.sign_up()),
        ("POST", ["sessions"], _) => {
            let token = format!("token-{}", TOKENS.fetch_add(1, Ordering::Relaxed));
            (201, json!({"token": token, "expires_at": "x", "user": {}}))
        }
        ("GET", ["time"], _) => (200, json!({"server_time": clock::rfc3339(clock::unix_ms())})),
        ("POST", ["auctions"], _) => (201, world.open(&asked.body)),
        ("GET", ["auctions", _], Some(auction)) => (200, world.view(auction)),
        ("GET", ["auctions", _, "bids"], Some(auction)) => {
            let number = |key: &str| {
                let pair = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
                pair.and_then(|text| text.parse::<i64>().ok())
            };
            let limit = usize::try_from(number("limit").unwrap_or(50)).unwrap();
            (200, world.history(auction, number("after_seq").unwrap_or(0), limit))
        }
        ("POST", ["auctions", _, "bids"], Some(auction)) => {
            match bid(world, auction, &asked.token, &asked.body).await {
                Reply::Answer(status, body) => (status, body),
                Reply::HangUp => return None,
            }
        }
        _ => (404, json!({"code": "not_found"})),
    })
}

async fn bid(world: &World, auction: usize, token: &str, body: &Value) -> Reply {
    if let Some(length) = world.stall() {
        // Everyone shares this thread: the whole server stands still.
        tokio::task::yield_now().await;
        std::thread::sleep(length);
    }
    world.bid(auction, token, body)
}

#[allow(clippy::result_large_err, reason = "the library's callback has this type")]
async fn live(stream: TcpStream, world: Arc<World>) {
    let mut token = String::new();
    let callback = |request: &Request, response: Response| {
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        header.unwrap_or_default().clone_into(&mut token);
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
    let mut feed: Option<broadcast::Receiver<String>> = None;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        let out: Vec<String> = tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    match take(&world, &token, &serde_json::from_str(&text).unwrap(), &mut feed).await {
                        Some(out) => out,
                        None => return,
                    }
                }
                Some(Ok(_)) => Vec::new(),
                Some(Err(_)) | None => return,
            },
            event = next(&mut feed) => vec![event],
            _ = ticks.tick() => {
                world.tick();
                Vec::new()
            }
        };
        for text in out {
            if socket.send(Message::text(text)).await.is_err() {
                return;
            }
        }
    }
}

async fn next(feed: &mut Option<broadcast::Receiver<String>>) -> String {
    match feed {
        Some(feed) => feed.recv().await.unwrap(),
        None => std::future::pending().await,
    }
}

async fn take(
    world: &World,
    token: &str,
    frame: &Value,
    feed: &mut Option<broadcast::Receiver<String>>,
) -> Option<Vec<String>> {
    let auction: usize = frame["auction_id"].as_str().unwrap().parse().unwrap();
    match frame["type"].as_str().unwrap() {
        "subscribe" => {
            let (first, live) = world.follow(auction, frame["after_seq"].as_i64());
            *feed = Some(live);
            Some(first)
        }
        "bid" => match bid(world, auction, token, frame).await {
            Reply::HangUp => None,
            Reply::Answer(_, mut receipt) => {
                receipt["type"] = "receipt".into();
                receipt["bid_id"] = frame["bid_id"].clone();
                if receipt["status"].is_null() {
                    receipt["status"] = "rejected".into();
                }
                if world.fault == Fault::IsOverloaded {
                    receipt["retry_after"] = 0.into();
                }
                Some(vec![receipt.to_string()])
            }
        },
        other => panic!("{other}"),
    }
}
