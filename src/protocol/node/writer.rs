//! Writes a message, word by word. What it writes, `reader` reads.

use super::{BID, CLOSED, EXTENDED, Origin, SIGN_OUT, TICK, VERSION};
use crate::bus::Publication;
use crate::domain::{Bidder, EventKind, Timestamp, Top};

/// A message that is being written.
#[derive(Debug, Clone)]
pub struct Message {
    pub(super) bytes: Vec<u8>,
}

impl Message {
    /// A message without a word yet.
    #[must_use]
    pub fn by(origin: &Origin) -> Self {
        let mut message = Self { bytes: vec![VERSION] };
        message.text(&origin.node);
        message.number(origin.incarnation);
        message
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The whole message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Says that this was committed.
    pub fn event(&mut self, publication: &Publication) {
        let kind = match &publication.event.kind {
            EventKind::Bid(_) => BID,
            EventKind::Extended { .. } => EXTENDED,
            EventKind::Closed { .. } => CLOSED,
        };
        self.word(kind, |body| {
            let event = &publication.event;
            body.number(publication.auction_id.0);
            body.number(publication.epoch.0);
            body.number(event.seq.0);
            body.number(event.at.0);
            body.number(publication.min_next.minor());
            body.number(publication.ends_at.0);
            match &event.kind {
                EventKind::Bid(bid) => {
                    body.bytes.extend_from_slice(&bid.bid_id.0.to_le_bytes());
                    body.bidder(&bid.bidder);
                    body.number(bid.amount.minor());
                    body.option(bid.message.as_ref(), |body, message| body.text(message));
                }
                EventKind::Extended { ends_at } => body.number(ends_at.0),
                EventKind::Closed { winner } => body.option(winner.as_ref(), Self::top),
            }
        });
    }

    /// Says what time it is.
    pub fn tick(&mut self, now: Timestamp) {
        self.word(TICK, |body| body.number(now.0));
    }

    /// Says that a sign-in ended.
    pub fn sign_out(&mut self, token: &[u8; 32]) {
        self.word(SIGN_OUT, |body| body.bytes.extend_from_slice(token));
    }

    pub(super) fn word(&mut self, kind: u8, body: impl FnOnce(&mut Self)) {
        self.bytes.push(kind);
        let place = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        body(self);
        let length = u32::try_from(self.bytes.len() - place - 4).unwrap_or(u32::MAX);
        self.bytes[place..place + 4].copy_from_slice(&length.to_le_bytes());
    }

    pub(super) fn number(&mut self, number: i64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn bidder(&mut self, bidder: &Bidder) {
        self.number(bidder.id.0);
        self.text(&bidder.nick);
    }

    fn top(&mut self, top: &Top) {
        self.number(top.seq.0);
        self.bidder(&top.bidder);
        self.number(top.amount.minor());
        self.number(top.at.0);
    }
}
