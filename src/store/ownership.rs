//! Which node decides for which share of all auctions: the port.
//!
//! The store is the only authority. It knows nothing of leases and timers: it moves version numbers and
//! epochs, each in one short transaction, and leaves to others when to call. Safety hangs on the epochs alone:
//! [`super::Ledger::commit`] writes a batch only under the present epoch of its auction's shard.

use std::hash::Hasher as _;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{AuctionId, Epoch, Timestamp};

/// One of the fixed shares that all auctions fall into, numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub i32);

/// The shard of an auction in a cluster of `shards`, at least 1. The same for ever, on every node and build.
#[must_use]
pub fn shard_of(auction: AuctionId, shards: u32) -> ShardId {
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(&auction.0.to_le_bytes());
    let shard = hasher.finish() % u64::from(shards.max(1));
    ShardId(i32::try_from(shard).unwrap_or_default())
}

/// What a node says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// Takes shards.
    Up,
    /// Stops, or its clock is off: hands its shards over. One that stops takes no more; one whose clock is off takes only
    /// while no other is up.
    Draining,
}

/// A node as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    pub id: Arc<str>,
    /// Of the running process; another after each start.
    pub incarnation: i64,
    /// Grows with each renewal. Watch it on your own clock: it says nothing about the time.
    pub rvn: i64,
    /// Where the other nodes reach it.
    pub address: Arc<str>,
    pub state: NodeState,
}

/// A shard as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRow {
    pub id: ShardId,
    /// The node that took it last, with its incarnation then; `None` when it was released or never taken.
    pub owner: Option<(Arc<str>, i64)>,
    pub epoch: Epoch,
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// This incarnation is the node's present one.
    Renewed { rvn: i64, database_now: Timestamp },
    /// It left, or another process joined under the same name: stop at once.
    Replaced,
}

/// Nodes, shards and who owns which.
#[async_trait]
pub trait Ownership: Send + Sync {
    /// How many shards there are; fixed when the cluster was created.
    fn shard_count(&self) -> u32;

    /// Enters this node, or this incarnation of it in place of an earlier one.
    async fn join(&self, address: &str) -> Result<(), StoreError>;

    /// Moves the node's version number on and tells the database's clock.
    async fn renew(&self, state: NodeState) -> Result<Renewal, StoreError>;

    /// Takes this incarnation off the list. Its shards stay its own until they are released or taken. Twice is no error.
    async fn leave(&self) -> Result<(), StoreError>;

    /// All nodes, by id.
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError>;

    /// All shards, by id.
    async fn shards(&self) -> Result<Vec<ShardRow>, StoreError>;

    /// Takes those of the shards whose epoch is still the one that was `seen`, and returns them with their new epochs,
    /// by id. From then on nothing of an earlier epoch is written, and what was written before can be read.
    ///
    /// Never waits long for a holder that is frozen: past `limits::POSTGRES_LOCK` its connections are ended.
    async fn take(&self, seen: &[(ShardId, Epoch)]) -> Result<Vec<(ShardId, Epoch)>, StoreError>;

    /// Gives up those of the shards that this incarnation owns under the given epoch; others are left as they are.
    async fn release(&self, owned: &[(ShardId, Epoch)]) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_an_auction_never_changes() {
        let shards: Vec<i32> = [1, 2, 3, 1_000_000, i64::MAX].map(|id| shard_of(AuctionId(id), 1_024).0).to_vec();
        assert_eq!(shards, PINNED);
        assert_eq!(shard_of(AuctionId(7), 1), ShardId(0));
    }

    /// Written down once: if it differs, auctions of running clusters would change their shards.
    const PINNED: [i32; 5] = [473, 22, 250, 31, 967];

    #[test]
    fn auctions_spread_over_all_shards() {
        let mut counts = [0_u32; 16];
        for id in 1..=16_000 {
            counts[usize::try_from(shard_of(AuctionId(id), 16).0).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }
}
