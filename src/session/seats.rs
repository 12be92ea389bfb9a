//! How many live sessions this node holds: one seat each, given back when the session is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::frames::Wire;
use super::meters::Meters;
use crate::limits::SESSIONS_MAX;

/// The kinds of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    WebSocket,
    /// The events of auctions.
    Sse,
    /// The server clock, over SSE.
    Clock,
}

impl Kind {
    pub(super) const fn wire(self) -> Wire {
        match self {
            Self::WebSocket => Wire::WebSocket,
            Self::Sse | Self::Clock => Wire::Sse,
        }
    }
}

/// Why no further session is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The node holds `limits::SESSIONS_MAX` sessions.
    #[error("too many live sessions")]
    Full,
    /// The node is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// All seats of the node.
pub(super) struct Seats {
    taken: AtomicUsize,
    closed: AtomicBool,
    meters: Arc<Meters>,
}

impl Seats {
    pub(super) fn new(meters: Arc<Meters>) -> Self {
        Self { taken: AtomicUsize::new(0), closed: AtomicBool::new(false), meters }
    }

    /// Takes a seat if there is one.
    pub(super) fn take(self: &Arc<Self>, kind: Kind) -> Result<Seat, Refused> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Refused::Stopping);
        }
        if self.taken.fetch_add(1, Ordering::AcqRel) >= SESSIONS_MAX {
            self.taken.fetch_sub(1, Ordering::AcqRel);
            return Err(Refused::Full);
        }
        self.meters.sessions(kind).increment(1.0);
        Ok(Seat { seats: Arc::clone(self), kind })
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Gives no further seat.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// One session's seat.
pub(super) struct Seat {
    seats: Arc<Seats>,
    kind: Kind,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::AcqRel);
        self.seats.meters.sessions(self.kind).decrement(1.0);
    }
}
