//! The bids that wait because their auction has no home that can be reached, within bounds.
//!
//! A seat is a right to wait; the waiting is done by who holds it, so nothing is left behind when a bidder goes away.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Gauge;

use crate::domain::AuctionId;
use crate::limits;

/// Counts who waits.
#[derive(Clone)]
pub(super) struct Stash {
    seated: Arc<Mutex<Seated>>,
    depth: Gauge,
}

#[derive(Default)]
struct Seated {
    all: usize,
    of: HashMap<AuctionId, usize>,
}

/// The right of one bid to wait, until dropped.
pub(super) struct Seat {
    stash: Stash,
    auction: AuctionId,
}

impl Stash {
    pub(super) fn new(depth: Gauge) -> Self {
        Self { seated: Arc::default(), depth }
    }

    /// A seat, if there is one left for this auction.
    pub(super) fn sit(&self, auction: AuctionId) -> Option<Seat> {
        let mut seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        let of_auction = seated.of.get(&auction).copied().unwrap_or_default();
        if seated.all >= limits::STASHED_BIDS_PER_NODE || of_auction >= limits::STASHED_BIDS_PER_AUCTION {
            return None;
        }
        seated.all += 1;
        seated.of.insert(auction, of_auction + 1);
        self.show(seated.all);
        Some(Seat { stash: self.clone(), auction })
    }

    fn show(&self, depth: usize) {
        self.depth.set(u32::try_from(depth).map_or(f64::MAX, f64::from));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seated = self.stash.seated.lock().unwrap_or_else(PoisonError::into_inner);
        seated.all -= 1;
        if let Entry::Occupied(mut of_auction) = seated.of.entry(self.auction) {
            *of_auction.get_mut() -= 1;
            if *of_auction.get() == 0 {
                of_auction.remove();
            }
        }
        self.stash.show(seated.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_for_each_auction_and_over_all_and_are_given_back() {
        let stash = Stash::new(Gauge::noop());
        let mut seats: Vec<_> =
            (0..limits::STASHED_BIDS_PER_AUCTION).map(|_| stash.sit(AuctionId(0)).unwrap()).collect();
        assert!(stash.sit(AuctionId(0)).is_none());
        let others = limits::STASHED_BIDS_PER_NODE - limits::STASHED_BIDS_PER_AUCTION;
        seats.extend((1..).take(others).map(|id| stash.sit(AuctionId(id)).unwrap()));
        assert!(stash.sit(AuctionId(-1)).is_none());
        seats.pop();
        assert!(stash.sit(AuctionId(-1)).is_some());
        drop(seats);
        let seated = stash.seated.lock().unwrap();
        assert_eq!((seated.all, seated.of.len()), (0, 0));
    }
}
