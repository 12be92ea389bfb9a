//! What was decided and waits to be committed, in order.
//!
//! Each entry that goes to the committer has its twin here, with the replies that its commit releases.
//! The committer confirms from the front, so that replies leave in seq order.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::handle::Permit;
use super::{Answer, BidError};
use crate::domain::{BidId, Event, PlaceBid};

/// Where an answer goes, and the permits that it gives back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) to: oneshot::Sender<Result<Answer, BidError>>,
    pub(super) _permits: (Permit, Permit),
}

impl Reply {
    /// Answers. A bidder who is gone is no error: the answer is remembered under its `bid_id`.
    pub(super) fn send(self, answer: Result<Answer, BidError>) {
        let _gone = self.to.send(answer);
    }
}

/// One uncommitted entry.
#[derive(Debug)]
pub(super) struct Uncommitted {
    /// `None` for a rejection.
    pub(super) event: Option<Arc<Event>>,
    /// The bid it answers; `None` for the close.
    pub(super) bid: Option<PlaceBid>,
    /// What the bidder is told once it is committed; `None` when it was told already, or for the close.
    pub(super) answer: Option<Answer>,
    pub(super) replies: Vec<Reply>,
}

/// All uncommitted entries of one auction, oldest first.
#[derive(Debug, Default)]
pub(super) struct Pending(VecDeque<Uncommitted>);

impl Pending {
    pub(super) fn push(&mut self, entry: Uncommitted) {
        self.0.push_back(entry);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entry that answers `bid_id`, if it is not committed yet.
    pub(super) fn find(&mut self, bid_id: BidId) -> Option<&mut Uncommitted> {
        self.0.iter_mut().rev().find(|entry| entry.bid.as_ref().is_some_and(|bid| bid.bid_id == bid_id))
    }

    /// Takes the oldest `count` entries.
    pub(super) fn take(&mut self, count: usize) -> impl Iterator<Item = Uncommitted> {
        self.0.drain(..count.min(self.0.len()))
    }
}
