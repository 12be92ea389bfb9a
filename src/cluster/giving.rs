//! Hands shards over: lets what was decided be written and told, releases them in the store, and says to whom they go.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::Home;
use super::agent::{Agent, within};
use super::plan::Share;
use super::watch::Standing;
use crate::domain::Epoch;
use crate::limits;
use crate::store::ownership::ShardId;

impl Agent {
    /// Gives the shards up; `to` is told that they are free for it.
    pub(super) async fn give(&self, shards: &[(ShardId, Epoch)], to: Option<&Standing>) {
        let ids: Vec<ShardId> = shards.iter().map(|(shard, _)| *shard).collect();
        self.leaving().extend(shards.iter().copied());
        self.engine.hand_over(&ids, limits::HAND_OVER_WITHIN.into()).await;
        self.count_owned();
        if let Err(error) = within(limits::OWNERSHIP_CALL, self.ownership.release(shards)).await {
            tracing::warn!(%error, shards = shards.len(), "could not release shards");
            // Whatever is still this node's is taken once more.
            self.leaving().retain(|shard, _| !ids.contains(shard));
            self.look_now.notify_one();
            return;
        }
        self.meters.handed_over.increment(u64::try_from(shards.len()).unwrap_or(u64::MAX));
        if let Some(to) = to {
            self.send_bids_to(to, shards);
            self.offer(to, &ids).await;
        }
        self.look_now.notify_one();
    }

    /// Gives all of `shards` up: each of the `portions` to its node, the rest to nobody; a few at a time.
    pub(super) async fn give_all(&self, shards: &[(ShardId, Epoch)], portions: &[Share]) {
        let placed: HashSet<ShardId> =
            portions.iter().flat_map(|share| share.shards.iter()).map(|(shard, _)| *shard).collect();
        let rest: Vec<_> = shards.iter().filter(|(shard, _)| !placed.contains(shard)).copied().collect();
        let shared = portions
            .iter()
            .flat_map(|share| share.shards.chunks(limits::DRAIN_SHARDS).map(move |chunk| (chunk, Some(&share.to))));
        let goes: Vec<_> = shared.chain(rest.chunks(limits::DRAIN_SHARDS).map(|chunk| (chunk, None))).collect();
        stream::iter(goes).for_each_concurrent(limits::DRAIN_AT_ONCE, |(chunk, to)| self.give(chunk, to)).await;
    }

    /// Tells `to` that the shards are free for it.
    pub(super) async fn offer(&self, to: &Standing, shards: &[ShardId]) {
        let told = tokio::time::timeout(limits::OFFER_WITHIN.into(), self.peers.offer(&to.address, shards)).await;
        if told.is_err() {
            tracing::warn!(to = %to.node, shards = shards.len(), "an offer of shards was not heard in time");
        }
    }

    /// From the release on, bids go to the node that will have the shards: whoever takes them has the next epoch.
    fn send_bids_to(&self, to: &Standing, shards: &[(ShardId, Epoch)]) {
        for (shard, Epoch(epoch)) in shards {
            let home = Home {
                node: Arc::clone(&to.node),
                incarnation: to.incarnation,
                address: Arc::clone(&to.address),
                epoch: Epoch(epoch.saturating_add(1)),
            };
            self.directory.learn(*shard, home);
        }
    }
}
