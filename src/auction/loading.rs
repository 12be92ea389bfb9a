//! Reading an auction back from the store: on first use, and after a commit that failed.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Answer, BidError, Receipt};
use crate::domain::{Auction, AuctionId, BidId, Extension, Money, PlaceBid, Seq, Timestamp};
use crate::store::{Store, StoreError, StoredAnswer, bid_of};

/// What an awake auction holds in memory.
pub(super) struct Live {
    /// The state that decisions are made on.
    pub(super) decided: Auction,
    /// The state that is on stable storage: what may be told to anyone.
    pub(super) committed: Auction,
    /// Every `bid_id` that was answered, here or in an earlier life of the auction.
    pub(super) answered: HashSet<BidId>,
}

/// The auction as the store has it; `None` when there is no such auction.
pub(super) async fn load(store: &dyn Store, id: AuctionId) -> Result<Option<Live>, StoreError> {
    let Some(stored) = store.auction(id).await? else { return Ok(None) };
    let answered = store.answered(id).await?;
    // Long after a long history: not on the thread on which every auction decides.
    let answered = tokio::task::spawn_blocking(move || answered.into_iter().collect())
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    // A new event would get the seq of one that is there. If a commit came in between, the next try finds its head.
    if !store.events_after(id, stored.head.seq, 1).await?.is_empty() {
        return Err(StoreError::Damaged(format!("events stand beyond the head {}", stored.head.seq)));
    }
    let auction = Auction::new(stored.terms, stored.head);
    Ok(Some(Live { decided: auction.clone(), committed: auction, answered }))
}

/// What an accepted bid's receipt needs besides the bid itself.
pub(super) struct ReceiptTerms {
    auction_id: AuctionId,
    min_increment: Money,
    /// Before any extension.
    first_ends_at: Timestamp,
    extension: Option<Extension>,
}

impl ReceiptTerms {
    pub(super) fn of(auction_id: AuctionId, auction: &Auction) -> Self {
        let terms = auction.terms();
        let (min_increment, first_ends_at) = (terms.rules.min_increment, terms.ends_at);
        Self { auction_id, min_increment, first_ends_at, extension: auction.head().extension }
    }

    /// The receipt as it was given when the bid was accepted.
    pub(super) fn receipt(&self, seq: Seq, at: Timestamp, bid: &PlaceBid) -> Receipt {
        let extension = self.extension.filter(|extension| extension.at < at);
        Receipt {
            auction_id: self.auction_id,
            bid_id: bid.bid_id,
            seq,
            amount: bid.amount,
            at,
            min_next: bid.amount.plus(self.min_increment),
            ends_at: extension.map_or(self.first_ends_at, |extension| extension.ends_at),
        }
    }
}

/// The answer that `bid` was given before, read from the store.
pub(super) async fn earlier_answer(
    store: Arc<dyn Store>,
    terms: ReceiptTerms,
    bid: PlaceBid,
) -> Result<Answer, BidError> {
    let stored = store.answer(terms.auction_id, bid.bid_id).await.map_err(|error| {
        tracing::warn!(%error, "an earlier answer could not be read");
        BidError::OutcomePending
    })?;
    let (earlier, outcome) = match stored {
        // Known in memory but not in the store: its commit failed meanwhile. The same bid_id may be sent again.
        None => return Err(BidError::OutcomePending),
        Some(StoredAnswer::Accepted(stored)) => match bid_of(&stored.event) {
            Some(earlier) => (earlier.clone(), Ok(terms.receipt(stored.event.seq, stored.event.at, earlier))),
            None => return Err(BidError::BidIdReused),
        },
        Some(StoredAnswer::Rejected(rejected)) => (rejected.bid, Err(rejected.rejection)),
    };
    if same_bid(&earlier, &bid) { Ok(Answer { outcome, repeated: true }) } else { Err(BidError::BidIdReused) }
}

/// Whether both are the same bid sent twice. The nick is not part of it.
pub(super) fn same_bid(one: &PlaceBid, other: &PlaceBid) -> bool {
    one.bid_id == other.bid_id
        && one.bidder.id == other.bidder.id
        && one.amount == other.amount
        && one.message == other.message
}
