//! One actor for each live auction: the only writer of its state.
//!
//! In the order of a bid's way: [`registry`] finds or starts the auction, [`handle`] admits the bid
//! within a bound, [`actor`] decides, [`outbox`] carries the event to the committer and the replies
//! back. Nothing here awaits I/O while deciding, and nothing here knows HTTP, SQL or Redis.

mod messages;
mod registry;

pub use messages::{Answer, BidError, Receipt};
pub use registry::Engine;
