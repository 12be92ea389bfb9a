//! Which node owns an auction, and how to reach it.
//!
//! [`Router`] is the way of every bid: to the engine here, or over the node [`Link`] to the owner, where [`NodeDoor`]
//! takes it in. [`Directory`] is this node's view of who owns what. Nothing here decides about a bid, and no safety
//! hangs on this room: a wrong view costs a detour, the store's fence does the rest.

mod arrivals;
mod directory;
mod link;
mod listener;
mod metrics;
mod router;
mod secret;
mod serving;
mod stash;

use async_trait::async_trait;

pub use directory::{Directory, Home};
pub use link::Link;
pub use listener::NodeDoor;
pub use router::Router;
pub use secret::Secret;

use crate::domain::{AuctionId, Timestamp};
use crate::store::ownership::ShardId;

/// The other nodes, as this one speaks to them about shards.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Tells the node at `address` that these shards were just released, for it to take. Best effort, over within
    /// `limits::LINK_CONNECT`: a node that did not hear of it finds them by itself.
    async fn offer(&self, address: &str, shards: &[ShardId]);
}

/// What the other nodes tell this one. Calls return at once.
pub trait Neighbour: Send + Sync {
    /// These shards were just released, for this node to take.
    fn offered(&self, shards: Vec<ShardId>);

    /// An auction was stored that this node should see to; if it is not its own, nothing is to be done.
    fn auction_created(&self, id: AuctionId, ends_at: Timestamp);
}
