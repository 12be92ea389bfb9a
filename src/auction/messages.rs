//! What the outside asks of an auction, and what it answers.

use crate::domain::{AuctionId, BidId, Money, Rejection, Seq, Timestamp};

/// An accepted bid, as its bidder is told. Under `ack = "committed"` it is on stable storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub auction_id: AuctionId,
    pub bid_id: BidId,
    pub seq: Seq,
    pub amount: Money,
    pub at: Timestamp,
    /// The least that would beat this bid.
    pub min_next: Money,
    /// The closing instant after this bid.
    pub ends_at: Timestamp,
}

/// The answer to a bid: the same for ever under one `bid_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Result<Receipt, Rejection>,
    /// Whether the answer had been given before.
    pub repeated: bool,
}

/// Why a bid got no answer. Nothing is remembered; the client may send the same `bid_id` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BidError {
    #[error("no such auction")]
    NotFound,
    /// The same `bid_id` came with another bidder, amount or message.
    #[error("bid_id was used for another bid")]
    BidIdReused,
    /// Too many bids wait; nothing was decided.
    #[error("too many bids are waiting")]
    Overloaded,
    /// The store did not confirm in time; it may have happened.
    #[error("the outcome is not known yet")]
    OutcomePending,
    /// The server is stopping or the auction is changing hands; nothing was decided.
    #[error("the auction is moving")]
    Moving,
}
