//! What is asked of an auction.

use std::sync::Arc;

use super::{BidId, Bidder, Money, Timestamp};

/// Something asked of an auction; [`super::Auction::decide`] answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A bidder offers an amount.
    Bid(PlaceBid),
    /// The closing instant has come.
    Close,
    /// Bidders lost time that they were promised: the closing instant is to be this later one.
    Extend {
        /// The new closing instant.
        ends_at: Timestamp,
    },
}

/// One bid as its bidder sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceBid {
    /// The client's name for this bid.
    pub bid_id: BidId,
    /// Who bids.
    pub bidder: Bidder,
    /// The offer, in minor units.
    pub amount: Money,
    /// A word to the room, at most 100 characters.
    pub message: Option<Arc<str>>,
}
