//! What a peer does with a bid: the one thing in which the peers differ.
//!
//! A house checks no session and speaks no HTTP; the door in front of it is the same for all.

use std::fmt::Display;

use uuid::Uuid;

/// A bid as it comes through the door.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bid {
    pub(crate) auction: i64,
    pub(crate) bidder: i64,
    pub(crate) id: Uuid,
    pub(crate) amount: i64,
    /// When it was read, milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
}

/// The verdict on a bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Accepted {
        seq: i64,
    },
    /// Not higher than `top`.
    TooLow {
        top: i64,
    },
}

/// A row of an auction's history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    pub(crate) seq: i64,
    pub(crate) id: Uuid,
    pub(crate) bidder: i64,
    pub(crate) amount: i64,
    pub(crate) at_ms: i64,
}

/// The store, the cache or the network let the house down; told to the client as a 500.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fault(pub(crate) String);

impl Fault {
    /// Any cause, in its own words.
    pub(crate) fn of(cause: impl Display) -> Self {
        Self(cause.to_string())
    }
}

/// A peer behind the common door. Each worker thread has one of its own.
pub(crate) trait House: Sized + 'static {
    /// Where this house finds what all workers share: addresses, counters, actors.
    type Shared: Clone + Send + 'static;

    /// Built once on each worker's thread.
    async fn connect(shared: Self::Shared) -> Result<Self, Fault>;

    /// A new auction; bids must be above `start_price`.
    async fn open(&self, auction: i64, start_price: i64) -> Result<(), Fault>;

    /// Decides on `bid`, as durably as the house can.
    async fn place(&self, bid: Bid) -> Result<Decision, Fault>;

    /// At most `limit` rows after `after`, oldest first. Empty for a house that keeps nothing.
    async fn history(&self, auction: i64, after: i64, limit: i64) -> Result<Vec<Stored>, Fault>;
}
