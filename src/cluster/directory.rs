//! This node's view of who owns which shard. It may be old; who acts on it is corrected by the owner or the store.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Stopwatch;
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
    view: RwLock<View>,
    changed: Notify,
    look_again: Notify,
    suspects: Mutex<BTreeSet<Arc<str>>>,
}

#[derive(Debug)]
struct View {
    homes: Vec<Option<Home>>,
    /// How many of them are none.
    homeless: usize,
    /// Since when there are any; `None` when there always were.
    homeless_since: Option<Stopwatch>,
}

impl View {
    fn set_homeless(&mut self, homeless: usize) {
        if self.homeless == 0 && homeless > 0 {
            self.homeless_since = Some(Stopwatch::start());
        }
        self.homeless = homeless;
    }
}

impl Directory {
    /// Nobody is known to own anything.
    #[must_use]
    pub fn new(shards: u32) -> Self {
        let homes = vec![None; usize::try_from(shards).unwrap_or_default()];
        Self {
            view: RwLock::new(View { homeless: homes.len(), homes, homeless_since: None }),
            changed: Notify::new(),
            look_again: Notify::new(),
            suspects: Mutex::default(),
        }
    }

    /// Who owns the shard, as far as is known.
    #[must_use]
    pub fn home(&self, shard: ShardId) -> Option<Home> {
        self.view().homes.get(usize::try_from(shard.0).ok()?)?.clone()
    }

    /// Whether bids on every auction find their way: each shard has a home, or has been between two homes for less than
    /// `moving`.
    ///
    /// # Errors
    /// How many shards have none.
    pub fn is_whole(&self, moving: Duration) -> Result<(), usize> {
        let view = self.view();
        let moves = view.homeless_since.is_some_and(|since| since.elapsed() < moving);
        if view.homeless == 0 || moves { Ok(()) } else { Err(view.homeless) }
    }

    /// Where the owners of all shards are reached, each once.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<Arc<str>> {
        self.view().homes.iter().flatten().map(|home| Arc::clone(&home.address)).collect()
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the view, given in the order of the shards' ids.
    pub fn replace(&self, homes: Vec<Option<Home>>) {
        let mut known = self.view.write().unwrap_or_else(PoisonError::into_inner);
        if known.homes != homes {
            known.set_homeless(homes.iter().filter(|home| home.is_none()).count());
            known.homes = homes;
            drop(known);
            self.changed.notify_waiters();
        }
    }

    /// Notes a newer home of one shard, such as an owner told it; an older epoch is passed over.
    pub fn learn(&self, shard: ShardId, home: Home) {
        let mut known = self.view.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = usize::try_from(shard.0).ok().and_then(|shard| known.homes.get_mut(shard))
            && place.as_ref().is_none_or(|earlier| earlier.epoch < home.epoch)
        {
            let was_homeless = place.replace(home).is_none();
            let homeless = known.homeless - usize::from(was_homeless);
            known.set_homeless(homeless);
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

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    fn home(epoch: i64) -> Home {
        Home { node: "a".into(), incarnation: 1, address: "127.0.0.1:1".into(), epoch: Epoch(epoch) }
    }

    #[test]
    fn a_view_is_whole_once_every_shard_has_a_home() {
        let directory = Directory::new(3);
        assert_eq!(directory.is_whole(LONG), Err(3), "never seen whole: not only moving");
        directory.replace(vec![Some(home(1)), None, None]);
        assert_eq!(directory.is_whole(LONG), Err(2));
        directory.learn(ShardId(1), home(1));
        directory.learn(ShardId(1), home(2));
        assert_eq!(directory.is_whole(LONG), Err(1));
        directory.learn(ShardId(2), home(1));
        assert_eq!(directory.is_whole(LONG), Ok(()));
    }

    #[test]
    fn a_shard_that_moves_leaves_the_view_whole_and_one_that_stays_away_does_not() {
        let directory = Directory::new(2);
        directory.replace(vec![Some(home(1)), Some(home(1))]);
        directory.replace(vec![Some(home(1)), None]);
        assert_eq!(directory.is_whole(LONG), Ok(()));
        directory.replace(vec![None, None]);
        assert_eq!(directory.is_whole(Duration::ZERO), Err(2));
        directory.learn(ShardId(0), home(2));
        assert_eq!(directory.is_whole(Duration::ZERO), Err(1));
        directory.learn(ShardId(1), home(2));
        assert_eq!(directory.is_whole(LONG), Ok(()));
    }
}
