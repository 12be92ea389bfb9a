//! Which time this node tells its sessions: that of the node that leads the clock, or its own when none comes.
//!
//! Told time never goes back, and never comes twice in a moment, whoever leads and however the clocks differ.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::{Span, Timestamp};
use crate::limits::{TICK, TICK_APART_MAX, TICK_OVERDUE};

/// Ticks closer than this to the one before are left out: two nodes lead for a moment, or the lead has just changed.
const TOO_SOON: Span = Span(TICK.0 / 2);

/// See the file's head.
pub(super) struct Ticks {
    /// When a tick last came over the bus, by the own clock.
    heard_at: AtomicI64,
    /// The last time that sessions were told.
    told: AtomicI64,
}

impl Ticks {
    /// Nothing was told. A leader has a while from `now` on to be heard.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { heard_at: AtomicI64::new(now.0), told: AtomicI64::new(i64::MIN) }
    }

    /// A tick came over the bus. Whether to tell it.
    pub(super) fn hear(&self, tick: Timestamp, now: Timestamp) -> bool {
        if tick.since(now).0.saturating_abs() > TICK_APART_MAX.0 {
            return false;
        }
        self.heard_at.store(now.0, Ordering::Release);
        self.tell(tick)
    }

    /// Whether to tell the own time, since none comes.
    pub(super) fn stand_in(&self, now: Timestamp) -> bool {
        now >= self.due_alone() && self.tell(now)
    }

    /// How long a node that does not lead waits until it may have to tell its own time.
    pub(super) fn until_due_alone(&self, now: Timestamp) -> Duration {
        self.due_alone().since(now).into()
    }

    fn due_alone(&self) -> Timestamp {
        let heard_at = Timestamp(self.heard_at.load(Ordering::Acquire));
        let told = Timestamp(self.told.load(Ordering::Acquire));
        heard_at.plus(TICK_OVERDUE).max(told.plus(TICK))
    }

    fn tell(&self, tick: Timestamp) -> bool {
        let later = |told| (tick >= Timestamp(told).plus(TOO_SOON)).then_some(tick.0);
        self.told.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000_000);

    fn at(millis: i64) -> Timestamp {
        START.plus(Span::from_millis(millis))
    }

    #[test]
    fn told_time_never_goes_back_nor_comes_twice_in_a_moment() {
        let ticks = Ticks::new(START);
        assert!(ticks.hear(at(1_000), at(1_010)));
        assert!(!ticks.hear(at(1_000), at(1_020)), "the same again");
        assert!(!ticks.hear(at(900), at(1_020)), "of another leader that is behind");
        assert!(!ticks.hear(at(1_400), at(1_400)), "of another leader that is ahead");
        assert!(ticks.hear(at(2_000), at(2_010)));
        assert!(!ticks.hear(at(1_900), at(1_910)), "the own clock may stand anywhere");
    }

    #[test]
    fn ticks_that_waited_somewhere_or_come_from_a_wrong_clock_are_not_told() {
        let ticks = Ticks::new(START);
        assert!(!ticks.hear(at(1_000), at(3_001)));
        assert!(!ticks.hear(at(9_000), at(3_001)));
        assert!(ticks.hear(at(3_000), at(3_001)), "and do not spoil those after them");
    }

    #[test]
    fn when_none_comes_the_own_time_is_told_once_a_second_until_one_does() {
        let ticks = Ticks::new(START);
        assert!(ticks.hear(at(1_000), at(1_000)));
        assert_eq!(ticks.until_due_alone(at(1_000)), Duration::from_millis(1_500));
        assert!(!ticks.stand_in(at(2_499)));
        assert!(ticks.stand_in(at(2_500)));
        assert!(!ticks.stand_in(at(2_600)));
        assert_eq!(ticks.until_due_alone(at(2_600)), Duration::from_millis(900));
        assert!(ticks.stand_in(at(3_500)));
        assert!(ticks.hear(at(4_100), at(4_150)));
        assert!(!ticks.stand_in(at(5_600)), "the leader is back");
    }

    #[test]
    fn a_leaders_clock_that_was_ahead_does_not_make_time_go_back_when_it_is_gone() {
        let ticks = Ticks::new(START);
        assert!(ticks.hear(at(2_900), at(1_000)));
        assert!(!ticks.stand_in(at(2_500)) && !ticks.stand_in(at(3_899)));
        assert!(ticks.stand_in(at(3_900)));
    }
}
