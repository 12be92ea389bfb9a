//! When the store took no commits, as this node saw it.
//!
//! Whoever was refused by the store says so; whoever commits says that it works. Nothing here asks the store anything,
//! and what an outage means for an auction is decided elsewhere.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::{Span, Timestamp};
use crate::limits;

/// The store took no commits from one instant until the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The start of the first thing that failed.
    pub from: Timestamp,
    /// When the first one succeeded.
    pub until: Timestamp,
}

impl Outage {
    /// How long it was.
    #[must_use]
    pub const fn length(self) -> Span {
        self.until.since(self.from)
    }
}

/// The outages of one node's store.
#[derive(Debug, Default)]
pub struct Outages {
    history: Mutex<History>,
    is_open: AtomicBool,
    ended: AtomicU64,
    begun: Notify,
}

#[derive(Debug, Default)]
struct History {
    since: Option<Timestamp>,
    /// The start of the commit under way.
    commit_began: Option<Timestamp>,
    /// Oldest first, at most [`limits::OUTAGES_REMEMBERED`].
    over: VecDeque<Outage>,
}

impl Outages {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was begun at `at` failed. Within [`limits::OUTAGES_APART`] of the outage before, that one goes on.
    pub fn begin(&self, at: Timestamp) {
        self.begin_in(self.history(), at);
    }

    fn begin_in(&self, mut history: MutexGuard<'_, History>, at: Timestamp) {
        if let Some(since) = &mut history.since {
            *since = (*since).min(at);
            return;
        }
        let goes_on = history.over.pop_back_if(|last| at < last.until.plus(limits::OUTAGES_APART));
        history.since = Some(goes_on.map_or(at, |last| last.from));
        self.is_open.store(true, Ordering::Release);
        drop(history);
        self.begun.notify_one();
    }

    /// The store took something at `at`.
    pub fn end(&self, at: Timestamp) {
        if !self.is_open() {
            return;
        }
        let mut history = self.history();
        let Some(from) = history.since.take() else { return };
        if history.over.len() >= limits::OUTAGES_REMEMBERED
            && let Some(oldest) = history.over.pop_front()
            && let Some(next) = history.over.front_mut()
        {
            next.from = oldest.from;
        }
        history.over.push_back(Outage { from, until: at });
        // In this order: who sees that none is open sees also that one has ended.
        self.ended.fetch_add(1, Ordering::AcqRel);
        self.is_open.store(false, Ordering::Release);
    }

    /// A commit begins at `at`.
    pub fn commit_begins(&self, at: Timestamp) {
        self.history().commit_began = Some(at);
    }

    /// The commit that began last has ended at `now`, written or not: a failure is an outage from its start on.
    pub fn commit_ends(&self, now: Timestamp, written: bool) {
        self.look(now);
        let began = self.history().commit_began.take();
        match began {
            Some(began) if !written => self.begin(began),
            Some(_) | None => self.end(now),
        }
    }

    /// Notices a commit under way that has taken too long at `now`: an outage from its start on.
    pub fn look(&self, now: Timestamp) {
        let history = self.history();
        if let Some(began) = history.commit_began.filter(|began| now.since(*began) >= limits::OUTAGE_MIN) {
            self.begin_in(history, began);
        }
    }

    /// Whether one is under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// How often one has ended: while it stays the same, so does [`Outages::over`].
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// Those that have ended, oldest first, also the shortest.
    #[must_use]
    pub fn over(&self) -> Vec<Outage> {
        self.history().over.iter().copied().collect()
    }

    /// Resolves when one has begun since the last call.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const fn at(secs: i64) -> Timestamp {
        Timestamp(Span::from_secs(secs).0)
    }

    pub(crate) const fn outage(from: i64, until: i64) -> Outage {
        Outage { from: at(from), until: at(until) }
    }

    fn had(outages: &[(i64, i64)]) -> Outages {
        let history = Outages::default();
        for (from, until) in outages {
            history.begin(at(*from));
            history.end(at(*until));
        }
        history
    }

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_first_success() {
        let outages = Outages::default();
        outages.end(at(1));
        outages.begin(at(3));
        outages.begin(at(2));
        assert!(outages.is_open() && outages.over().is_empty());
        outages.end(at(9));
        outages.end(at(10));
        assert!(!outages.is_open());
        assert_eq!((outages.over(), outages.ended()), (vec![outage(2, 9)], 1));
    }

    #[test]
    fn a_commit_that_takes_too_long_is_an_outage_from_its_start_on() {
        let (outages, began) = (Outages::default(), at(10));
        outages.commit_begins(began);
        outages.look(began.plus(Span(limits::OUTAGE_MIN.0 - 1)));
        assert!(!outages.is_open());
        outages.look(began.plus(limits::OUTAGE_MIN));
        outages.commit_ends(at(20), true);
        assert_eq!(outages.over(), [outage(10, 20)]);
        outages.look(at(1_000));
        assert!(!outages.is_open(), "none is under way");
    }

    #[test]
    fn a_store_that_fails_again_at_once_was_never_back() {
        assert_eq!(had(&[(10, 20), (24, 30)]).over(), [outage(10, 30)]);
        assert_eq!(had(&[(10, 20), (25, 30)]).over(), [outage(10, 20), outage(25, 30)]);
    }

    #[test]
    fn the_oldest_of_too_many_outages_count_as_one() {
        let many: Vec<(i64, i64)> = (0..20).map(|number| (100 * number, 100 * number + 1)).collect();
        let over = had(&many).over();
        assert_eq!(over.len(), limits::OUTAGES_REMEMBERED);
        assert_eq!(over.first(), Some(&outage(0, 401)));
        assert_eq!(over.last(), Some(&outage(1_900, 1_901)));
    }
}
