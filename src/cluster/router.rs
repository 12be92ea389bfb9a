//! The way of every bid to the node that decides it.

use std::sync::Arc;

use crate::auction::{Answer, BidError, Engine};
use crate::domain::{AuctionId, PlaceBid};
use crate::store::StoredAuction;

/// Where bids are handed in, whichever node decides them.
pub struct Router {
    engine: Arc<Engine>,
}

impl Router {
    /// One process alone: every auction is decided here.
    #[must_use]
    pub fn alone(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Places a bid with the auction's owner and waits for its answer.
    ///
    /// # Errors
    /// [`BidError`] when there is no answer; sending the same `bid_id` again is always safe.
    pub async fn place_bid(&self, auction_id: AuctionId, bid: PlaceBid) -> Result<Answer, BidError> {
        self.engine.place_bid(auction_id, bid).await
    }

    /// Lets the auction's owner know of an auction that was just stored, so that it closes in time.
    pub fn auction_created(&self, auction: &StoredAuction) {
        self.engine.auction_created(auction);
    }
}
