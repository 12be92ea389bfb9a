//! Notices of created auctions on their way to the owners. Best effort: an owner reads deadlines by itself, too.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Shared;
use crate::domain::{AuctionId, Timestamp};
use crate::limits;
use crate::protocol::link::Created;
use crate::store::ownership::ShardId;

/// An auction that was just stored.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) shard: ShardId,
    pub(super) id: AuctionId,
    pub(super) ends_at: Timestamp,
}

/// Sends what waits, together for each owner, until the link ends. What has no home or does not arrive is dropped.
pub(super) async fn send_all(shared: Arc<Shared>, mut waiting: mpsc::Receiver<Notice>) {
    let mut taken = Vec::new();
    while waiting.recv_many(&mut taken, limits::CREATED_NOTICES_PER_REQUEST).await > 0 {
        let mut owners: HashMap<Arc<str>, Vec<(i64, i64)>> = HashMap::new();
        for Notice { shard, id, ends_at } in taken.drain(..) {
            match shared.directory.home(shard) {
                Some(home) => owners.entry(home.address).or_default().push((id.0, ends_at.0)),
                None => shared.metrics.notices_dropped.increment(1),
            }
        }
        let sent = owners.into_iter().map(|(address, auctions)| {
            let shared = &shared;
            async move {
                let count = auctions.len() as u64;
                if !shared.tell(&address, "created", &Created { auctions }).await {
                    shared.metrics.notices_dropped.increment(count);
                }
            }
        });
        futures_util::future::join_all(sent).await;
    }
}
