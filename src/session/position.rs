//! Where in an auction's history a client stands.

use std::fmt;
use std::str::FromStr;

use crate::domain::{AuctionId, Epoch, Seq};

/// The name of one event in an SSE stream: `<auction>-<epoch>-<seq>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    pub auction_id: AuctionId,
    pub epoch: Epoch,
    pub seq: Seq,
}

impl fmt::Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}-{}", self.auction_id, self.epoch, self.seq)
    }
}

/// The text is no event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event id")]
pub struct NotAnEventId;

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, NotAnEventId> {
        let mut numbers = text.splitn(3, '-').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<i64>().ok() } else { None }
        });
        let mut next = || numbers.next().flatten().ok_or(NotAnEventId);
        Ok(Self { auction_id: AuctionId(next()?), epoch: Epoch(next()?), seq: Seq(next()?) })
    }
}

/// The newest event that a client has of one auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Under which ownership it was written, when the client knows.
    pub epoch: Option<Epoch>,
    pub seq: Seq,
}

impl Position {
    /// From a seq alone.
    #[must_use]
    pub const fn after(seq: Seq) -> Self {
        Self { epoch: None, seq }
    }
}

impl From<EventId> for Position {
    fn from(id: EventId) -> Self {
        Self { epoch: Some(id.epoch), seq: id.seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_reads_back_as_it_was_written() {
        let id = EventId { auction_id: AuctionId(12), epoch: Epoch(3), seq: Seq(4_567) };
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn anything_else_is_no_event_id() {
        for text in
            ["", "1", "1-2", "1-2-", "1-2-3-4", "-1-2-3", "a-b-c", "1-2-+3", "1-2-99999999999999999999", "1 -2-3"]
        {
            assert_eq!(text.parse::<EventId>(), Err(NotAnEventId), "{text}");
        }
    }
}
