//! Sends events at a constant rate over one connection, in order, without waiting for each answer.
//!
//! What is due goes out in one write. Where the server pushes back, events leave late; their latency
//! counts from when they were due.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::board::Board;
use super::dialect::Dialect;
use super::frames;
use super::watcher::dial;
use crate::clock;

/// How often the schedule is looked at: no finer than the runtime's timers.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Events without an answer at most: below what Gavel takes on one session.
const UNANSWERED_MAX: u64 = 200;

/// The connection on which events are made.
pub(crate) struct Publisher {
    dialect: Dialect,
    /// Request line and headers but for the length, or what stands in their place.
    head: String,
    write: OwnedWriteHalf,
    answers: Rc<Answers>,
}

#[derive(Default)]
struct Answers {
    sent: Cell<u64>,
    good: Cell<u64>,
    bad: Cell<u64>,
}

impl Publisher {
    /// Connects. `token` and `auction` are for those who bid.
    pub(crate) async fn open(dialect: Dialect, at: SocketAddr, token: &str, auction: &str) -> io::Result<Self> {
        let post = |path: &str, more: &str| {
            format!("POST {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\n{more}Content-Length: ")
        };
        let (stream, head) = match dialect {
            Dialect::Gavel => (dial(at, dialect.path(), Some(token)).await?.0, auction.to_owned()),
            Dialect::Hub => {
                let bearer = format!("Authorization: Bearer {token}\r\n");
                (TcpStream::connect(at).await?, post(&format!("/api/v1/auctions/{auction}/bids"), &bearer))
            }
            Dialect::Nchan | Dialect::SocketIo => (TcpStream::connect(at).await?, post("/pub", "")),
            Dialect::Nats => {
                let mut stream = TcpStream::connect(at).await?;
                stream.write_all(b"CONNECT {\"verbose\":false}\r\n").await?;
                (stream, String::new())
            }
        };
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let answers = Rc::new(Answers::default());
        tokio::task::spawn_local(count(dialect, read, Rc::clone(&answers)));
        Ok(Self { dialect, head, write, answers })
    }

    /// Publishes `rate` events a second for `duration`; returns how many were sent.
    pub(crate) async fn run(&mut self, board: &Board, rate: f64, duration: Duration) -> io::Result<u64> {
        let before = self.answers.sent.get();
        let start = clock::now();
        let mut batch = Vec::new();
        let mut next = 0_u32;
        loop {
            let now = clock::now();
            batch.clear();
            while due(start, next, rate) <= now.min(start + duration) && self.may_send() {
                let amount = board.send(due(start, next, rate));
                self.push(&mut batch, amount);
                self.answers.sent.set(self.answers.sent.get() + 1);
                next += 1;
            }
            self.write.write_all(&batch).await?;
            if now >= start + duration {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(self.answers.sent.get() - before)
    }

    /// Events without an answer yet.
    pub(crate) fn unanswered(&self) -> u64 {
        let answers = &self.answers;
        match self.dialect {
            Dialect::Nats => 0,
            Dialect::Gavel | Dialect::Hub | Dialect::Nchan | Dialect::SocketIo => {
                answers.sent.get().saturating_sub(answers.good.get() + answers.bad.get())
            }
        }
    }

    /// Refusals so far: nobody is told of these.
    pub(crate) fn refused(&self) -> u64 {
        self.answers.bad.get()
    }

    fn may_send(&self) -> bool {
        self.unanswered() < UNANSWERED_MAX
    }

    fn push(&self, batch: &mut Vec<u8>, amount: i64) {
        let id = uuid::Uuid::new_v4();
        match self.dialect {
            Dialect::Gavel => {
                let bid = format!(r#"{{"type":"bid","auction_id":"{}","bid_id":"{id}","amount":{amount}}}"#, self.head);
                frames::push(batch, frames::TEXT, bid.as_bytes());
            }
            Dialect::Hub => self.push_post(batch, &format!(r#"{{"bid_id":"{id}","amount":{amount}}}"#)),
            Dialect::Nchan | Dialect::SocketIo => self.push_post(batch, &event(amount)),
            Dialect::Nats => {
                let event = event(amount);
                batch.extend_from_slice(format!("PUB room {}\r\n{event}\r\n", event.len()).as_bytes());
            }
        }
    }

    fn push_post(&self, batch: &mut Vec<u8>, body: &str) {
        batch.extend_from_slice(format!("{}{}\r\n\r\n{body}", self.head, body.len()).as_bytes());
    }
}

fn due(start: Instant, index: u32, rate: f64) -> Instant {
    start + Duration::from_secs_f64(f64::from(index) / rate)
}

/// An event as Gavel words it, for servers that pass on whatever they are given.
fn event(amount: i64) -> String {
    format!(
        r#"{{"type":"bid","auction_id":"1","seq":{},"amount":{amount},"bidder":{{"id":"2","nick":"load"}},"message":null,"at":"2026-11-24T05:46:29.123Z","min_next":{},"ends_at":"2026-11-25T05:46:29.123Z"}}"#,
        amount - super::board::AMOUNT_BASE,
        amount + 1
    )
}

/// Counts answers until the server hangs up.
async fn count(dialect: Dialect, mut read: OwnedReadHalf, answers: Rc<Answers>) {
    let (good, bad) = match dialect {
        Dialect::Gavel => (Finder::new("\"status\":\"accepted\""), Finder::new("\"status\":\"rejected\"")),
        Dialect::Hub | Dialect::Nchan | Dialect::SocketIo | Dialect::Nats => {
            (Finder::new("HTTP/1.1 2"), Finder::new("HTTP/1.1 4"))
        }
    };
    let overlap = good.needle().len().max(bad.needle().len()) - 1;
    let mut received = Vec::with_capacity(64 * 1_024);
    let mut counted = (0, 0);
    while read.read_buf(&mut received).await.is_ok_and(|length| length > 0) {
        // What was counted in the tail that is kept is not counted again.
        let found = (good.find_iter(&received).count(), bad.find_iter(&received).count());
        answers.good.set(answers.good.get() + u64::try_from(found.0 - counted.0).unwrap_or(0));
        answers.bad.set(answers.bad.get() + u64::try_from(found.1 - counted.1).unwrap_or(0));
        received.drain(..received.len().saturating_sub(overlap));
        counted = (good.find_iter(&received).count(), bad.find_iter(&received).count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_due_at_a_constant_rate() {
        let start = clock::now();
        assert_eq!(due(start, 50, 50.0), start + Duration::from_secs(1));
    }

    #[test]
    fn an_event_is_a_frame_of_the_contract() {
        let json: serde_json::Value = serde_json::from_str(&event(1_000_001_007)).unwrap();
        assert_eq!((&json["type"], &json["seq"]), (&"bid".into(), &7.into()));
    }
}
