//! Which node owns an auction, and how to reach it.
//!
//! [`Router`] is the way of every bid: to the engine here, or over the node link to the owner. [`Directory`] is this
//! node's view of who owns what, kept by the [`Agent`]: it renews this node, looks at the others (`watch`), and takes,
//! hands over and loses shards (`rounds`, `giving`, `drain`) as `plan` says from what it saw and where `placement`
//! wants each shard. Nothing here decides about a bid, and no safety hangs on this room: a wrong view costs a detour,
//! the store's fence does the rest.

mod agent;
mod directory;
mod drain;
mod giving;
mod meters;
mod placement;
mod plan;
#[cfg(test)]
mod plan_tests;
mod probing;
mod renewal;
mod rounds;
mod router;
mod watch;

use async_trait::async_trait;

pub use agent::{Agent, AgentParts};
pub use directory::{Directory, Home};
pub use router::Router;

use crate::store::ownership::ShardId;

/// The other nodes, as far as shards need them.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Tells the node at `address` (`host:port`) that these shards are free for it: it need not wait for its next look.
    /// Only a hint: whether it arrives changes nothing but the pause.
    async fn offer(&self, address: &str, shards: &[ShardId]);
}
