//! A plain JSON client for what happens before and after the load: accounts, auctions, histories.
//!
//! Clear rather than fast; bids under load go through `template` and `bidder_http`.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bidder_http::dial;
use crate::error::LoadError;
use crate::target::Target;
use crate::wire::{Framing, Head, dechunk, parse_head};

/// A response later than this is a failure.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How often a request that is told to come back does so.
const TRIES_MAX: u32 = 120;
/// How often a read may find no server.
const LOST_MAX: u32 = 10;
/// Sleep when a 429 or 503 does not say for how long.
const RETRY_AFTER_DEFAULT_S: u64 = 1;

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body, if the status is one of `statuses`; else an error that quotes the server.
    pub(crate) fn expect(&self, statuses: &[u16], what: &str) -> Result<Value, LoadError> {
        if !statuses.contains(&self.status) {
            let body = String::from_utf8_lossy(&self.body);
            return Err(LoadError::failed(format!("{what}: the server answered {}: {body}", self.status)));
        }
        serde_json::from_slice(&self.body).map_err(|cause| LoadError::failed(format!("{what}: not JSON: {cause}")))
    }
}

/// One kept-alive connection to one node.
pub(crate) struct Client {
    target: Target,
    stream: Option<TcpStream>,
}

impl Client {
    /// Connects on first use.
    pub(crate) const fn new(target: Target) -> Self {
        Self { target, stream: None }
    }

    /// Sends one request; once more on a fresh connection if the kept one turns out to be closed.
    pub(crate) async fn request(&mut self, request: &Request<'_>) -> Result<Answer, LoadError> {
        let text = request.encode(&self.target.authority);
        let reused = self.stream.is_some();
        let exchange = async {
            match self.exchange(&text).await {
                Err(_stale) if reused => {
                    self.stream = None;
                    self.exchange(&text).await
                }
                answer => answer,
            }
        };
        let outcome = tokio::time::timeout(ANSWER_WITHIN, exchange).await;
        let failed = |cause: String| {
            LoadError::failed(format!("{} http://{}{}: {cause}", request.method, self.target.authority, request.path))
        };
        match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(cause)) => Err(failed(cause.to_string())),
            Err(_elapsed) => Err(failed(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))),
        }
    }

    /// As [`Client::request`], and comes back as told after 429 and 503. A read waits as well for a server
    /// that is just being started again.
    pub(crate) async fn persist(&mut self, request: &Request<'_>) -> Result<Answer, LoadError> {
        let mut lost = 0;
        for _ in 1..TRIES_MAX {
            let wait_s = match self.request(request).await {
                Ok(answer) if !matches!(answer.status, 429 | 503) => return Ok(answer),
                Ok(busy) => busy.retry_after_s.unwrap_or(RETRY_AFTER_DEFAULT_S).max(1),
                Err(_lost) if request.method == "GET" && lost < LOST_MAX => {
                    lost += 1;
                    RETRY_AFTER_DEFAULT_S
                }
                Err(error) => return Err(error),
            };
            tokio::time::sleep(Duration::from_secs(wait_s)).await;
        }
        self.request(request).await
    }

    async fn exchange(&mut self, text: &[u8]) -> std::io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => dial(&self.target).await?,
        };
        stream.write_all(text).await?;
        let mut received = Vec::with_capacity(8 * 1_024);
        loop {
            if let Some((head, body)) = whole(&received).map_err(std::io::Error::other)? {
                if !head.closes {
                    self.stream = Some(stream);
                }
                return Ok(Answer { status: head.status, retry_after_s: head.retry_after_s, body });
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The response in `received`, once it is all there.
fn whole(received: &[u8]) -> Result<Option<(Head, Vec<u8>)>, crate::wire::WireError> {
    let Some(head) = parse_head(received)? else { return Ok(None) };
    let rest = &received[head.body_at..];
    let body = match head.framing {
        Framing::Length(length) => rest.get(..length).map(<[u8]>::to_vec),
        Framing::Chunked => dechunk(rest)?,
    };
    Ok(body.map(|body| (head, body)))
}

/// What is asked.
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Option<Value>,
}

impl<'a> Request<'a> {
    /// A reading request.
    pub(crate) const fn get(path: &'a str) -> Self {
        Self { method: "GET", path, token: None, body: None }
    }

    /// A request with a JSON body.
    pub(crate) const fn post(path: &'a str, token: Option<&'a str>, body: Value) -> Self {
        Self { method: "POST", path, token, body: Some(body) }
    }

    fn encode(&self, authority: &str) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {authority}\r\n", self.method, self.path);
        if let Some(token) = self.token {
            text.push_str("Authorization: Bearer ");
            text.push_str(token);
            text.push_str("\r\n");
        }
        let body = self.body.as_ref().map(ToString::to_string);
        if let Some(body) = &body {
            text.push_str("Content-Type: application/json\r\nContent-Length: ");
            text.push_str(&body.len().to_string());
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.push_str(&body.unwrap_or_default());
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_counts_once_its_last_byte_is_there() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert!(whole(&plain[..plain.len() - 1]).unwrap().is_none());
        assert_eq!(whole(plain).unwrap().unwrap().1, b"{}");
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        assert_eq!(whole(chunked).unwrap().unwrap().1, b"{}");
    }

    #[test]
    fn a_request_is_complete() {
        let request = Request::post("/x", Some("t"), serde_json::json!({"a": 1}));
        let text = String::from_utf8(request.encode("h:1")).unwrap();
        assert_eq!(
            text,
            "POST /x HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer t\r\nContent-Type: application/json\r\n\
             Content-Length: 7\r\n\r\n{\"a\":1}"
        );
    }

    #[test]
    fn an_unexpected_status_quotes_the_server() {
        let answer = Answer { status: 409, retry_after_s: None, body: br#"{"code":"email_taken"}"#.to_vec() };
        let text = answer.expect(&[201], "signing up").unwrap_err().to_string();
        assert!(text.contains("signing up") && text.contains("409") && text.contains("email_taken"), "{text}");
    }
}
