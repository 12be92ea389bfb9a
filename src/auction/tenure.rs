//! What this node decides for: its shards, each under an epoch, and until when its answers are final.
//!
//! A term begins with a takeover and ends once, for ever; taking the shard again begins another. Safety does not
//! hang on anything here: the store refuses what an ended term decided. This keeps a node that lost a shard, or
//! cannot know whether it did, from telling anyone what may not hold.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{AuctionId, Epoch, Timestamp};
use crate::store::ownership::{ShardId, shard_of};

const OPEN: u8 = 0;
const ENDING: u8 = 1;
const OVER: u8 = 2;

/// One shard's ownership by this node, from a takeover to its end.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) epoch: Epoch,
    phase: AtomicU8,
    lease: Arc<AtomicI64>,
}

impl Term {
    /// Whether bids may be decided.
    pub(super) fn admits(&self, now: Timestamp) -> bool {
        self.phase.load(Ordering::Acquire) == OPEN && self.has_lease(now)
    }

    /// Whether what was decided may be told.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.phase.load(Ordering::Acquire) != OVER && self.has_lease(now)
    }

    fn has_lease(&self, now: Timestamp) -> bool {
        now.0 < self.lease.load(Ordering::Acquire)
    }
}

/// All terms of this node.
#[derive(Debug)]
pub struct Tenure {
    shards: u32,
    /// Microseconds on the node's clock, for all terms at once.
    lease: Arc<AtomicI64>,
    terms: RwLock<HashMap<ShardId, Arc<Term>>>,
}

impl Tenure {
    /// Every auction, for ever: one process alone, which took over under `epoch`.
    #[must_use]
    pub fn whole(epoch: Epoch) -> Self {
        let tenure = Self::none(1);
        tenure.extend_lease(Timestamp(i64::MAX));
        tenure.begin(&[(ShardId(0), epoch)]);
        tenure
    }

    /// Nothing yet, in a cluster of `shards`; no lease either.
    #[must_use]
    pub fn none(shards: u32) -> Self {
        Self { shards, lease: Arc::new(AtomicI64::new(i64::MIN)), terms: RwLock::default() }
    }

    /// The shard that an auction falls into.
    #[must_use]
    pub fn shard_of(&self, auction: AuctionId) -> ShardId {
        shard_of(auction, self.shards)
    }

    /// Answers are final until `until`, if that is later than what held before.
    pub(super) fn extend_lease(&self, until: Timestamp) {
        self.lease.fetch_max(until.0, Ordering::AcqRel);
    }

    /// Whether answers are final at `now`.
    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        now.0 < self.lease.load(Ordering::Acquire)
    }

    pub(super) fn begin(&self, taken: &[(ShardId, Epoch)]) {
        let mut terms = self.terms.write().unwrap_or_else(PoisonError::into_inner);
        for (shard, epoch) in taken {
            let term = Term { epoch: *epoch, phase: AtomicU8::new(OPEN), lease: Arc::clone(&self.lease) };
            if let Some(earlier) = terms.insert(*shard, Arc::new(term)) {
                earlier.phase.store(OVER, Ordering::Release);
            }
        }
    }

    /// No further bids for these shards; what is decided may still be told.
    pub(super) fn begin_end(&self, shards: &[ShardId]) {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        for term in shards.iter().filter_map(|shard| terms.get(shard)) {
            term.phase.store(ENDING, Ordering::Release);
        }
    }

    /// Nothing of these shards may be told any more.
    pub(super) fn end(&self, shards: &[ShardId]) {
        let mut terms = self.terms.write().unwrap_or_else(PoisonError::into_inner);
        for term in shards.iter().filter_map(|shard| terms.remove(shard)) {
            term.phase.store(OVER, Ordering::Release);
        }
    }

    pub(super) fn term_of(&self, auction: AuctionId) -> Option<Arc<Term>> {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        terms.get(&self.shard_of(auction)).map(Arc::clone)
    }

    /// Whether the shard's term has begun and not ended.
    #[must_use]
    pub fn holds(&self, shard: ShardId) -> bool {
        self.terms.read().unwrap_or_else(PoisonError::into_inner).contains_key(&shard)
    }

    /// The shards whose term has not ended, with their epochs, by id.
    #[must_use]
    pub fn held(&self) -> Vec<(ShardId, Epoch)> {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        let mut held: Vec<_> = terms.iter().map(|(shard, term)| (*shard, term.epoch)).collect();
        held.sort_unstable_by_key(|(shard, _)| *shard);
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUCTION: AuctionId = AuctionId(7);

    fn held_until(until: i64) -> (Tenure, Arc<Term>) {
        let tenure = Tenure::none(16);
        tenure.begin(&[(tenure.shard_of(AUCTION), Epoch(3))]);
        tenure.extend_lease(Timestamp(until));
        let term = tenure.term_of(AUCTION).unwrap();
        (tenure, term)
    }

    #[test]
    fn a_term_without_a_lease_decides_nothing() {
        let (tenure, term) = held_until(10);
        assert!(term.admits(Timestamp(9)) && tenure.is_leased(Timestamp(9)));
        assert!(!tenure.is_leased(Timestamp(10)) && !Tenure::none(16).is_leased(Timestamp(0)));
        assert!(!term.admits(Timestamp(10)) && !term.holds(Timestamp(10)));
        tenure.extend_lease(Timestamp(5));
        assert!(term.admits(Timestamp(9)), "a lease never shrinks");
    }

    #[test]
    fn an_ending_term_tells_but_does_not_decide_and_an_ended_one_does_neither() {
        let (tenure, term) = held_until(10);
        let shard = [tenure.shard_of(AUCTION)];
        tenure.begin_end(&shard);
        assert!(!term.admits(Timestamp(0)) && term.holds(Timestamp(0)));
        tenure.end(&shard);
        assert!(!term.holds(Timestamp(0)));
        assert!(tenure.term_of(AUCTION).is_none());
    }

    #[test]
    fn a_new_term_of_the_same_shard_leaves_the_old_one_ended() {
        let (tenure, first) = held_until(10);
        tenure.begin(&[(tenure.shard_of(AUCTION), Epoch(5))]);
        assert!(!first.holds(Timestamp(0)));
        assert_eq!(tenure.term_of(AUCTION).unwrap().epoch, Epoch(5));
        assert_eq!(tenure.held(), [(tenure.shard_of(AUCTION), Epoch(5))]);
    }
}
