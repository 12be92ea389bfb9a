//! What nodes tell each other over the bus: committed events, ticks and sign-outs, as bytes.
//!
//! A message is a version, its origin, and words until its end; a word is a kind, the length of its body, the body.
//! All numbers are little-endian. A kind that is not known is skipped, and what a body holds beyond its known fields
//! too, so nodes of two releases understand each other; only what breaks this frame takes a new version.
//!
//! Written by hand and not by serde: every event passes here once on its way out and once on each node, and this costs
//! a few copies where JSON costs a parser. Reading never panics and never allocates more than it was given.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use crate::bus::Publication;
use crate::domain::Timestamp;

pub use self::reader::{Words, read};
pub use self::writer::Message;

const VERSION: u8 = 1;

const BID: u8 = 1;
const CLOSED: u8 = 2;
const TICK: u8 = 3;
const SIGN_OUT: u8 = 4;
const EXTENDED: u8 = 5;

/// Which process says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub node: Arc<str>,
    /// Another after each start of the node.
    pub incarnation: i64,
}

/// One thing that a node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Event(Publication),
    /// The server's time.
    Tick(Timestamp),
    /// A sign-in ended; the hash of its token.
    SignOut([u8; 32]),
}

/// A message, or a part of one, that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("version {0} is not known")]
    Version(u8),
    #[error("it ends too early")]
    Cut,
    #[error("a value is none that there can be")]
    Value,
}
