//! Which auctions someone on this node follows, over all hubs: for whoever looks after what the bus may have lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::AuctionId;

/// See the file's head.
#[derive(Default)]
pub(super) struct Followed {
    hubs: Mutex<HashMap<AuctionId, usize>>,
}

impl Followed {
    /// Counts one more hub that follows `auction`, as long as the answer lives.
    pub(super) fn follow(self: &Arc<Self>, auction: AuctionId) -> Follow {
        *self.lock().entry(auction).or_default() += 1;
        Follow { followed: Arc::clone(self), auction }
    }

    /// All of them, each once, in no order.
    pub(super) fn all(&self) -> Vec<AuctionId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AuctionId, usize>> {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One hub follows one auction.
pub(super) struct Follow {
    followed: Arc<Followed>,
    pub(super) auction: AuctionId,
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut hubs = self.followed.lock();
        if let Some(count) = hubs.get_mut(&self.auction) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                hubs.remove(&self.auction);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auction_is_followed_until_its_last_hub_lets_go() {
        let followed = Arc::new(Followed::default());
        let (one, other) = (followed.follow(AuctionId(1)), followed.follow(AuctionId(1)));
        assert_eq!(followed.all(), [AuctionId(1)]);
        drop(one);
        assert_eq!(followed.all(), [AuctionId(1)]);
        drop(other);
        assert_eq!(followed.all(), []);
    }
}
