//! How an auction ends: at its closing instant, once, and not before bidders have had the time that an outage of the store
//! took from them.
//!
//! What it decides takes the way of every event. It waits for nothing: when it cannot decide yet it looks again later.

use std::sync::Arc;

use actix::{AsyncContext as _, Context};

use super::actor::{AuctionActor, stamp};
use super::mailbox::CloseIfDue;
use super::owed::owed;
use super::pending::Uncommitted;
use crate::domain::{Command, Span, Timestamp};
use crate::limits;
use crate::store::write_behind::{Content, Place};

impl AuctionActor {
    fn deadline(&self) -> Option<Timestamp> {
        self.live.as_ref().and_then(|live| live.decided.next_deadline())
    }

    /// Whether the watch over closing instants has woken it already, or is about to: it must not sleep again.
    pub(super) fn due_soon(&self) -> bool {
        let soon = self.shared.clock.now().plus(Span(2 * limits::WAKE_AHEAD.0));
        self.deadline().is_some_and(|deadline| deadline < soon)
    }

    /// Looks at `at`, and no more when it was going to, whether there is something to extend or to close.
    pub(super) fn look_at(&mut self, at: Timestamp, ctx: &mut Context<Self>) {
        if let Some(earlier) = self.close_timer.take() {
            ctx.cancel_future(earlier);
        }
        // Through the mailbox, behind every bid that was read before the closing instant.
        #[allow(clippy::disallowed_methods, reason = "bounded: one timer is armed at a time")]
        let timer = ctx.run_later(self.shared.clock.until(at), |_, ctx| ctx.address().do_send(CloseIfDue));
        self.close_timer = Some(timer);
    }

    pub(super) fn close_if_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.shared.clock.now();
        if now < self.close_not_before {
            return self.look_at(self.close_not_before, ctx);
        }
        self.shared.outages.look(now);
        if !self.term.admits(now) || !self.settle_outages(now) {
            return self.look_at(now.plus(limits::CLOSE_RETRY), ctx);
        }
        let Some(deadline) = self.deadline() else { return };
        let due = deadline.plus(limits::CLOSE_AFTER);
        if now < due {
            return self.look_at(due, ctx);
        }
        let shared = Arc::clone(&self.shared);
        match shared.outbox.place() {
            Some(place) => self.decide(Command::Close, now, place),
            None => self.look_at(now.plus(limits::CLOSE_AFTER), ctx),
        }
    }

    /// Extends the auction for the outages that were not settled yet. `false` when it is not certain at `at` whether its
    /// time is up, or the extension finds no place: then nothing may be decided that hangs on the closing instant.
    pub(super) fn settle_outages(&mut self, at: Timestamp) -> bool {
        let shared = Arc::clone(&self.shared);
        let (is_open, ended) = (shared.outages.is_open(), shared.outages.ended());
        let Some(live) = &self.live else { return true };
        if ended != self.outages_seen {
            let now = shared.clock.now();
            if let Some(ends_at) = owed(&live.decided, &shared.outages.over(), now) {
                let Some(place) = shared.outbox.place() else { return false };
                let until = live.decided.ends_at();
                tracing::info!(auction.id = self.id.0, by_ms = ends_at.since(until).0 / 1_000, "extends an auction");
                self.decide(Command::Extend { ends_at }, now, place);
            }
            self.outages_seen = ended;
        }
        !is_open || self.deadline().is_none_or(|deadline| at < deadline)
    }

    /// Decides what is no bid. That it is refused means that there is nothing to do.
    fn decide(&mut self, command: Command, now: Timestamp, place: Place<'_>) {
        let Some(live) = &mut self.live else { return };
        let Ok(event) = live.decided.decide(command, stamp(&live.decided, now)) else { return };
        let event = Arc::new(event);
        live.decided.apply(&event);
        let head = live.decided.head().clone();
        self.put(place, Content::Event(Arc::clone(&event), head), event.at);
        self.pending.push(Uncommitted { event: Some(event), bid: None, answer: None, replies: Vec::new() });
    }
}
