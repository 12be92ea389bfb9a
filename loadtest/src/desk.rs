//! What the connections of one thread share: where bids come from, and where their answers are noted.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::answer::Verdict;
use crate::clock;
use crate::market::{Draw, Market};
use crate::pace::{Pace, Window};
use crate::record::{Ack, Tally};
use crate::setup::User;

/// One bid from its draw until its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bid {
    pub(crate) id: u128,
    pub(crate) draw: Draw,
    /// When it was due; latency counts from here.
    pub(crate) intended: Instant,
}

/// What to do with a bid after a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It has its answer.
    Done(Option<Ack>),
    /// Send it again, no sooner than this.
    Again(Duration),
}

/// Shared by every connection of a thread; never crosses threads.
pub(crate) struct Desk {
    pub(crate) market: Arc<Market>,
    pub(crate) users: Arc<[User]>,
    pub(crate) tally: Rc<RefCell<Tally>>,
    pub(crate) pace: Pace,
    pub(crate) window: Window,
    /// Send an accepted bid once more, every so many, and compare the receipts.
    pub(crate) repeat_every: Option<usize>,
    pub(crate) random: RefCell<SmallRng>,
}

/// A generator for one thread.
pub(crate) fn random() -> RefCell<SmallRng> {
    RefCell::new(SmallRng::from_rng(&mut rand::rng()))
}

impl Desk {
    /// Draws a bid that is due at `intended`, and notes that it is on its way.
    pub(crate) fn draw(&self, intended: Instant) -> Bid {
        let draw = self.market.draw();
        let due_us = clock::micros(intended.saturating_duration_since(self.window.start));
        self.market.auctions[draw.auction].remember(draw.amount, due_us);
        self.tally.borrow_mut().sent();
        let bytes = self.random.borrow_mut().random::<[u8; 16]>();
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid().as_u128();
        Bid { id, draw, intended }
    }

    /// The bidder whose turn it is: neighbours in an auction's order of amounts are different people.
    pub(crate) fn bidder(&self, bid: &Bid) -> &User {
        &self.users[bid.draw.ticket % self.users.len()]
    }

    /// Notes `verdict` on `bid`.
    pub(crate) fn settle(&self, bid: &Bid, verdict: Verdict<'_>) -> Next {
        let now = clock::now();
        let mut tally = self.tally.borrow_mut();
        match verdict {
            Verdict::Accepted { seq, amount, repeat } if amount == bid.draw.amount => {
                let ack = Ack { bid_id: bid.id, seq, amount };
                tally.repeated += u64::from(repeat);
                tally.accept(bid.draw.auction, ack, bid.intended, now);
                Next::Done(Some(ack))
            }
            Verdict::Accepted { .. } => {
                tally.fault("receipt_of_another_amount");
                Next::Done(None)
            }
            Verdict::Rejected { code, min_next } => {
                tally.reject(code, bid.intended, now);
                if let Some(min_next) = min_next {
                    self.market.raise(bid.draw.auction, min_next);
                }
                Next::Done(None)
            }
            Verdict::PushedBack { code, after } => {
                tally.push_back(code);
                match self.pace {
                    Pace::Closed(_) => Next::Again(after),
                    // The schedule goes on: a bid that waits would take the place of one that is due.
                    Pace::Open(_) => {
                        tally.give_up(code);
                        Next::Done(None)
                    }
                }
            }
            Verdict::Fault { code } => {
                tally.fault(code);
                Next::Done(None)
            }
        }
    }

    /// Compares the receipt of a repeat, sent on purpose, with the first.
    pub(crate) fn compare_repeat(&self, first: Ack, verdict: Verdict<'_>) {
        let mut tally = self.tally.borrow_mut();
        match verdict {
            Verdict::Accepted { seq, amount, .. } => {
                tally.repeated += 1;
                if (seq, amount) != (first.seq, first.amount) {
                    tally.repeats_that_differ += 1;
                }
            }
            Verdict::PushedBack { code, .. } => tally.push_back(code),
            Verdict::Rejected { code, .. } | Verdict::Fault { code } => {
                tally.repeats_that_differ += 1;
                tally.error(code);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::args::{Scenario, Strategy};

    pub(crate) fn desk(open: bool) -> Desk {
        let start = clock::now();
        let window = Window {
            start,
            until: start + Duration::from_mins(1),
            stopped: Arc::default(),
            left: Arc::new(u64::MAX.into()),
        };
        let share = crate::pace::Share { rate_per_s: 1.0, offset: 0, stride: 1 };
        Desk {
            market: Arc::new(crate::market::tests::market(1, Scenario::Hot, Strategy::Rising)),
            users: ["a", "b"].map(|token| User { token: Arc::from(token) }).into(),
            tally: Rc::new(RefCell::new(Tally::new(1))),
            pace: if open { Pace::Open(Pace::open(window.clone(), share)) } else { Pace::closed(window.clone()) },
            window,
            repeat_every: None,
            random: random(),
        }
    }

    #[test]
    fn bidders_alternate_so_that_no_one_outbids_himself() {
        let desk = desk(false);
        let turns: Vec<_> =
            (0..4).map(|_| desk.draw(clock::now())).map(|bid| desk.bidder(&bid).token.to_string()).collect();
        assert_eq!(turns, ["a", "b", "a", "b"]);
    }

    #[test]
    fn every_bid_has_its_own_version_4_id() {
        let desk = desk(false);
        let (one, two) = (desk.draw(clock::now()), desk.draw(clock::now()));
        assert_ne!(one.id, two.id);
        assert_eq!(uuid::Uuid::from_u128(one.id).get_version_num(), 4);
    }

    #[test]
    fn a_bid_pushed_back_is_sent_again_in_a_closed_loop_only() {
        let pushed = Verdict::PushedBack { code: "overloaded", after: Duration::from_secs(2) };
        let closed = desk(false);
        assert_eq!(closed.settle(&closed.draw(clock::now()), pushed), Next::Again(Duration::from_secs(2)));
        assert_eq!(closed.tally.borrow().in_flight, 1);
        let open = desk(true);
        assert_eq!(open.settle(&open.draw(clock::now()), pushed), Next::Done(None));
        assert_eq!(open.tally.borrow().in_flight, 0);
        assert_eq!(open.tally.borrow().pushed_back["overloaded"], 1);
    }

    #[test]
    fn a_receipt_for_another_amount_is_a_fault_not_an_acknowledgement() {
        let desk = desk(false);
        let bid = desk.draw(clock::now());
        let verdict = Verdict::Accepted { seq: 1, amount: bid.draw.amount + 1, repeat: false };
        assert_eq!(desk.settle(&bid, verdict), Next::Done(None));
        assert!(desk.tally.borrow().acks[0].is_empty());
        assert_eq!(desk.tally.borrow().errors["receipt_of_another_amount"], 1);
    }

    #[test]
    fn a_repeat_with_another_receipt_is_noticed() {
        let desk = desk(false);
        let first = Ack { bid_id: 1, seq: 5, amount: 9 };
        desk.compare_repeat(first, Verdict::Accepted { seq: 5, amount: 9, repeat: true });
        assert_eq!(desk.tally.borrow().repeats_that_differ, 0);
        desk.compare_repeat(first, Verdict::Accepted { seq: 6, amount: 9, repeat: true });
        desk.compare_repeat(first, Verdict::Rejected { code: "too_low", min_next: None });
        assert_eq!(desk.tally.borrow().repeats_that_differ, 2);
    }
}
