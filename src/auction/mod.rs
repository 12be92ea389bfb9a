//! One actor for each live auction: the only writer of its state.
//!
//! In the order of a bid's way: `registry` finds or starts the auction, `handle` admits the bid
//! within a bound, `actor` decides, `pending` holds the reply until the committer confirms,
//! `deadlines` wakes auctions whose closing instant comes. Nothing here awaits I/O while deciding,
//! and nothing here knows HTTP, SQL or Redis.

mod actor;
mod deadlines;
mod handle;
mod loading;
mod messages;
mod metrics;
mod pending;
mod registry;

pub use messages::{Answer, BidError, Receipt};
pub use registry::{Engine, EngineParts};
