//! Tries the ports of nodes that are suspected: a node whose port refuses need not be waited for.
//!
//! Only a refusal counts. A port that does not answer says nothing: the node may be well and the way to it cut. A node
//! that is wrongly held for gone loses its shards and some time, nothing else.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::agent::Agent;
use super::plan::View;
use crate::domain::Timestamp;
use crate::limits;
use crate::store::ownership::ShardId;

impl Agent {
    /// Tries each address that is named, for ever.
    pub(super) async fn probing(self: Arc<Self>, mut suspects: mpsc::Receiver<Arc<str>>) {
        let mut tried: HashMap<Arc<str>, Timestamp> = HashMap::new();
        while let Some(address) = suspects.recv().await {
            let now = self.clock.now();
            tried.retain(|_, at| now.since(*at) < limits::PROBE_EVERY);
            if address == self.me.address || tried.contains_key(&address) {
                continue;
            }
            if is_refused(&address).await {
                self.confirmed_refused(&address).await;
            }
            tried.insert(address, self.clock.now());
        }
    }

    async fn confirmed_refused(&self, address: &str) {
        // As fresh as it gets: a number that changes from here on means that it lives.
        let Ok(view) = self.look().await else { return };
        let Some(gone) = view.nodes.iter().find(|node| &*node.address == address && node.alive) else { return };
        if gone.node == self.me.node {
            return;
        }
        tracing::warn!(node = %gone.node, address, "a node's port refuses: taking over");
        self.watch.lock().await.refused(&gone.node, gone.incarnation, self.clock.now());
        self.look_now.notify_one();
        if let Ok(view) = self.look().await {
            self.tell_others(&view, &gone.node).await;
        }
    }

    /// Lets the other nodes know of what the node that is gone has left for them.
    async fn tell_others(&self, view: &View, gone: &str) {
        let left = view.free(|shard| shard.owner.as_ref().is_some_and(|(owner, _)| &**owner == gone));
        let own_share = |shard: &ShardId| view.is_placed_here(*shard);
        let others: Vec<_> = left.into_iter().filter(|(shard, _)| !own_share(shard)).collect();
        for share in view.shares(&others) {
            let shards: Vec<ShardId> = share.shards.iter().map(|(shard, _)| *shard).collect();
            self.offer(&share.to, &shards).await;
        }
    }
}

/// Whether a connection to `address` is refused; not when nothing is heard.
async fn is_refused(address: &str) -> bool {
    let connecting = tokio::time::timeout(limits::PROBE_WITHIN.into(), TcpStream::connect(address));
    matches!(connecting.await, Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused)
}
