//! One actor for each live auction: the only writer of its state.
//!
//! In the order of a bid's way: `registry` finds or starts the auction, `handle` admits the bid within a bound, `postbox` and
//! `mailbox` hand it to `actor`, which decides, `pending` holds the reply until the committer confirms, `deadlines` wakes
//! auctions whose closing instant comes, `closing` ends them, once bidders had the time that `owed` reckons after an outage,
//! `tenure` knows for which shards this node decides. Nothing here awaits I/O while deciding, and nothing here knows HTTP,
//! SQL or Redis.

mod actor;
mod closing;
mod deadlines;
mod handle;
mod loading;
mod mailbox;
mod messages;
mod metrics;
mod owed;
mod pending;
mod postbox;
mod registry;
mod tenure;

pub use messages::{Answer, BidError, Receipt};
pub use registry::{Engine, EngineParts};
pub use tenure::Tenure;
