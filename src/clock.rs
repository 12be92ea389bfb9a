//! The only reader of time.
//!
//! A UTC anchor taken once, plus the monotonic clock: a jump of the wall clock changes nothing while
//! the process runs. Nor does setting it right: leases, deadlines and silences are all measured on this clock, so it never
//! takes another anchor. A process whose anchor is wrong has to be started again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::{Span, Timestamp};

/// Where components get the time from.
#[derive(Debug)]
pub enum Clock {
    /// Real time.
    System { anchor_us: i64, started: Instant },
    /// Time that a test moves by hand; microseconds since the Unix epoch.
    Manual(AtomicI64),
}

impl Clock {
    /// Real time, anchored to the wall clock now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place where time is read")]
    pub fn system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::System { anchor_us: micros(since_epoch), started: Instant::now() }
    }

    /// A clock that stands at `start` until it is moved.
    #[must_use]
    pub const fn manual(start: Timestamp) -> Self {
        Self::Manual(AtomicI64::new(start.0))
    }

    /// The present instant. Never falls within one process.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System { anchor_us, started } => Timestamp(anchor_us.saturating_add(micros(started.elapsed()))),
            Self::Manual(now_us) => Timestamp(now_us.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; a system clock cannot be moved and ignores it.
    pub fn advance(&self, span: Span) {
        if let Self::Manual(now_us) = self {
            now_us.fetch_add(span.0.max(0), Ordering::SeqCst);
        }
    }

    /// How long to wait from now until `at`; zero when it is past.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        at.since(self.now()).into()
    }
}

impl From<Span> for Duration {
    /// A negative span is no time at all.
    fn from(span: Span) -> Self {
        Self::from_micros(u64::try_from(span.0).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A monotonic stopwatch for durations in metrics.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place where time is read")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
