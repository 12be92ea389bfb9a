//! This node's view of who owns which shard. It may be old; who acts on it is corrected by the owner or the store.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::domain::Epoch;
use crate::store::ownership::ShardId;

/// Where a shard is decided for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The owner's name.
    pub node: Arc<str>,
    /// Of the owner's process.
    pub incarnation: i64,
    /// Where the other nodes reach it: `host:port`.
    pub address: Arc<str>,
    pub epoch: Epoch,
}

/// See the file's head.
#[derive(Debug)]
pub struct Directory {
    homes: RwLock<Vec<Option<Home>>>,
    changed: Notify,
    look_again: Notify,
    suspects: Mutex<BTreeSet<Arc<str>>>,
}

impl Directory {
    /// Nobody is known to own anything.
    #[must_use]
    pub fn new(shards: u32) -> Self {
        let homes = vec![None; usize::try_from(shards).unwrap_or_default()];
        Self {
            homes: RwLock::new(homes),
            changed: Notify::new(),
            look_again: Notify::new(),
            suspects: Mutex::default(),
        }
    }

    /// Who owns the shard, as far as is known.
    #[must_use]
    pub fn home(&self, shard: ShardId) -> Option<Home> {
        let homes = self.homes.read().unwrap_or_else(PoisonError::into_inner);
        homes.get(usize::try_from(shard.0).ok()?)?.clone()
    }

    /// Where the owners of all shards are reached, each once.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<Arc<str>> {
        let homes = self.homes.read().unwrap_or_else(PoisonError::into_inner);
        homes.iter().flatten().map(|home| Arc::clone(&home.address)).collect()
    }

    /// Replaces the view, given in the order of the shards' ids.
    pub fn replace(&self, homes: Vec<Option<Home>>) {
        let mut known = self.homes.write().unwrap_or_else(PoisonError::into_inner);
        if *known != homes {
            *known = homes;
            drop(known);
            self.changed.notify_waiters();
        }
    }

    /// Notes a newer home of one shard, such as an owner told it; an older epoch is passed over.
    pub fn learn(&self, shard: ShardId, home: Home) {
        let mut known = self.homes.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = usize::try_from(shard.0).ok().and_then(|shard| known.get_mut(shard))
            && place.as_ref().is_none_or(|earlier| earlier.epoch < home.epoch)
        {
            *place = Some(home);
            drop(known);
            self.changed.notify_waiters();
        }
    }

    /// Resolves at the next change. Make the future before looking, so that no change is missed.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Something is not as the view has it: whoever keeps it should look soon.
    pub fn doubt(&self) {
        self.look_again.notify_one();
    }

    /// A connection to an owner's address was refused: its process is gone, and whoever keeps the view may have its
    /// shards taken over at once. An address that no shard's home has is passed over.
    pub fn suspect(&self, address: &str) {
        let known = self.addresses();
        if let Some(address) = known.get(address) {
            self.suspects.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(address));
            self.doubt();
        }
    }

    /// The addresses that were suspected since the last call. For the view's keeper.
    #[must_use]
    pub fn take_suspects(&self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut *self.suspects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when someone doubted the view. For its keeper.
    pub async fn doubted(&self) {
        self.look_again.notified().await;
    }
}
