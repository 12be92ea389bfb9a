//! What one thread saw: counts, latencies, and every acknowledged bid for the check afterwards.
//!
//! Belongs to one thread; merged into the run's totals at the end, into the timeline once a second.

use std::collections::BTreeMap;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::clock::micros;
use crate::timeline::Interval;

/// Latencies above this count as this: an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// A bid that the server accepted, as its receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) bid_id: u128,
    pub(crate) seq: i64,
    pub(crate) amount: i64,
}

/// How often each code came.
pub(crate) type Codes = BTreeMap<String, u64>;

/// Counts, latencies and acknowledgements of one thread, then of the run.
pub(crate) struct Tally {
    pub(crate) accepted: Histogram<u64>,
    pub(crate) rejected: Histogram<u64>,
    pub(crate) delivery: Histogram<u64>,
    pub(crate) rejections: Codes,
    pub(crate) pushed_back: Codes,
    pub(crate) errors: Codes,
    /// Acceptances answered as a repeat (200 instead of 201).
    pub(crate) repeated: u64,
    /// Repeats sent on purpose whose receipt differed from the first.
    pub(crate) repeats_that_differ: u64,
    pub(crate) reconnects: u64,
    pub(crate) resent: u64,
    /// Sent and not answered so far; at the end, never answered.
    pub(crate) in_flight: u64,
    /// Given up without a verdict: the history may hold them or not.
    pub(crate) undecided: u64,
    pub(crate) unsent: u64,
    pub(crate) deliveries: u64,
    /// When the first bid was told that its auction is closed.
    pub(crate) first_closed: Option<Instant>,
    /// For each auction.
    pub(crate) acks: Vec<Vec<Ack>>,
    /// The current second.
    pub(crate) interval: Interval,
}

/// A histogram of microseconds up to an hour.
pub(crate) fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, digits)
        .unwrap_or_else(|never| unreachable!("the bounds are constants that hdrhistogram accepts: {never}"))
}

fn count(codes: &mut Codes, code: &str) {
    if let Some(count) = codes.get_mut(code) {
        *count += 1;
    } else {
        codes.insert(code.to_owned(), 1);
    }
}

impl Tally {
    /// Nothing seen yet.
    pub(crate) fn new(auctions: usize) -> Self {
        Self {
            accepted: histogram(3),
            rejected: histogram(3),
            delivery: histogram(3),
            rejections: Codes::new(),
            pushed_back: Codes::new(),
            errors: Codes::new(),
            repeated: 0,
            repeats_that_differ: 0,
            reconnects: 0,
            resent: 0,
            in_flight: 0,
            undecided: 0,
            unsent: 0,
            deliveries: 0,
            first_closed: None,
            acks: vec![Vec::new(); auctions],
            interval: Interval::new(),
        }
    }

    /// A bid went out for the first time.
    pub(crate) const fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// A bid due at `intended` was accepted.
    pub(crate) fn accept(&mut self, auction: usize, ack: Ack, intended: Instant, now: Instant) {
        let latency_us = micros(now.saturating_duration_since(intended));
        self.in_flight -= 1;
        self.acks[auction].push(ack);
        self.accepted.saturating_record(latency_us);
        self.interval.accepted += 1;
        self.interval.latency.saturating_record(latency_us);
    }

    /// A bid due at `intended` was refused by the auction's rules.
    pub(crate) fn reject(&mut self, code: &str, intended: Instant, now: Instant) {
        let latency_us = micros(now.saturating_duration_since(intended));
        self.in_flight -= 1;
        if code == "closed" {
            self.first_closed.get_or_insert(now);
        }
        count(&mut self.rejections, code);
        self.rejected.saturating_record(latency_us);
        self.interval.rejected += 1;
        self.interval.latency.saturating_record(latency_us);
    }

    /// The server had no room for a bid just now.
    pub(crate) fn push_back(&mut self, code: &str) {
        count(&mut self.pushed_back, code);
        self.interval.pushed_back += 1;
    }

    /// A bid that was pushed back is not tried again.
    pub(crate) fn give_up(&mut self, code: &str) {
        self.in_flight -= 1;
        // These say that nothing was decided; any other code leaves it open.
        self.undecided += u64::from(!matches!(code, "rate_limited" | "overloaded" | "moving"));
    }

    /// A bid got an answer that it should not have got.
    pub(crate) fn fault(&mut self, code: &str) {
        self.in_flight -= 1;
        self.undecided += 1;
        self.error(code);
    }

    /// Something failed that is no bid's answer.
    pub(crate) fn error(&mut self, code: &str) {
        count(&mut self.errors, code);
        self.interval.errors += 1;
    }

    /// A watcher saw a bid `latency_us` after it was due, if that is known.
    pub(crate) fn deliver(&mut self, latency_us: Option<u64>) {
        self.deliveries += 1;
        self.interval.deliveries += 1;
        if let Some(latency_us) = latency_us {
            self.delivery.saturating_record(latency_us);
            self.interval.delivery.saturating_record(latency_us);
        }
    }

    /// Adds what another thread saw.
    pub(crate) fn merge(&mut self, other: Self) {
        for (into, from) in [
            (&mut self.accepted, &other.accepted),
            (&mut self.rejected, &other.rejected),
            (&mut self.delivery, &other.delivery),
        ] {
            // Same bounds on both sides: nothing can fail to fit.
            let _fits = into.add(from);
        }
        for (into, from) in [
            (&mut self.rejections, other.rejections),
            (&mut self.pushed_back, other.pushed_back),
            (&mut self.errors, other.errors),
        ] {
            for (code, count) in from {
                *into.entry(code).or_default() += count;
            }
        }
        for (into, from) in [
            (&mut self.repeated, other.repeated),
            (&mut self.repeats_that_differ, other.repeats_that_differ),
            (&mut self.reconnects, other.reconnects),
            (&mut self.resent, other.resent),
            (&mut self.in_flight, other.in_flight),
            (&mut self.undecided, other.undecided),
            (&mut self.unsent, other.unsent),
            (&mut self.deliveries, other.deliveries),
        ] {
            *into += from;
        }
        self.first_closed = match (self.first_closed, other.first_closed) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        for (into, mut from) in self.acks.iter_mut().zip(other.acks) {
            into.append(&mut from);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    #[test]
    fn latency_counts_from_the_intended_start() {
        let mut tally = Tally::new(1);
        let intended = clock::now();
        tally.sent();
        tally.accept(0, Ack { bid_id: 1, seq: 1, amount: 5 }, intended, intended + Duration::from_millis(250));
        assert!(tally.accepted.max().abs_diff(250_000) < 300);
        assert_eq!((tally.in_flight, tally.acks[0].len(), tally.interval.accepted), (0, 1, 1));
    }

    #[test]
    fn threads_add_up() {
        let (mut one, mut two) = (Tally::new(2), Tally::new(2));
        let now = clock::now();
        for tally in [&mut one, &mut two] {
            tally.sent();
            tally.sent();
            tally.sent();
            tally.accept(1, Ack { bid_id: 1, seq: 1, amount: 5 }, now, now);
            tally.reject("closed", now, now);
            tally.push_back("overloaded");
            tally.deliver(Some(9));
        }
        one.merge(two);
        assert_eq!((one.in_flight, one.deliveries, one.acks[1].len()), (2, 2, 2));
        assert_eq!((one.rejections["closed"], one.pushed_back["overloaded"]), (2, 2));
        assert_eq!((one.accepted.len(), one.delivery.len(), one.first_closed), (2, 2, Some(now)));
    }

    #[test]
    fn a_fault_leaves_the_bids_fate_open_and_a_full_server_does_not() {
        let mut tally = Tally::new(1);
        for _ in 0..3 {
            tally.sent();
        }
        tally.fault("status_500");
        tally.give_up("overloaded");
        tally.give_up("outcome_pending");
        assert_eq!((tally.in_flight, tally.undecided), (0, 2));
    }

    #[test]
    fn an_acknowledgement_is_compact() {
        assert_eq!(size_of::<Ack>(), 32);
    }
}
