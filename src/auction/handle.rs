//! The way into one auction: a bound in front of its mailbox.
//!
//! An actix mailbox is not a bound, so admission is ours: a message is sent only with a [`Permit`], and
//! a permit ends when its bid is answered. The gate also closes the race between an auction that goes to
//! sleep and a bid that arrives: it shuts only while no permit is out, and a shut gate lets nobody in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::Addr;

use super::actor::AuctionActor;
use super::tenure::Term;

const SHUT: usize = 1 << 62;

/// Counts what is in flight behind it and refuses what is too much.
#[derive(Debug)]
pub(super) struct Gate {
    in_flight: AtomicUsize,
    limit: usize,
}

/// What the gate said.
#[derive(Debug)]
pub(super) enum Entry {
    In(Permit),
    Full,
    /// The auction behind it is gone to sleep: find or start it again.
    Shut,
}

/// The right to have one message in flight; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Gate>);

impl Gate {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { in_flight: AtomicUsize::new(0), limit })
    }

    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        let before = self.in_flight.fetch_add(1, Ordering::AcqRel);
        let permit = Permit(Arc::clone(self));
        if before >= SHUT {
            Entry::Shut
        } else if before >= self.limit {
            Entry::Full
        } else {
            Entry::In(permit)
        }
    }

    /// Shuts for ever, if nothing is in flight. Returns whether it is shut now.
    pub(super) fn shut_if_idle(&self) -> bool {
        match self.in_flight.compare_exchange(0, SHUT, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(now) => now >= SHUT,
        }
    }

    /// How many permits are out.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire) & (SHUT - 1)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One awake auction.
pub(super) struct Handle {
    pub(super) gate: Arc<Gate>,
    pub(super) addr: Addr<AuctionActor>,
    /// Under which it decides.
    pub(super) term: Arc<Term>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_lets_in_again_after_a_permit_ends() {
        let gate = Gate::new(1);
        let first = gate.enter();
        assert!(matches!(first, Entry::In(_)));
        assert!(matches!(gate.enter(), Entry::Full));
        drop(first);
        assert!(matches!(gate.enter(), Entry::In(_)));
    }

    #[test]
    fn a_gate_shuts_only_when_nothing_is_in_flight_and_then_for_ever() {
        let gate = Gate::new(8);
        let permit = gate.enter();
        assert!(!gate.shut_if_idle());
        drop(permit);
        assert!(gate.shut_if_idle());
        assert!(matches!(gate.enter(), Entry::Shut));
        assert!(gate.shut_if_idle());
        assert_eq!(gate.in_flight(), 0);
    }
}
