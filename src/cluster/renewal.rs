//! Keeps this node alive in the eyes of the others, and its clock near the store's.
//!
//! A renewal moves the node's version number on, and with it the lease: until when answers are final. The lease counts
//! from before the call, so that a slow call or a frozen process shortens it and never lengthens it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::agent::{Agent, within};
use crate::domain::{Span, Timestamp};
use crate::limits;
use crate::store::StoreError;
use crate::store::ownership::Renewal;

impl Agent {
    /// Renews for ever, once a second; sooner after a failure or when the node's state has changed.
    pub(super) async fn renewals(self: Arc<Self>) {
        let mut next = self.after(limits::RENEW_EVERY);
        let mut failing = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.clock.until(next)) => {}
                () = self.renew_now.notified() => {}
            }
            let started = self.clock.now();
            match self.renew().await {
                Ok(()) => {
                    if failing {
                        tracing::info!("renewed again");
                    }
                    failing = false;
                    next = started.plus(limits::RENEW_EVERY);
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "could not renew; answers end with the lease");
                    }
                    failing = true;
                    self.meters.renewals_failed.increment(1);
                    next = self.after(limits::RENEW_AGAIN);
                }
            }
            self.count_owned();
        }
    }

    /// One renewal.
    pub(super) async fn renew(&self) -> Result<(), StoreError> {
        let started = self.clock.now();
        let renewal = within(limits::OWNERSHIP_CALL, self.ownership.renew(self.state())).await?;
        let ended = self.clock.now();
        match renewal {
            Renewal::Renewed { database_now, .. } => {
                if !self.engine.is_leased() {
                    // The lease had run out: others may have taken shards since. What they took is lost before the
                    // lease lets anything of it be told.
                    self.look().await?;
                }
                self.engine.extend_lease(started.plus(limits::LEASE));
                self.compare_clocks(started, database_now, ended);
            }
            Renewal::Replaced => self.be_replaced(),
        }
        Ok(())
    }

    fn compare_clocks(&self, started: Timestamp, database_now: Timestamp, ended: Timestamp) {
        let offset = Offset::measured(started, database_now, ended);
        self.meters.clock_offset(offset.own_minus_stores);
        let was_off = self.clock_off.load(Ordering::Acquire);
        let is_off = if was_off { !offset.is_well() } else { offset.is_surely_off() };
        if is_off == was_off {
            return;
        }
        self.clock_off.store(is_off, Ordering::Release);
        let offset_ms = offset.own_minus_stores.0 / 1_000;
        if is_off {
            tracing::error!(
                offset_ms,
                "this node's clock or the store's is off: shards go to nodes whose clocks are well"
            );
        } else {
            tracing::info!(offset_ms, "this node's clock is well again");
        }
        // Tells the others, who place shards accordingly.
        self.renew_now.notify_one();
        self.look_now.notify_one();
    }
}

/// How far apart the clocks are, and how wrong that may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offset {
    own_minus_stores: Span,
    /// Half the round trip: the store's clock was read somewhere within it.
    error: Span,
}

impl Offset {
    fn measured(started: Timestamp, database_now: Timestamp, ended: Timestamp) -> Self {
        let half = Span(ended.since(started).0 / 2);
        Self { own_minus_stores: started.plus(half).since(database_now), error: half }
    }

    fn is_surely_off(self) -> bool {
        self.own_minus_stores.0.saturating_abs().saturating_sub(self.error.0) > limits::CLOCK_OFF_MAX.0
    }

    fn is_well(self) -> bool {
        self.own_minus_stores.0.saturating_abs() <= limits::CLOCK_OFF_MAX.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(started_ms: i64, database_ms: i64, ended_ms: i64) -> Offset {
        let at = |ms| Timestamp(ms * 1_000);
        Offset::measured(at(started_ms), at(database_ms), at(ended_ms))
    }

    #[test]
    fn a_clock_is_off_only_when_the_round_trip_cannot_explain_it() {
        assert_eq!(offset(1_000, 1_005, 1_010).own_minus_stores, Span(0));
        assert_eq!(offset(1_000, 900, 1_010).own_minus_stores, Span::from_millis(105));
        assert!(!offset(1_000, 752, 1_010).is_surely_off(), "253 ms, or 248");
        assert!(!offset(1_000, 752, 1_010).is_well());
        assert!(offset(1_000, 700, 1_010).is_surely_off());
        assert!(offset(1_000, 1_300, 1_010).is_surely_off(), "behind is as bad as ahead");
        assert!(!offset(1_000, 1_700, 2_000).is_surely_off(), "a slow answer proves nothing");
        assert!(!offset(1_000, 1_900, 2_000).is_well(), "nor that it is well again");
    }
}
