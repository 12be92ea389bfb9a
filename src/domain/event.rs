//! What happened in an auction.

use super::{PlaceBid, Seq, Timestamp, Top};

/// Something that happened; the only way an auction's state changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the auction, gap-free from 1.
    pub seq: Seq,
    /// When the auction's owner stamped it; stamps rise strictly along `seq`.
    pub at: Timestamp,
    /// What it was.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A bid was accepted and is the new top.
    Bid(PlaceBid),
    /// The closing instant was moved.
    Extended {
        /// From now on; later than the one before.
        ends_at: Timestamp,
    },
    /// The auction is over. The top bid, if there was one, has won.
    Closed {
        /// The winning bid; `None` when nobody bid.
        winner: Option<Top>,
    },
}
