//! Which node owns an auction, and how to reach it.
//!
//! [`Router`] is the way of every bid: to the engine here, or over the node link to the owner. [`Directory`] is this
//! node's view of who owns what. Nothing here decides about a bid, and no safety hangs on this room: a wrong view costs
//! a detour, the store's fence does the rest.

mod directory;
mod router;

pub use directory::{Directory, Home};
pub use router::Router;
