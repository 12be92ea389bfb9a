//! What the server sends, in both forms: WebSocket text and SSE.
//!
//! A frame's JSON is encoded once; its SSE form once more when an SSE session wants it. Both are shared
//! bytes. Which frame is sent when is not decided here.

use std::cell::OnceCell;
use std::fmt::Write as _;

use bytestring::ByteString;
use serde::Serialize;

use super::Snapshot;
use super::ending::Ending;
use super::position::EventId;
use crate::bus::Publication;
use crate::domain::{AuctionId, Bidder, Epoch, EventKind, Seq, Timestamp};
use crate::protocol::client::{LiveEvent, UserRef};
use crate::protocol::time::rfc3339;

/// How a session's bytes look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wire {
    WebSocket,
    Sse,
}

/// A frame that many sessions may share.
#[derive(Debug)]
pub(super) struct Frame {
    name: &'static str,
    id: Option<EventId>,
    json: ByteString,
    sse: OnceCell<ByteString>,
}

impl Frame {
    fn new(name: &'static str, id: Option<EventId>, json: String) -> Self {
        Self { name, id, json: json.into(), sse: OnceCell::new() }
    }

    /// The bytes for one wire form; encoded at most once.
    pub(super) fn form(&self, wire: Wire) -> ByteString {
        match wire {
            Wire::WebSocket => self.json.clone(),
            Wire::Sse => self.sse.get_or_init(|| self.encode_sse()).clone(),
        }
    }

    fn encode_sse(&self) -> ByteString {
        let mut text = String::with_capacity(self.json.len() + 64);
        let _ = writeln!(text, "event: {}", self.name);
        if let Some(id) = self.id {
            let _ = writeln!(text, "id: {id}");
        }
        let _ = write!(text, "data: {}\n\n", self.json);
        text.into()
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Words<'a> {
    #[serde(rename = "hello")]
    Welcome {
        server_time: String,
        epoch: Option<i64>,
        user: Option<UserRef>,
    },
    Hello {
        auction_id: String,
        epoch: i64,
        head: i64,
        recovered: bool,
        server_time: String,
    },
    Pong {
        t: Option<&'a serde_json::Number>,
        server_time: String,
    },
    Error {
        code: &'static str,
        detail: &'static str,
        retryable: bool,
        auction_id: String,
    },
    End {
        code: u16,
        reason: &'static str,
    },
}

fn json(words: &impl Serialize) -> String {
    serde_json::to_string(words).unwrap_or_else(|_| "{}".to_owned())
}

/// A committed event.
pub(super) fn event(publication: &Publication) -> Frame {
    let name = match publication.event.kind {
        EventKind::Bid(_) => "bid",
        EventKind::Extended { .. } => "extended",
        EventKind::Closed { .. } => "closed",
    };
    let id = EventId { auction_id: publication.auction_id, epoch: publication.epoch, seq: publication.event.seq };
    Frame::new(name, Some(id), json(&LiveEvent::from(publication)))
}

/// The first frame about an auction: where it stands, and whether what was missed follows in full.
pub(super) fn hello(auction_id: AuctionId, at: (Epoch, Seq), recovered: bool, now: Timestamp) -> Frame {
    let words = Words::Hello {
        auction_id: auction_id.to_string(),
        epoch: at.0.0,
        head: at.1.0,
        recovered,
        server_time: rfc3339(now),
    };
    Frame::new("hello", None, json(&words))
}

/// The auction as it stands. A line break in its JSON can only be white space, and would break SSE.
pub(super) fn snapshot(snapshot: &Snapshot) -> Frame {
    let Snapshot { auction_id, epoch, head, json, .. } = snapshot;
    let view = json.replace(['\n', '\r'], " ");
    let json = format!(r#"{{"type":"snapshot","auction_id":"{auction_id}","auction":{view},"seq":{head}}}"#);
    let id = EventId { auction_id: *auction_id, epoch: *epoch, seq: *head };
    Frame::new("snapshot", Some(id), json)
}

/// There is no such auction.
pub(super) fn not_found(auction_id: AuctionId) -> Frame {
    let detail = "There is no such auction.";
    let words = Words::Error { code: "not_found", detail, retryable: false, auction_id: auction_id.to_string() };
    Frame::new("error", None, json(&words))
}

/// The last event of an SSE stream that the server ends: what a WebSocket's close frame says.
pub(super) fn end(ending: Ending) -> Frame {
    Frame::new("end", None, json(&Words::End { code: ending.code(), reason: ending.words() }))
}

/// The server's time, and head and closing instant of each of `auctions`.
pub(super) fn tick(now: Timestamp, auctions: &[(AuctionId, Seq, Timestamp)]) -> Frame {
    let mut text = format!(r#"{{"type":"tick","server_time":"{}","heads":{{"#, rfc3339(now));
    for (index, (auction_id, head, _)) in auctions.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, r#"{comma}"{auction_id}":{head}"#);
    }
    text.push_str(r#"},"ends_at":{"#);
    for (index, (auction_id, _, ends_at)) in auctions.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, r#"{comma}"{auction_id}":"{}""#, rfc3339(*ends_at));
    }
    text.push_str("}}");
    Frame::new("tick", None, text)
}

/// One message of the server clock: Unix milliseconds, nothing else.
pub(super) fn clock(now: Timestamp) -> ByteString {
    format!("data: {}\n\n", now.as_millis()).into()
}

/// The first bytes of an SSE stream: how long to wait before connecting again.
pub(super) fn retry(millis: u64) -> ByteString {
    format!("retry: {millis}\n\n").into()
}

/// The first frame of a WebSocket connection: who the server takes the client for.
pub(super) fn welcome(user: Option<&Bidder>, now: Timestamp) -> String {
    json(&Words::Welcome { server_time: rfc3339(now), epoch: None, user: user.map(UserRef::from) })
}

/// The answer to a `ping`.
pub(super) fn pong(t: Option<&serde_json::Number>, now: Timestamp) -> String {
    json(&Words::Pong { t, server_time: rfc3339(now) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_comes_first_in_every_frame() {
        let now = Timestamp(0);
        let frames = [
            welcome(None, now),
            pong(None, now),
            not_found(AuctionId(1)).form(Wire::WebSocket).to_string(),
            end(Ending::Shutdown).form(Wire::WebSocket).to_string(),
            hello(AuctionId(1), (Epoch(1), Seq(2)), true, now).form(Wire::WebSocket).to_string(),
            tick(now, &[]).form(Wire::WebSocket).to_string(),
        ];
        for frame in frames {
            assert!(frame.starts_with(r#"{"type":""#), "{frame}");
            serde_json::from_str::<serde_json::Value>(&frame).unwrap();
        }
    }

    #[test]
    fn a_snapshot_with_line_breaks_stays_one_sse_line() {
        let json = "{\n\"id\":\"1\"\r\n}".to_owned();
        let snapshot =
            Snapshot { auction_id: AuctionId(1), epoch: Epoch(2), head: Seq(3), ends_at: Timestamp(0), json };
        let frame = super::snapshot(&snapshot);
        assert_eq!(
            frame.form(Wire::Sse),
            "event: snapshot\nid: 1-2-3\ndata: {\"type\":\"snapshot\",\"auction_id\":\"1\",\"auction\":{ \"id\":\"1\"  },\"seq\":3}\n\n"
        );
    }

    #[test]
    fn a_tick_names_head_and_closing_instant_of_each_auction() {
        let frame =
            tick(Timestamp(0), &[(AuctionId(1), Seq(5), Timestamp(1_000)), (AuctionId(2), Seq(0), Timestamp(0))]);
        let value: serde_json::Value = serde_json::from_str(&frame.form(Wire::WebSocket)).unwrap();
        assert_eq!(value["heads"], serde_json::json!({"1": 5, "2": 0}));
        assert_eq!(value["ends_at"]["1"], "1970-01-01T00:00:00.001Z");
    }
}
