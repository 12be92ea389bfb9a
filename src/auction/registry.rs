//! Finds, starts and puts to sleep the auctions of this node.

use std::sync::Arc;

use super::{Answer, BidError};
use crate::domain::{AuctionId, PlaceBid};

/// Everything an engine is built from.

/// The auctions of this node.
pub struct Engine {}

impl Engine {
    /// Places a bid and waits for its answer.
    ///
    /// # Errors
    /// [`BidError`] when there is no answer; sending the same `bid_id` again is always safe.
    pub async fn place_bid(self: &Arc<Self>, _auction_id: AuctionId, _bid: PlaceBid) -> Result<Answer, BidError> {
        Err(BidError::Moving)
    }

    /// Learns that an auction was stored, so that its closing is watched from now on.
    pub fn auction_created(&self, _stored: &crate::store::StoredAuction) {}
}
