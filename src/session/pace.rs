//! How fast a WebSocket client may send frames that are not bids.
//!
//! Each frame takes its share of a second; a client may be ahead of the clock by a burst. Bids have a
//! rate of their own.

use crate::domain::{Span, Timestamp};
use crate::limits::{FRAMES_AT_ONCE_PER_SESSION, FRAMES_PER_SECOND_PER_SESSION};

const SHARE: Span = Span(Span::from_secs(1).0 / FRAMES_PER_SECOND_PER_SESSION as i64);
const AHEAD_MAX: Span = Span(SHARE.0 * FRAMES_AT_ONCE_PER_SESSION as i64);

/// See the file's head.
#[derive(Debug)]
pub(super) struct Pace {
    /// The frames so far were enough until here.
    spent_until: Timestamp,
}

impl Pace {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { spent_until: now }
    }

    /// Counts a frame. False when it came too soon.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let until = self.spent_until.max(now).plus(SHARE);
        let in_time = until <= now.plus(AHEAD_MAX);
        if in_time {
            self.spent_until = until;
        }
        in_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pace: &mut Pace, now: Timestamp) -> u32 {
        (0..10_000).map(|_| u32::from(pace.take(now))).sum()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_does() {
        let start = Timestamp(1_000);
        let mut pace = Pace::new(start);
        assert_eq!(taken(&mut pace, start), FRAMES_AT_ONCE_PER_SESSION);
        let later = start.plus(Span::from_secs(1));
        assert_eq!(taken(&mut pace, later), FRAMES_PER_SECOND_PER_SESSION);
        let much_later = later.plus(Span::from_secs(3_600));
        assert_eq!(taken(&mut pace, much_later), FRAMES_AT_ONCE_PER_SESSION, "rest is saved up to one burst");
    }
}
