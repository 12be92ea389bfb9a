//! Names of things: numbers inside, strings to clients.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

id! {
    /// An auction, numbered from 1 by the store.
    AuctionId(i64)
}
id! {
    /// A user, numbered from 1 by the store; the same person may bid and sell.
    UserId(i64)
}
id! {
    /// The fencing number of a shard's ownership; it grows at each takeover.
    Epoch(i64)
}
id! {
    /// Place of an event within its auction: gap-free, from 1. Zero stands before the first event.
    Seq(i64)
}

/// The client's own name for one bid (the 128 bits of a UUID): the same id gets the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BidId(pub u128);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// The place after this one. Saturates at `i64::MAX`, which no auction reaches.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Who bids, with the name shown to others at the time of the bid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bidder {
    /// The user.
    pub id: UserId,
    /// The name as it was shown when the bid was placed.
    pub nick: Arc<str>,
}
