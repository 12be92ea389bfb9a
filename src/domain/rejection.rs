//! Why a command was refused. An answer, not an error.

use super::{Money, Timestamp, Top};

/// A refusal, with what the bidder needs to know.
///
/// Exactly one is given when several hold; the precedence is the order of the variants, first wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The seller may not bid on the own auction.
    OwnAuction,
    /// Bids are taken from `starts_at` on.
    NotStarted {
        /// When the auction opens.
        starts_at: Timestamp,
    },
    /// The stamp is not before the closing instant, or the auction is closed.
    Closed {
        /// The closing instant.
        ended_at: Timestamp,
    },
    /// The amount does not beat the top by the increment.
    TooLow {
        /// The least that would have been enough.
        min_next: Money,
        /// The bid to beat; `None` while only the start price stands.
        top: Option<Top>,
    },
    /// The bidder leads already and the rules do not let a leader raise the own bid.
    AlreadyLeading {
        /// The bidder's own leading bid.
        top: Top,
    },
    /// The closing instant stands: a close was asked for before it, or a new one that is not later. Never told to a
    /// bidder.
    NotDue {
        /// The closing instant.
        ends_at: Timestamp,
    },
}

impl Rejection {
    /// Whether both refuse for the same reason, whatever the amounts in them.
    #[must_use]
    pub fn same_reason(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
