//! The words on the wire, and their translation to and from the domain.
//!
//! Domain types are not serialisable; their twins here are, so that a change of the wire and a change
//! of the rules never meet in one diff.

pub mod bid;
pub mod client;
pub mod given;
pub mod link;
pub mod node;
pub mod object;
pub mod time;
