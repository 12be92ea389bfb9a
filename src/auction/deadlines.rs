//! The watch over closing instants: wakes each auction when its time comes, whether or not anyone looks.
//!
//! It holds the soonest deadlines in memory, reads further ones from the store when it runs short, and reads them all
//! again now and then: another node may not have told of an auction that it stored. It closes nothing itself: the woken
//! auction does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::tenure::Tenure;
use crate::clock::Clock;
use crate::domain::{AuctionId, Span, Timestamp};
use crate::limits;
use crate::store::{Store, StoreError};

/// The soonest closing instants of this node's shards.
pub(super) struct Deadlines {
    tenure: Arc<Tenure>,
    clock: Arc<Clock>,
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Default)]
struct Known {
    soonest: BTreeSet<(Timestamp, AuctionId)>,
    /// Those whose auctions were woken and are closing, for [`limits::CLOSING_LASTS`].
    closing: BTreeSet<(Timestamp, AuctionId)>,
    /// Deadlines after this one are in the store only; `None` when all are here.
    beyond: Option<(Timestamp, AuctionId)>,
    /// A reading is under way: what is added meanwhile may be missing from it.
    reading: bool,
    /// Shards were gained: their deadlines are missing here.
    stale: bool,
}

impl Known {
    /// Whether the store may have a deadline that comes before the first one here.
    fn runs_short(&self) -> bool {
        self.stale || self.beyond.is_some_and(|beyond| self.soonest.first().is_none_or(|first| *first > beyond))
    }

    /// Those that are closing at `now`. Who asks, or adds one, drops those that are not any more.
    fn closing_at(&mut self, now: Timestamp) -> &mut BTreeSet<(Timestamp, AuctionId)> {
        let over = now.plus(Span(-limits::CLOSING_LASTS.0));
        while self.closing.first().is_some_and(|(at, _)| *at <= over) {
            self.closing.pop_first();
        }
        &mut self.closing
    }
}

impl Deadlines {
    pub(super) fn new(tenure: Arc<Tenure>, clock: Arc<Clock>) -> Self {
        Self { tenure, clock, known: Mutex::default(), changed: Notify::new() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an auction that was just created.
    pub(super) fn add(&self, at: Timestamp, id: AuctionId) {
        let mut known = self.known();
        if !known.reading && known.beyond.is_some_and(|beyond| (at, id) > beyond) {
            return;
        }
        known.soonest.insert((at, id));
        if !known.reading && known.soonest.len() > limits::DEADLINES_IN_MEMORY_MAX {
            known.soonest.pop_last();
            known.beyond = known.soonest.last().copied();
        }
        drop(known);
        self.changed.notify_one();
    }

    /// Shards were gained: has the watch read everything again.
    pub(super) fn read_again(&self) {
        self.known().stale = true;
        self.changed.notify_one();
    }

    /// Auctions that close before `by` or are closing now, as far as they are in memory.
    pub(super) fn before(&self, by: Timestamp) -> Vec<AuctionId> {
        let mut known = self.known();
        let mut before: Vec<_> = known.closing_at(self.clock.now()).iter().map(|(_, id)| *id).collect();
        before.extend(known.soonest.iter().take_while(|(at, _)| *at < by).map(|(_, id)| *id));
        before
    }

    /// Whether [`Deadlines::before`] would give any.
    pub(super) fn is_any_before(&self, by: Timestamp) -> bool {
        let mut known = self.known();
        !known.closing_at(self.clock.now()).is_empty() || known.soonest.first().is_some_and(|(at, _)| *at < by)
    }

    /// Reads the soonest deadlines: those after what is known, or from the start if that is due.
    pub(super) async fn refill(&self, store: &dyn Store) -> Result<(), StoreError> {
        let limit = limits::DEADLINES_IN_MEMORY_MAX;
        let after = {
            let mut known = self.known();
            known.reading = true;
            // Taken back where it is read: what is gained from here on has everything read again.
            if std::mem::take(&mut known.stale) { None } else { known.beyond }
        };
        let read = store.open_deadlines(after, u32::try_from(limit).unwrap_or(u32::MAX)).await;
        let mut known = self.known();
        known.reading = false;
        let read = read.inspect_err(|_| known.stale |= after.is_none())?;
        known.beyond = if read.len() < limit { None } else { read.last().copied() };
        known.soonest.extend(read.into_iter().filter(|(_, id)| self.tenure.term_of(*id).is_some()));
        if let Some(beyond) = known.beyond {
            known.soonest.retain(|deadline| *deadline <= beyond);
        }
        Ok(())
    }

    /// Calls `wake` for each auction whose closing instant has come, for ever. `wake` says whether it did.
    pub(super) async fn watch<W>(self: Arc<Self>, store: Arc<dyn Store>, wake: W)
    where
        W: AsyncFn(AuctionId) -> bool,
    {
        let mut reread_at = self.clock.now().plus(limits::DEADLINES_REREAD);
        loop {
            if self.clock.until(reread_at).is_zero() {
                self.known().stale = true;
                reread_at = self.clock.now().plus(limits::DEADLINES_REREAD);
            }
            if self.known().runs_short()
                && let Err(error) = self.refill(store.as_ref()).await
            {
                tracing::warn!(%error, "the next closing instants could not be read; trying again");
                actix::clock::sleep(limits::DEADLINES_RETRY.into()).await;
                continue;
            }
            match self.due() {
                Ok(deadline) => self.wake(deadline, &wake).await,
                Err(next) => {
                    let wait = next.map_or(reread_at, |next| next.min(reread_at));
                    tokio::select! {
                        () = actix::clock::sleep(self.clock.until(wait)) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// The first deadline if it is time to wake its auction, else when that is.
    fn due(&self) -> Result<(Timestamp, AuctionId), Option<Timestamp>> {
        let mut known = self.known();
        let wake_at = known.soonest.first().map(|(at, _)| at.plus(Span(-limits::WAKE_AHEAD.0)));
        if wake_at.is_some_and(|at| self.clock.until(at).is_zero()) {
            known.soonest.pop_first().ok_or(None)
        } else {
            Err(wake_at)
        }
    }

    async fn wake<W>(&self, (at, id): (Timestamp, AuctionId), wake: &W)
    where
        W: AsyncFn(AuctionId) -> bool,
    {
        self.known().closing_at(self.clock.now()).insert((at, id));
        if !wake(id).await {
            let again = self.clock.now().plus(limits::WAKE_AHEAD).plus(limits::DEADLINES_RETRY);
            self.known().soonest.insert((again, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;

    #[actix::test]
    async fn what_is_closing_is_forgotten_when_it_has_closed_whoever_looks() {
        const NOW: Timestamp = Timestamp(1_000_000_000);
        let clock = Arc::new(Clock::manual(NOW));
        let deadlines = Deadlines::new(Arc::new(Tenure::whole(Epoch(1))), Arc::clone(&clock));
        let ids = [AuctionId(1), AuctionId(2), AuctionId(3)];
        for id in ids {
            deadlines.wake((NOW, id), &async |_| true).await;
        }
        assert!(deadlines.is_any_before(NOW));
        assert_eq!(deadlines.before(NOW), ids);
        clock.advance(limits::CLOSING_LASTS);
        assert!(!deadlines.is_any_before(NOW));
        assert!(deadlines.known().closing.is_empty());
    }
}
