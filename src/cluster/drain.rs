//! The graceful end: everything is handed over before the node leaves, and the others have it when it goes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::agent::{Agent, within};
use crate::clock::Stopwatch;
use crate::limits;
use crate::store::StoreError;
use crate::store::ownership::ShardId;

impl Agent {
    /// Hands all shards over, waits, at most `within` altogether, until other nodes have them, and takes this node off
    /// the list. What could not be handed over in time is cut. Alone, it hands over to nobody and does not wait.
    ///
    /// The directory is kept up to date until the process ends, so that bids which still arrive find their way.
    pub async fn drain(&self, time: Duration) {
        let stopwatch = Stopwatch::start();
        let owned = self.engine.tenure().held().len();
        tracing::info!(shards = owned, "draining");
        self.draining.store(true, Ordering::Release);
        self.renew_now.notify_one();
        if tokio::time::timeout(time, self.hand_everything_over()).await.is_err() {
            tracing::warn!("not every shard had another owner in time");
        }
        let left: Vec<ShardId> = self.engine.tenure().held().into_iter().map(|(shard, _)| shard).collect();
        self.lose(&left);
        self.stop_renewing();
        if let Err(error) = within(limits::OWNERSHIP_CALL, self.ownership.leave()).await {
            tracing::warn!(%error, "could not leave; the others will miss this node");
        }
        let took_ms = u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(shards = owned, cut = left.len(), took_ms, "drained");
    }

    async fn hand_everything_over(&self) {
        loop {
            match self.hand_over_once().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "could not look where shards should go"),
            }
            tokio::time::sleep(limits::DRAIN_LOOK.into()).await;
        }
    }

    /// Gives away what is still here. Whether there is nothing more to give or to wait for.
    async fn hand_over_once(&self) -> Result<bool, StoreError> {
        let view = self.look().await?;
        let leaving = self.leaving().clone();
        let staying: Vec<_> = view.mine().filter(|(shard, _)| !leaving.contains_key(shard)).collect();
        if !staying.is_empty() {
            self.give_all(&staying, &view.shares(&staying)).await;
            return Ok(false);
        }
        let nobody_waits = view.all_at_others() || !view.has_takers();
        Ok(nobody_waits && self.engine.tenure().held().is_empty())
    }
}
