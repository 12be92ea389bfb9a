//! A bidder and an auction, over the public API, for fan-out servers whose events are bids.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::board::AMOUNT_BASE;

/// A bidder's token and the auction to bid on.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) token: String,
    pub(crate) auction: String,
}

/// Signs up a seller and a bidder, and opens an auction whose leader may raise.
pub(crate) async fn open(at: SocketAddr) -> io::Result<Account> {
    let seller = sign_in(at).await?;
    let token = sign_in(at).await?;
    let ends_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(12);
    let auction = json!({
        "title": "Fan-out", "start_price": AMOUNT_BASE, "ends_at": format!("{ends_at:.3}"),
        "rules": {"min_increment": 1, "leader_may_raise": true},
    });
    let auction = post(at, "/api/v1/auctions", &seller, &auction).await?;
    Ok(Account { token, auction: text(&auction, "id")? })
}

async fn sign_in(at: SocketAddr) -> io::Result<String> {
    let email = format!("fan-{}@load.test", uuid::Uuid::new_v4().simple());
    let password = "load-run-password";
    let user = json!({"email": email, "nick": "load", "password": password});
    post(at, "/api/v1/users", "", &user).await?;
    let session = post(at, "/api/v1/sessions", "", &json!({"email": email, "password": password})).await?;
    text(&session, "token")
}

fn text(answer: &Value, key: &str) -> io::Result<String> {
    let found = answer[key].as_str().map(str::to_owned);
    found.ok_or_else(|| io::Error::other(format!("no {key} in {answer}")))
}

/// One request on a connection of its own.
async fn post(at: SocketAddr, path: &str, token: &str, body: &Value) -> io::Result<Value> {
    let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{bearer}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let odd = || io::Error::other(format!("POST {path}: {}", String::from_utf8_lossy(&answer)));
    let body_at = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or_else(odd)? + 4;
    if !answer.starts_with(b"HTTP/1.1 2") {
        return Err(odd());
    }
    serde_json::from_slice(&answer[body_at..]).map_err(|_not_json| odd())
}
