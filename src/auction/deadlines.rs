//! The watch over closing instants: wakes each auction when its time comes, whether or not anyone looks.
//!
//! It holds the soonest deadlines in memory and reads further ones from the store when it runs short.
//! It closes nothing itself: the woken auction does.

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
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Default)]
struct Known {
    soonest: BTreeSet<(Timestamp, AuctionId)>,
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
}

impl Deadlines {
    pub(super) fn new(tenure: Arc<Tenure>) -> Self {
        Self { tenure, known: Mutex::default(), changed: Notify::new() }
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

    /// Auctions that close before `by`, as far as they are in memory.
    pub(super) fn before(&self, by: Timestamp) -> Vec<AuctionId> {
        let known = self.known();
        known.soonest.iter().take_while(|(at, _)| *at < by).map(|(_, id)| *id).collect()
    }

    /// Reads the soonest deadlines: those after what is known, or from the start if that is due.
    pub(super) async fn refill(&self, store: &dyn Store) -> Result<(), StoreError> {
        let limit = limits::DEADLINES_IN_MEMORY_MAX;
        let after = {
            let mut known = self.known();
            known.reading = true;
            if known.stale { None } else { known.beyond }
        };
        // What is gained while this is under way has it read again.
        self.known().stale = false;
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
    pub(super) async fn watch<W>(self: Arc<Self>, store: Arc<dyn Store>, clock: Arc<Clock>, wake: W)
    where
        W: AsyncFn(AuctionId) -> bool,
    {
        loop {
            if self.known().runs_short()
                && let Err(error) = self.refill(store.as_ref()).await
            {
                tracing::warn!(%error, "the next closing instants could not be read; trying again");
                actix::clock::sleep(limits::DEADLINES_RETRY.into()).await;
                continue;
            }
            let first = self.known().soonest.first().copied();
            let Some((at, id)) = first else {
                self.changed.notified().await;
                continue;
            };
            let wait = clock.until(at.plus(Span(-limits::WAKE_AHEAD.0)));
            if !wait.is_zero() {
                tokio::select! {
                    () = actix::clock::sleep(wait) => {}
                    () = self.changed.notified() => {}
                }
                continue;
            }
            self.known().soonest.remove(&(at, id));
            if !wake(id).await {
                self.known().soonest.insert((clock.now().plus(limits::WAKE_AHEAD).plus(limits::DEADLINES_RETRY), id));
            }
        }
    }
}
