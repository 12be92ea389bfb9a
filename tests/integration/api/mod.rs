//! The JSON door, route by route, and the original application's addresses.

mod accounts;
mod auctions;
mod bids;
mod door;
mod images;
mod original;
mod pages;
mod strict;
mod throttling;

pub(crate) use images::picture;

use crate::harness::Reply;

/// A request that is not of the right form: 400 or 422, as a problem.
#[track_caller]
pub(crate) fn assert_refused(reply: &Reply) {
    assert!(matches!(reply.status, 400 | 422), "{reply:?}");
    reply.problem(reply.status, "invalid");
}
