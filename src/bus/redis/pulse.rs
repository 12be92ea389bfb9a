//! Whether Redis is there: subscribed or not, and when it was last heard.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Gauge, gauge};
use tokio::sync::watch;

use crate::clock::Stopwatch;
use crate::limits::REDIS_SILENCE;

/// See the file's head.
pub(super) struct Pulse {
    since: Stopwatch,
    /// Microseconds on `since`.
    heard_us: AtomicU64,
    subscribed: watch::Sender<bool>,
    connected: Gauge,
}

impl Pulse {
    /// Nothing was heard yet.
    pub(super) fn new() -> Self {
        Self {
            since: Stopwatch::start(),
            heard_us: AtomicU64::new(0),
            subscribed: watch::Sender::new(false),
            connected: gauge!("gavel_bus_connected"),
        }
    }

    /// A sign of life.
    pub(super) fn heard(&self) {
        let now = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.heard_us.store(now, Ordering::Release);
    }

    /// The subscription began, or was lost.
    pub(super) fn subscribed(&self, subscribed: bool) {
        if subscribed {
            self.heard();
        }
        self.subscribed.send_replace(subscribed);
        self.connected.set(f64::from(u8::from(subscribed)));
    }

    pub(super) fn is_healthy(&self) -> bool {
        let heard = Duration::from_micros(self.heard_us.load(Ordering::Acquire));
        *self.subscribed.borrow() && self.since.elapsed().saturating_sub(heard) <= Duration::from(REDIS_SILENCE)
    }

    /// Resolves once subscribed.
    pub(super) async fn connected(&self) {
        // The sender is this one, so it cannot be gone.
        drop(self.subscribed.subscribe().wait_for(|subscribed| *subscribed).await);
    }
}
