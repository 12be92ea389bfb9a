//! What all watchers of one process write on: deliveries, and how late they were.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::clock;
use crate::error::Fault;

/// Amounts of events start above this: ten digits wide whatever the length of the run.
pub(crate) const AMOUNT_BASE: i64 = 1_000_001_000;
/// Latest delivery that is told apart, microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// See the file's head. For one thread.
pub(crate) struct Board {
    start: Instant,
    /// When each event was due, microseconds after `start`; the event's number is its place.
    due_us: RefCell<Vec<u64>>,
    pub(crate) ready: Cell<usize>,
    pub(crate) gone: Cell<usize>,
    /// Of this phase's events.
    pub(crate) deliveries: Cell<u64>,
    /// Of any event, ever.
    pub(crate) arrivals: Cell<u64>,
    /// Events before this one are of an earlier phase: their late deliveries count for nothing.
    first: Cell<usize>,
    latency_us: RefCell<Histogram<u64>>,
}

/// Deliveries since the last [`Board::clear`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) deliveries: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

impl Board {
    /// An empty one; its clock starts now.
    pub(crate) fn new() -> Result<Self, Fault> {
        let latency_us = Histogram::new_with_max(LATENCY_US_MAX, 3).map_err(Fault::doing("making a histogram"))?;
        Ok(Self {
            start: clock::now(),
            due_us: RefCell::default(),
            ready: Cell::default(),
            gone: Cell::default(),
            deliveries: Cell::default(),
            arrivals: Cell::default(),
            first: Cell::default(),
            latency_us: RefCell::new(latency_us),
        })
    }

    /// Microseconds since the start.
    pub(crate) fn at_us(&self, at: Instant) -> u64 {
        micros(at.saturating_duration_since(self.start))
    }

    /// Numbers an event that was due at `due`; returns its amount.
    pub(crate) fn send(&self, due: Instant) -> i64 {
        let mut all = self.due_us.borrow_mut();
        all.push(self.at_us(due));
        AMOUNT_BASE + i64::try_from(all.len()).unwrap_or(0)
    }

    /// Notes that the event of `amount` arrived at `at_us`.
    pub(crate) fn deliver(&self, amount: i64, at_us: u64) {
        self.arrivals.set(self.arrivals.get() + 1);
        let index = usize::try_from(amount - AMOUNT_BASE - 1).ok().filter(|index| *index >= self.first.get());
        if let Some(due_us) = index.and_then(|index| self.due_us.borrow().get(index).copied()) {
            self.deliveries.set(self.deliveries.get() + 1);
            self.latency_us.borrow_mut().saturating_record(at_us.saturating_sub(due_us).max(1));
        }
    }

    /// Begins a phase: forgets the deliveries so far, not the numbers of events.
    pub(crate) fn clear(&self) {
        self.first.set(self.due_us.borrow().len());
        self.deliveries.set(0);
        self.latency_us.borrow_mut().reset();
    }

    /// What was delivered since.
    pub(crate) fn seen(&self) -> Seen {
        let latency = self.latency_us.borrow();
        Seen {
            deliveries: self.deliveries.get(),
            p50_us: latency.value_at_quantile(0.5),
            p99_us: latency.value_at_quantile(0.99),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_dated_from_when_its_event_was_due() {
        let board = Board::new().unwrap();
        let amount = board.send(board.start + Duration::from_millis(5));
        board.deliver(amount, 7_000);
        board.deliver(amount + 1, 7_000);
        let seen = board.seen();
        assert_eq!((seen.deliveries, seen.p50_us.div_ceil(10)), (1, 200));
        board.clear();
        board.deliver(amount, 9_000);
        assert_eq!(board.seen().deliveries, 0, "late, and of the phase before");
    }
}
