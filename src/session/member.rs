//! One session's place in one auction: what it has, and what brings it forward.
//!
//! The only file that decides what a session is sent of an auction. A member is handed each event once,
//! in order; what it cannot get is announced by a `hello` and replaced by a `snapshot`, never skipped.

use std::rc::Rc;

use super::feed::{Feed, LiveFrame};
use super::frames;
use super::meters::Meters;
use super::position::Position;
use super::shared::Session;
use crate::bus::Publication;
use crate::domain::{Seq, Timestamp};
use crate::limits::{CATCH_UP_EVENTS_PER_READ, REPLAY_EVENTS_MAX, SNAPSHOT_EVENTS_BEHIND_MAX, SNAPSHOT_FRESH};

/// What a member waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing: each event goes to it as it comes.
    Live,
    /// It subscribed, having everything up to here.
    Asking(Option<Position>),
    /// It was promised everything after what it has.
    Replaying,
    /// It missed something and is to get a snapshot.
    Conflated,
}

/// What a member needs that the feed does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Nothing,
    /// The auction as it stands now.
    Snapshot,
    /// The feed's recent events from further back.
    Recent,
    /// Events that only this member lacks.
    Page {
        after: Seq,
        limit: u32,
    },
}

/// What a member is served from.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) feed: &'a Feed,
    /// Whether the feed may still be filled from further back.
    pub(super) recent_may_grow: bool,
    /// Whether the snapshot was read for those who are served now.
    pub(super) just_read: bool,
    pub(super) now: Timestamp,
}

/// See the file's head.
pub(super) struct Member {
    session: Rc<Session>,
    /// The newest event it was handed, or that its snapshot holds.
    sent: Seq,
    stage: Stage,
    page_under_way: bool,
}

impl Member {
    pub(super) fn new(session: Rc<Session>, after: Option<Position>) -> Self {
        session.unsettled.set(session.unsettled.get() + 1);
        Self { session, sent: Seq::ZERO, stage: Stage::Asking(after), page_under_way: false }
    }

    pub(super) const fn session(&self) -> &Rc<Session> {
        &self.session
    }

    pub(super) fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    fn enter(&mut self, stage: Stage) {
        let unsettled = &self.session.unsettled;
        match (self.is_live(), stage == Stage::Live) {
            (true, false) => unsettled.set(unsettled.get() + 1),
            (false, true) => unsettled.set(unsettled.get().saturating_sub(1)),
            (true, true) | (false, false) => {}
        }
        self.stage = stage;
    }

    /// Hands over a new event. A member that is not live gets it later, from the feed.
    pub(super) fn offer(&mut self, event: &LiveFrame, now: Timestamp, meters: &Meters) {
        if !self.is_live() || event.seq <= self.sent {
            return;
        }
        if event.seq != self.sent.next() {
            self.enter(Stage::Replaying);
        } else if self.session.push(event.form(self.session.wire()), now) {
            self.sent = event.seq;
        } else {
            self.enter(Stage::Conflated);
            if self.session.queue.lag() {
                meters.lagged.increment(1);
            }
        }
    }

    /// The feed has come as far as `head`, and the member is to get what it lacks from there.
    pub(super) fn fall_behind(&mut self, head: Seq) {
        if self.is_live() && self.sent < head {
            self.enter(Stage::Replaying);
        }
    }

    /// Brings the member as far forward as the feed and the room in its queue allow.
    pub(super) fn serve(&mut self, table: Table<'_>) -> Wants {
        loop {
            let wants = match self.stage {
                Stage::Live => Some(Wants::Nothing),
                Stage::Asking(after) => self.greet(after, table),
                Stage::Replaying => self.replay(table),
                Stage::Conflated => self.conflate(table),
            };
            if let Some(wants) = wants {
                return wants;
            }
        }
    }

    /// Decides between replay and snapshot.
    fn greet(&mut self, after: Option<Position>, table: Table<'_>) -> Option<Wants> {
        let Table { feed, now, .. } = table;
        if !feed.is_known() {
            return Some(Wants::Snapshot);
        }
        let Some(position) = after.filter(|position| is_recoverable(*position, feed)) else {
            self.enter(Stage::Conflated);
            return None;
        };
        let hello = frames::hello(feed.auction_id, (feed.epoch, feed.head), true, now);
        if !self.session.push(hello.form(self.session.wire()), now) {
            return Some(Wants::Nothing);
        }
        self.sent = position.seq;
        self.enter(Stage::Replaying);
        None
    }

    fn replay(&mut self, table: Table<'_>) -> Option<Wants> {
        let Table { feed, now, .. } = table;
        if self.page_under_way {
            return Some(Wants::Nothing);
        }
        if self.sent >= feed.head {
            self.enter(Stage::Live);
            return None;
        }
        let missing = feed.head.0 - self.sent.0;
        if let Some(events) = feed.recent_after(self.sent) {
            for event in events {
                if !self.session.push(event.form(self.session.wire()), now) {
                    return Some(Wants::Nothing);
                }
                self.sent = event.seq;
            }
            return None;
        }
        if missing > i64::from(REPLAY_EVENTS_MAX) {
            self.enter(Stage::Conflated);
            return None;
        }
        if table.recent_may_grow && self.sent >= feed.horizon() {
            return Some(Wants::Recent);
        }
        let room = self.session.queue.room(CATCH_UP_EVENTS_PER_READ as usize);
        if room < CATCH_UP_EVENTS_PER_READ as usize {
            return Some(Wants::Nothing);
        }
        self.page_under_way = true;
        Some(Wants::Page { after: self.sent, limit: CATCH_UP_EVENTS_PER_READ })
    }

    /// Hands over the events above `after` that were read for this member alone; `None` when they could
    /// not be read. An answer that was meant for an earlier subscription is left aside.
    pub(super) fn take_page(&mut self, after: Seq, events: Option<Vec<Publication>>, now: Timestamp) {
        if self.stage != Stage::Replaying || self.sent != after {
            return;
        }
        self.page_under_way = false;
        let had = self.sent;
        for publication in events.into_iter().flatten() {
            let event = LiveFrame::new(publication);
            if event.seq != self.sent.next() || !self.session.push(event.form(self.session.wire()), now) {
                break;
            }
            self.sent = event.seq;
        }
        if self.sent == had && self.session.queue.room(1) > 0 {
            self.enter(Stage::Conflated);
        }
    }

    fn conflate(&mut self, table: Table<'_>) -> Option<Wants> {
        let Table { feed, now, just_read, .. } = table;
        let usable = feed.snapshot.as_ref().filter(|snapshot| {
            let behind = feed.head.0 - snapshot.seq.0;
            let fresh = now.since(snapshot.taken_at) <= SNAPSHOT_FRESH
                && usize::try_from(behind).unwrap_or(0) <= SNAPSHOT_EVENTS_BEHIND_MAX;
            snapshot.seq >= self.sent && (just_read || fresh) && feed.recent_after(snapshot.seq).is_some()
        });
        if self.session.queue.room(2) < 2 {
            return Some(Wants::Nothing);
        }
        let Some(snapshot) = usable else { return Some(Wants::Snapshot) };
        let wire = self.session.wire();
        let hello = frames::hello(feed.auction_id, (snapshot.epoch, snapshot.seq), false, now);
        self.session.push(hello.form(wire), now);
        self.session.push(snapshot.frame.form(wire), now);
        self.sent = snapshot.seq;
        self.enter(Stage::Replaying);
        None
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !self.is_live() {
            self.session.unsettled.set(self.session.unsettled.get().saturating_sub(1));
        }
    }
}

/// Whether everything after `position` can be replayed.
fn is_recoverable(position: Position, feed: &Feed) -> bool {
    let missed = feed.head.0.saturating_sub(position.seq.0);
    (0..=i64::from(REPLAY_EVENTS_MAX)).contains(&missed) && position.epoch.is_none_or(|epoch| epoch <= feed.epoch)
}
