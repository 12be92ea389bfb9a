//! One round of ticks through a hub's sessions.
//!
//! Each distinct frame is encoded once a round: sessions that follow the same auctions share it.

use std::collections::HashMap;
use std::rc::Rc;

use bytestring::ByteString;

use super::frames::{self, Frame, Wire};
use super::shared::SessionId;
use crate::domain::{AuctionId, Timestamp};

/// The round under way; empty between rounds.
#[derive(Default)]
pub(super) struct Round {
    now: Option<Timestamp>,
    clock: Option<ByteString>,
    shared: HashMap<Rc<[AuctionId]>, Frame>,
    waiting: Vec<SessionId>,
}

impl Round {
    /// Begins a round at `now`; the last one, if it is still under way, is given up.
    pub(super) fn begin(&mut self, now: Timestamp, sessions: impl Iterator<Item = SessionId>) {
        self.now = Some(now);
        self.clock = None;
        self.shared.clear();
        self.waiting.clear();
        self.waiting.extend(sessions);
    }

    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The round's instant and the next session of it.
    pub(super) fn next(&mut self) -> Option<(Timestamp, SessionId)> {
        let now = self.now?;
        let next = self.waiting.pop();
        if next.is_none() {
            self.now = None;
            self.shared.clear();
        }
        next.map(|session| (now, session))
    }

    /// The server clock's message.
    pub(super) fn clock(&mut self, now: Timestamp) -> ByteString {
        self.clock.get_or_insert_with(|| frames::clock(now)).clone()
    }

    /// The tick of sessions that follow exactly `auctions`; `encode` makes it the first time.
    pub(super) fn shared(
        &mut self,
        auctions: &Rc<[AuctionId]>,
        wire: Wire,
        encode: impl FnOnce() -> Frame,
    ) -> ByteString {
        self.shared.entry(Rc::clone(auctions)).or_insert_with(encode).form(wire)
    }
}
