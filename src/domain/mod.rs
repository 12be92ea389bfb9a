//! The rules of an auction, pure.
//!
//! Nothing here reads a clock, touches a socket or a disk, awaits, logs or serialises. The server,
//! the auditor and the tests run the very same code: [`Auction::decide`] answers a command,
//! [`Auction::apply`] folds an event in, [`Auction::next_deadline`] says when to call again.
#![deny(missing_docs, clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod auction;
mod command;
mod event;
mod ids;
mod money;
mod rejection;
mod rules;
#[cfg(test)]
mod table_tests;
mod time;
#[cfg(test)]
mod twin_tests;

pub use auction::{Auction, Extension, Head, Outcome, Terms, Top};
pub use command::{Command, PlaceBid};
pub use event::{Event, EventKind};
pub use ids::{AuctionId, BidId, Bidder, Epoch, Seq, UserId};
pub use money::{Currency, Money};
pub use rejection::Rejection;
pub use rules::Rules;
pub use time::{Span, Timestamp};
