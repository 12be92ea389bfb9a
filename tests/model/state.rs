//! What is where at one instant: the store, the nodes, what is on its way, and what bidders were told.

use std::collections::BTreeSet;

pub(crate) type Bid = u8;
pub(crate) type Epoch = u8;
pub(crate) type Seq = u8;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Row {
    pub(crate) seq: Seq,
    pub(crate) epoch: Epoch,
    pub(crate) bid: Bid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    Accepted(Seq),
    Rejected,
}

/// One decision that is not committed yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Decided {
    pub(crate) bid: Bid,
    pub(crate) answer: Answer,
}

/// What a node knows of the auction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Live {
    /// Accepted bids, as read from the store and confirmed by it since.
    pub(crate) accepted: Vec<Bid>,
    pub(crate) refused: BTreeSet<Bid>,
    /// In the order of deciding; the first `sent` are in the batch that is on its way.
    pub(crate) pending: Vec<Decided>,
    pub(crate) sent: usize,
}

impl Live {
    /// The highest accepted bid. A bid's number is its amount too; zero when there is none.
    pub(crate) fn top(&self) -> Bid {
        let pending = self.pending.iter().filter(|decided| decided.answer != Answer::Rejected);
        let pending = pending.map(|decided| decided.bid);
        self.accepted.iter().copied().chain(pending).max().unwrap_or_default()
    }

    pub(crate) fn committed_top(&self) -> Bid {
        self.accepted.iter().copied().max().unwrap_or_default()
    }

    pub(crate) fn next_seq(&self) -> Seq {
        let pending = self.pending.iter().filter(|decided| decided.answer != Answer::Rejected).count();
        u8::try_from(self.accepted.len() + pending + 1).unwrap()
    }

    /// The answer that the bid had before, if that is committed.
    pub(crate) fn earlier(&self, bid: Bid) -> Option<Answer> {
        let place = self.accepted.iter().position(|accepted| *accepted == bid);
        let accepted = place.map(|place| Answer::Accepted(u8::try_from(place + 1).unwrap()));
        accepted.or_else(|| self.refused.contains(&bid).then_some(Answer::Rejected))
    }
}

/// What the store said to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Committed,
    Fenced,
    HeadMismatch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flight {
    None,
    Sent,
    Answered(Outcome),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// The epoch under which it believes to own the auction.
    pub(crate) term: Option<Epoch>,
    /// `None`: it has to read the state back.
    pub(crate) live: Option<Live>,
    pub(crate) flight: Flight,
    /// The number of its connection: what was sent over an earlier one may still arrive, but is not heard of.
    pub(crate) connection: u8,
}

/// A commit on its way to the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Batch {
    pub(crate) node: usize,
    pub(crate) connection: u8,
    pub(crate) epoch: Epoch,
    /// The head that it follows.
    pub(crate) prev: Seq,
    pub(crate) accepted: Vec<Bid>,
    pub(crate) refused: Vec<Bid>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) epoch: Epoch,
    pub(crate) rows: BTreeSet<Row>,
    pub(crate) refused: BTreeSet<Bid>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) wire: BTreeSet<Batch>,
    /// Every answer that anyone was given.
    pub(crate) told: BTreeSet<(Bid, Answer)>,
    pub(crate) cuts: u8,
}

impl State {
    pub(crate) fn head(&self) -> Seq {
        self.rows.iter().map(|row| row.seq).max().unwrap_or_default()
    }

    /// The state as it is read from the store.
    pub(crate) fn read(&self) -> Live {
        let accepted = self.rows.iter().map(|row| row.bid).collect();
        Live { accepted, refused: self.refused.clone(), ..Live::default() }
    }
}
