//! How each fan-out server is talked to: where its sockets are, how to subscribe, what an event looks like.
//!
//! Pure: bytes in, bytes out. Every event carries its number as `"amount":N`, whoever sends it.

use std::sync::LazyLock;

use clap::ValueEnum;
use memchr::memmem::Finder;

use super::frames;

static AMOUNT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"amount\":"));
static MSG: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("MSG "));

/// Which server is on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// Gavel's own frames; the naive hub speaks them too.
    Gavel,
    /// The naive hub: as Gavel, bids by HTTP.
    Hub,
    Nchan,
    Nats,
    SocketIo,
}

/// What a watcher does after a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nothing,
    /// Subscribed: events come from now on.
    Ready,
    /// Send this frame.
    Send(u8, Vec<u8>),
}

impl Dialect {
    /// The path of the handshake.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Gavel | Self::Hub => "/api/v1/ws",
            Self::Nchan => "/sub",
            Self::Nats => "/",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// The first frame of a watcher, sent after the handshake.
    pub(crate) fn subscribe(self, auction: &str) -> Option<(u8, Vec<u8>)> {
        match self {
            Self::Gavel | Self::Hub => {
                let words = format!("{{\"type\":\"subscribe\",\"auction_id\":\"{auction}\"}}");
                Some((frames::TEXT, words.into_bytes()))
            }
            Self::Nats => Some((frames::BINARY, b"CONNECT {\"verbose\":false}\r\nSUB room 1\r\nPING\r\n".to_vec())),
            Self::SocketIo => Some((frames::TEXT, b"40".to_vec())),
            Self::Nchan => None,
        }
    }

    /// What is to be done about a frame besides counting its events.
    pub(crate) fn reply(self, payload: &[u8]) -> Reply {
        match self {
            Self::Gavel | Self::Hub if payload.starts_with(b"{\"type\":\"snapshot\"") => Reply::Ready,
            Self::SocketIo if payload == b"2" => Reply::Send(frames::TEXT, b"3".to_vec()),
            Self::SocketIo if payload.starts_with(b"40") => Reply::Ready,
            Self::Nats if payload.starts_with(b"PING") => Reply::Send(frames::BINARY, b"PONG\r\n".to_vec()),
            Self::Nats if payload.ends_with(b"PONG\r\n") => Reply::Ready,
            Self::Gavel | Self::Hub | Self::Nchan | Self::Nats | Self::SocketIo => Reply::Nothing,
        }
    }

    /// Calls `each` with the number of every event in a frame's payload. `carry` keeps what NATS has cut
    /// between two frames.
    pub(crate) fn events(self, payload: &[u8], carry: &mut Vec<u8>, each: &mut impl FnMut(i64)) {
        let prefix: &[u8] = match self {
            Self::Gavel | Self::Hub | Self::Nchan => b"{\"type\":\"bid\"",
            Self::SocketIo => b"42[\"bid\"",
            Self::Nats => return nats(payload, carry, each),
        };
        if payload.starts_with(prefix)
            && let Some(number) = amount(payload)
        {
            each(number);
        }
    }
}

/// The number of the event in `json`.
fn amount(json: &[u8]) -> Option<i64> {
    let digits = &json[AMOUNT.find(json)? + "\"amount\":".len()..];
    number(digits)
}

fn number(bytes: &[u8]) -> Option<i64> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&bytes[..length]).ok()?.parse().ok()
}

/// NATS sends a stream of `MSG subject sid length\r\n…\r\n` that it cuts into frames anywhere.
fn nats(payload: &[u8], carry: &mut Vec<u8>, each: &mut impl FnMut(i64)) {
    if carry.is_empty() {
        let rest = nats_whole(payload, each);
        carry.extend_from_slice(&payload[payload.len() - rest..]);
    } else {
        carry.extend_from_slice(payload);
        let joined = std::mem::take(carry);
        let rest = nats_whole(&joined, each);
        carry.extend_from_slice(&joined[joined.len() - rest..]);
    }
}

/// Reads all whole messages of `stream`; returns how many bytes at its end are none yet.
fn nats_whole(stream: &[u8], each: &mut impl FnMut(i64)) -> usize {
    let mut rest = stream;
    while !rest.is_empty() {
        let Some(line_end) = memchr::memchr(b'\n', rest) else { break };
        if MSG.find(&rest[..line_end]) != Some(0) {
            rest = &rest[line_end + 1..];
            continue;
        }
        let line = rest[..line_end].trim_ascii_end();
        let length_at = memchr::memrchr(b' ', line).map_or(0, |space| space + 1);
        let length = number(&line[length_at..]).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let Some(body) = rest.get(line_end + 1..line_end + 1 + length) else { break };
        let Some(after) = rest.get(line_end + 1 + length + 2..) else { break };
        if let Some(number) = amount(body) {
            each(number);
        }
        rest = after;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, payloads: &[&[u8]]) -> Vec<i64> {
        let (mut seen, mut carry) = (Vec::new(), Vec::new());
        for payload in payloads {
            dialect.events(payload, &mut carry, &mut |number| seen.push(number));
        }
        seen
    }

    #[test]
    fn only_bids_are_events() {
        let frames: [&[u8]; 3] =
            [br#"{"type":"snapshot","top":{"amount":1}}"#, br#"{"type":"bid","amount":2}"#, br#"{"type":"tick"}"#];
        assert_eq!(read(Dialect::Gavel, &frames), [2]);
        assert_eq!(read(Dialect::SocketIo, &[br#"42["bid",{"amount":7}]"#, b"2"]), [7]);
    }

    #[test]
    fn nats_may_cut_its_stream_anywhere() {
        let stream = b"PING\r\nMSG room 1 12\r\n{\"amount\":5}\r\nMSG room 1 12\r\n{\"amount\":6}\r\n";
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_eq!(read(Dialect::Nats, &[first, second]), [5, 6], "{cut}");
        }
    }

    #[test]
    fn a_watcher_answers_pings_and_knows_when_it_is_subscribed() {
        assert_eq!(Dialect::SocketIo.reply(b"2"), Reply::Send(frames::TEXT, b"3".to_vec()));
        assert_eq!(Dialect::SocketIo.reply(b"40{\"sid\":\"x\"}"), Reply::Ready);
        assert_eq!(Dialect::Nats.reply(b"INFO {}\r\nPONG\r\n"), Reply::Ready);
        assert_eq!(Dialect::Gavel.reply(b"{\"type\":\"snapshot\",\"seq\":0}"), Reply::Ready);
    }
}
