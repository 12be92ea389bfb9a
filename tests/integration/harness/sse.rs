//! Reads a Server-Sent Events stream as the HTML standard says.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use super::{Client, soon};

/// One open stream.
pub(crate) struct Sse {
    body: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    buffer: Vec<u8>,
    pub(crate) headers: reqwest::header::HeaderMap,
}

/// One message; `event` is `message` when the stream does not name it.
#[derive(Debug, Clone)]
pub(crate) struct SseEvent {
    pub(crate) event: String,
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

impl SseEvent {
    /// The data as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

impl Sse {
    /// Opens a stream; fails unless it is answered as one.
    pub(crate) async fn open(client: &Client, path: &str) -> Self {
        Self::from_request(client.request(Method::GET, path)).await
    }

    /// Opens a stream of an auction from its beginning, of which nothing is left out.
    pub(crate) async fn whole(client: &Client, auction: &str) -> Self {
        let mut stream = Self::open(client, &format!("/api/v1/auctions/{auction}/events?after_seq=0")).await;
        let hello = stream.next().await.json();
        assert_eq!(hello["recovered"], true, "{hello}");
        stream
    }

    /// Opens a stream that takes up after this event.
    pub(crate) async fn resume(client: &Client, path: &str, last_event_id: &str) -> Self {
        Self::from_request(client.request(Method::GET, path).header("last-event-id", last_event_id)).await
    }

    /// Opens a stream with this request; `None` when it cannot be had just now.
    pub(crate) async fn attempt(request: RequestBuilder) -> Option<Self> {
        let request = request.header("accept", "text/event-stream");
        let answer = tokio::time::timeout(super::PATIENCE, request.send()).await.ok()?.ok()?;
        let headers = answer.headers().clone();
        let body = Box::pin(answer.bytes_stream());
        (headers.get("content-type")? == "text/event-stream").then_some(Self { body, buffer: Vec::new(), headers })
    }

    /// The next message; `None` when the stream has ended or is silent, though there is a tick a second.
    pub(crate) async fn attempt_next(&mut self) -> Option<SseEvent> {
        tokio::time::timeout(Duration::from_secs(5), self.try_next()).await.ok()?
    }

    /// Opens a stream with this request.
    pub(crate) async fn from_request(request: RequestBuilder) -> Self {
        let request = request.header("accept", "text/event-stream");
        let answer = soon("a stream's head", request.send()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        let headers = answer.headers().clone();
        let media_type = headers["content-type"].to_str().unwrap();
        assert!(media_type.starts_with("text/event-stream"), "{media_type}");
        Self { body: Box::pin(answer.bytes_stream()), buffer: Vec::new(), headers }
    }

    /// The next message; `None` when the server has ended the stream.
    pub(crate) async fn try_next(&mut self) -> Option<SseEvent> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block = self.buffer.drain(..end + 2).collect::<Vec<_>>();
                if let Some(event) = parse(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            match soon("an SSE message", self.body.next()).await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> SseEvent {
        self.try_next().await.expect("the stream goes on")
    }

    /// The next message that is not a tick.
    pub(crate) async fn next_event(&mut self) -> SseEvent {
        // Ticks keep each single wait short; an event that never comes must not.
        let found = async {
            loop {
                let event = self.next().await;
                if event.event != "tick" {
                    return event;
                }
            }
        };
        soon("an event", found).await
    }

    /// The next message of this name; others are passed over.
    pub(crate) async fn next_of(&mut self, name: &str) -> SseEvent {
        let found = async {
            loop {
                let event = self.next().await;
                if event.event == name {
                    return event;
                }
            }
        };
        soon(&format!("`{name}`"), found).await
    }

    /// Reads until the server ends the stream.
    pub(crate) async fn until_ended(&mut self) {
        soon("the stream's end", async { while self.try_next().await.is_some() {} }).await;
    }
}

fn parse(block: &str) -> Option<SseEvent> {
    let (mut event, mut id, mut data) = ("message".to_owned(), None, Vec::new());
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event),
            "id" => id = Some(value.to_owned()),
            "data" => data.push(value),
            _ => {}
        }
    }
    if data.is_empty() { None } else { Some(SseEvent { event, id, data: data.join("\n") }) }
}
