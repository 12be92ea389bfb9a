//! One live session, as its hub and its actor share it. Both live on one thread.

use std::cell::Cell;

use super::frames::Wire;
use super::present::Presence;
use super::queue::Queue;
use super::seats::{Kind, Seat};
use crate::domain::Timestamp;
use crate::store::TokenHash;

/// The number of a session within its hub; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub(super) u64);

/// The sign-in that a session came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub token: TokenHash,
    pub expires_at: Timestamp,
}

/// See the file's head.
pub struct Session {
    pub(super) id: SessionId,
    pub(super) kind: Kind,
    pub(super) ticket: Option<Ticket>,
    /// What waits to be sent.
    pub queue: Queue,
    /// When the client was last heard.
    pub(super) heard_at: Cell<Timestamp>,
    pub(super) pinged_at: Cell<Timestamp>,
    /// Subscriptions that are not live yet.
    pub(super) unsettled: Cell<usize>,
    _seat: Seat,
    _sign_in: Option<Presence<TokenHash>>,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        (seat, sign_in): (Seat, Option<Presence<TokenHash>>),
        who: (Kind, Option<Ticket>),
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            kind: who.0,
            ticket: who.1,
            queue: Queue::default(),
            heard_at: Cell::new(now),
            pinged_at: Cell::new(now),
            unsettled: Cell::new(0),
            _seat: seat,
            _sign_in: sign_in,
        }
    }

    pub(super) const fn wire(&self) -> Wire {
        self.kind.wire()
    }
}
