//! What is present on this node, over all hubs: followed auctions, live sign-ins. For whoever looks after what the bus
//! may have lost.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::AuctionId;
use crate::store::TokenHash;

/// All that is looked after.
#[derive(Clone, Default)]
pub(super) struct Here {
    pub(super) followed: Arc<Present<AuctionId>>,
    pub(super) signed_in: Arc<Present<TokenHash>>,
}

/// Keys of one kind.
pub(super) struct Present<K> {
    counts: Mutex<HashMap<K, usize>>,
}

impl<K> Default for Present<K> {
    fn default() -> Self {
        Self { counts: Mutex::default() }
    }
}

impl<K: Copy + Eq + Hash> Present<K> {
    /// Counts `key` once more, as long as the answer lives.
    pub(super) fn enter(self: &Arc<Self>, key: K) -> Presence<K> {
        *self.lock().entry(key).or_default() += 1;
        Presence { among: Arc::clone(self), key }
    }

    /// All of them, each once, in no order.
    pub(super) fn all(&self) -> Vec<K> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is present.
pub(super) struct Presence<K: Copy + Eq + Hash> {
    among: Arc<Present<K>>,
    pub(super) key: K,
}

impl<K: Copy + Eq + Hash> Drop for Presence<K> {
    fn drop(&mut self) {
        let mut counts = self.among.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_present_until_the_last_one_leaves() {
        let present = Arc::new(Present::default());
        let (one, other) = (present.enter(1), present.enter(1));
        assert_eq!(present.all(), [1]);
        drop(one);
        assert_eq!(present.all(), [1]);
        drop(other);
        assert!(present.all().is_empty());
    }
}
