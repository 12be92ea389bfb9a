//! Which node owns an auction, and how to reach it.
//!
//! [`Router`] is the way of every bid: to the engine here, or over the node [`Link`] to the owner, where [`NodeDoor`]
//! takes it in. [`Directory`] is this node's view of who owns what, kept by the [`Agent`]: it renews this node, looks at
//! the others (`watch`), and takes, hands over and loses shards (`rounds`, `giving`, `drain`) as `plan` says from what it
//! saw and where `placement` wants each shard. Nothing here decides about a bid, and no safety hangs on this room: a
//! wrong view costs a detour, the store's fence does the rest.

mod agent;
mod arrivals;
mod directory;
mod drain;
mod giving;
mod link;
mod listener;
mod meters;
mod metrics;
mod placement;
mod plan;
#[cfg(test)]
mod plan_tests;
mod probing;
mod renewal;
mod rounds;
mod router;
mod serving;
mod stash;
mod token;
mod watch;

use async_trait::async_trait;

pub use agent::{Agent, AgentParts};
pub use directory::{Directory, Home};
pub use link::Link;
pub use listener::NodeDoor;
pub use router::{NotReady, Router};

use crate::domain::{AuctionId, Timestamp};
use crate::store::ownership::ShardId;

/// The other nodes, as this one speaks to them about shards.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Tells the node at `address` (`host:port`) that these shards are free for it: it need not wait for its next look.
    /// Only a hint, over within `limits::LINK_CONNECT`: whether it arrives changes nothing but the pause.
    async fn offer(&self, address: &str, shards: &[ShardId]);
}

/// What the other nodes tell this one. Calls return at once.
pub trait Neighbour: Send + Sync {
    /// These shards are free for this node, or their owner is gone.
    fn offered(&self, shards: Vec<ShardId>);

    /// An auction was stored that this node should see to; if it is not its own, nothing is to be done.
    fn auction_created(&self, id: AuctionId, ends_at: Timestamp);
}
