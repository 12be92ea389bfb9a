//! One auction's events through the core, one after the other.

use super::Report;
use crate::domain::{Auction, AuctionId, Command, Epoch, Event, EventKind, Extension, Head, Seq};
use crate::store::{Settlement, StoredAuction, StoredEvent};

/// The auction as its events make it.
pub(super) struct Replay {
    id: AuctionId,
    auction: Auction,
    epoch: Epoch,
    /// An event is missing: from there on the state is not what the owner saw.
    broken: bool,
    /// In seq order.
    pub(super) extensions: Vec<Extension>,
}

impl Replay {
    pub(super) fn new(stored: &StoredAuction) -> Self {
        let auction = Auction::new(stored.terms.clone(), Head::EMPTY);
        Self { id: stored.id, auction, epoch: Epoch(0), broken: false, extensions: Vec::new() }
    }

    /// Checks the next event against the state so far, then folds it in.
    pub(super) fn step(&mut self, stored: &StoredEvent, report: &mut Report) {
        let StoredEvent { epoch, event } = stored;
        let Event { seq, at, kind } = event.as_ref();
        let head = self.auction.head();
        let expected = head.seq.next();
        if *seq != expected {
            report.fault("I1", self.id, &format!("event {expected} is missing, {seq} comes next"));
            self.broken = true;
        }
        if *epoch < self.epoch {
            report.fault("I2", self.id, &format!("event {seq} is of epoch {epoch}, after one of epoch {}", self.epoch));
        }
        if *at <= head.last_at {
            let last = head.last_at.0;
            report.fault("I3", self.id, &format!("event {seq} is stamped {}, not after {last}", at.0));
        }
        let ends_at = self.auction.ends_at();
        let late = matches!(kind, EventKind::Bid(_)) && *at >= ends_at;
        if late {
            let what = format!("the bid of event {seq} is stamped {}, the auction ends at {}", at.0, ends_at.0);
            report.fault("I10", self.id, &what);
        }
        if !late && !self.broken {
            self.decide_again(event, report);
        }
        self.epoch = *epoch;
        self.auction.apply(event);
        if matches!(kind, EventKind::Extended { .. }) {
            self.extensions.extend(self.auction.head().extension);
        }
    }

    /// The core, asked again, must give the very event that is stored.
    fn decide_again(&self, event: &Event, report: &mut Report) {
        let command = match &event.kind {
            EventKind::Bid(bid) => Command::Bid(bid.clone()),
            EventKind::Extended { ends_at } => Command::Extend { ends_at: *ends_at },
            EventKind::Closed { .. } => Command::Close,
        };
        match self.auction.decide(command, event.at) {
            Ok(again) if again == *event => {}
            Ok(again) => {
                let what = format!("event {} is {:?}, the core gives {:?}", event.seq, event.kind, again.kind);
                report.fault("I5", self.id, &what);
            }
            Err(rejection) => {
                let what = format!("the core refuses event {}: {rejection:?}", event.seq);
                report.fault("I5", self.id, &what);
            }
        }
    }

    /// Compares the stored head with the replayed one. Returns whether the rest can be judged: not after a gap.
    pub(super) fn finish(&self, stored: &StoredAuction, report: &mut Report) -> bool {
        let head = self.auction.head();
        if head.seq < stored.head.seq {
            let (newest, stored) = (head.seq, stored.head.seq);
            report.fault("I1", self.id, &format!("the events end at {newest}, the head is {stored}"));
            return false;
        }
        if self.broken {
            return false;
        }
        if *head != stored.head {
            report.fault("I5", self.id, &format!("the stored head is {:?}, the events give {head:?}", stored.head));
            return false;
        }
        if stored.head.seq != Seq::ZERO && stored.epoch != self.epoch {
            let what = format!("the head is of epoch {}, its event of epoch {}", stored.epoch, self.epoch);
            report.fault("I2", self.id, &what);
        }
        true
    }
}

/// The settlement that an auction's outcome asks for.
pub(super) fn settlement(auction: &StoredAuction) -> Option<Settlement> {
    let outcome = auction.head.outcome.as_ref()?;
    Some(Settlement {
        auction_id: auction.id,
        seller: auction.terms.seller,
        sale: outcome.winner.as_ref().map(|top| (top.bidder.id, top.amount)),
        at: outcome.closed_at,
    })
}
