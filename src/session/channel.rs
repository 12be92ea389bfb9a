//! One auction in a hub: its feed and the members that follow it.
//!
//! Says what has to be read from the history, each thing once for all members; reads nothing itself.

use std::collections::HashMap;

use super::feed::{Feed, Place};
use super::member::{Member, Table, Wants};
use super::meters::Meters;
use super::present::Presence;
use super::shared::SessionId;
use super::{Snapshot, frames};
use crate::bus::Publication;
use crate::domain::{AuctionId, Seq, Timestamp};
use crate::limits::{GAP_EVENTS_PER_READ, RECENT_EVENTS_PER_AUCTION};

/// What to read from the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Snapshot,
    /// What is missing between the head and what came after it.
    Gap {
        after: Seq,
    },
    /// Events before those at hand.
    Recent {
        after: Seq,
    },
    /// For one session.
    Page {
        session: SessionId,
        after: Seq,
        limit: u32,
    },
}

impl What {
    /// After which event and how many of them to read; `None` for the snapshot.
    pub(super) fn range(self) -> Option<(Seq, u32)> {
        match self {
            Self::Snapshot => None,
            Self::Gap { after } => Some((after, GAP_EVENTS_PER_READ)),
            Self::Recent { after } => Some((after, u32::try_from(RECENT_EVENTS_PER_AUCTION).unwrap_or(u32::MAX))),
            Self::Page { after, limit, .. } => Some((after, limit)),
        }
    }
}

/// A read for one channel. Its answer is for that very channel, not for a later one of the same auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) auction_id: AuctionId,
    pub(super) channel: u64,
    pub(super) what: What,
}

/// What a call works with beside the channel.
pub(super) struct Desk<'a> {
    pub(super) now: Timestamp,
    pub(super) meters: &'a Meters,
    /// Reads that became necessary.
    pub(super) reads: &'a mut Vec<Read>,
}

/// Events before those at hand: asked for once in a channel's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FurtherBack {
    NotAsked,
    UnderWay,
    Asked,
}

/// See the file's head.
pub(super) struct Channel {
    pub(super) number: u64,
    pub(super) feed: Feed,
    members: HashMap<SessionId, Member>,
    snapshot_under_way: bool,
    gap_under_way: bool,
    further_back: FurtherBack,
    /// Something could not be read; try again at the next tick.
    retry: bool,
    _followed: Presence<AuctionId>,
}

impl Channel {
    pub(super) fn new(number: u64, followed: Presence<AuctionId>) -> Self {
        Self {
            number,
            feed: Feed::new(followed.key),
            members: HashMap::new(),
            snapshot_under_way: false,
            gap_under_way: false,
            further_back: FurtherBack::NotAsked,
            retry: false,
            _followed: followed,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn is_live(&self, session: SessionId) -> bool {
        self.members.get(&session).is_some_and(Member::is_live)
    }

    pub(super) fn join(&mut self, session: SessionId, member: Member, desk: &mut Desk<'_>) {
        self.members.insert(session, member);
        self.serve_one(session, desk);
    }

    pub(super) fn leave(&mut self, session: SessionId) {
        self.members.remove(&session);
    }

    /// Takes an event from the bus.
    pub(super) fn publish(&mut self, publication: &Publication, desk: &mut Desk<'_>) {
        match self.feed.place(publication) {
            Place::Known => {}
            Place::Next => self.hand_out(publication.clone(), desk),
            Place::Ahead => self.fill_gap(desk),
        }
    }

    fn hand_out(&mut self, publication: Publication, desk: &mut Desk<'_>) {
        let mut next = Some(self.feed.append(publication));
        while let Some(event) = next {
            for member in self.members.values_mut() {
                member.offer(&event, desk.now, desk.meters);
            }
            next = self.feed.next_in_order();
        }
    }

    /// Reads what is missing behind the head, once at a time.
    fn fill_gap(&mut self, desk: &mut Desk<'_>) {
        if self.feed.is_known() && !self.gap_under_way {
            self.gap_under_way = true;
            desk.meters.gaps.increment(1);
            desk.reads.push(self.read(What::Gap { after: self.feed.head }));
        }
    }

    /// The history has come as far as `head`: looks for what did not come here.
    pub(super) fn learn_head(&mut self, head: Seq, desk: &mut Desk<'_>) {
        self.feed.learn(head);
        if self.feed.is_behind() {
            self.fill_gap(desk);
        }
    }

    /// Takes up what failed, once a tick.
    pub(super) fn tick(&mut self, desk: &mut Desk<'_>) {
        if self.feed.is_behind() {
            self.fill_gap(desk);
        }
        if std::mem::take(&mut self.retry) {
            self.serve_all(false, desk);
        }
    }

    const fn read(&self, what: What) -> Read {
        Read { auction_id: self.feed.auction_id, channel: self.number, what }
    }

    /// Brings one member forward.
    pub(super) fn serve_one(&mut self, session: SessionId, desk: &mut Desk<'_>) {
        let table = Table {
            feed: &self.feed,
            recent_may_grow: self.further_back != FurtherBack::Asked,
            just_read: false,
            now: desk.now,
        };
        if let Some(member) = self.members.get_mut(&session) {
            let wants = member.serve(table);
            self.ask(session, wants, desk);
        }
    }

    /// Brings everyone forward who is not live. True when someone still needs a snapshot.
    fn serve_all(&mut self, just_read: bool, desk: &mut Desk<'_>) -> bool {
        let table = Table {
            feed: &self.feed,
            recent_may_grow: self.further_back != FurtherBack::Asked,
            just_read,
            now: desk.now,
        };
        let wants: Vec<_> = self
            .members
            .iter_mut()
            .filter(|(_, member)| !member.is_live())
            .map(|(session, member)| (*session, member.serve(table)))
            .filter(|(_, wants)| *wants != Wants::Nothing)
            .collect();
        let snapshot_wanted = wants.iter().any(|(_, wants)| *wants == Wants::Snapshot);
        for (session, wants) in wants {
            self.ask(session, wants, desk);
        }
        snapshot_wanted
    }

    fn ask(&mut self, session: SessionId, wants: Wants, desk: &mut Desk<'_>) {
        match wants {
            Wants::Nothing => {}
            Wants::Snapshot => {
                if !self.snapshot_under_way && !self.retry {
                    self.snapshot_under_way = true;
                    desk.reads.push(self.read(What::Snapshot));
                }
            }
            Wants::Recent => {
                if self.further_back == FurtherBack::NotAsked {
                    self.further_back = FurtherBack::UnderWay;
                    desk.reads.push(self.read(What::Recent { after: self.feed.horizon() }));
                }
            }
            Wants::Page { after, limit } => desk.reads.push(self.read(What::Page { session, after, limit })),
        }
    }

    /// The snapshot was read, or could not be. A snapshot that brings nothing new waits for the next tick,
    /// so that a history that lags behind is not asked in a circle.
    pub(super) fn snapshot_read(&mut self, snapshot: Option<&Snapshot>, desk: &mut Desk<'_>) {
        self.snapshot_under_way = false;
        let Some(snapshot) = snapshot else {
            self.retry = true;
            return;
        };
        let first = !self.feed.is_known();
        let had = self.feed.snapshot.as_ref().map(|had| had.seq);
        self.feed.take_snapshot(snapshot, desk.now);
        if first {
            self.release_ahead(desk);
        }
        self.retry = had.is_some_and(|had| had >= snapshot.head);
        self.retry &= self.serve_all(true, desk);
    }

    /// Takes up what came while the head was not known.
    fn release_ahead(&mut self, desk: &mut Desk<'_>) {
        while self.feed.next_in_order().is_some() {}
        self.fall_behind();
        if self.feed.is_behind() {
            self.fill_gap(desk);
        }
    }

    /// What was missing behind the head was read, or could not be: the next tick tries again.
    pub(super) fn gap_read(&mut self, events: Option<Vec<Publication>>, desk: &mut Desk<'_>) {
        self.gap_under_way = false;
        let had = self.feed.head;
        for publication in events.into_iter().flatten() {
            if self.feed.place_stored(&publication) == Place::Next {
                self.feed.append(publication);
                while self.feed.next_in_order().is_some() {}
            }
        }
        self.fall_behind();
        if self.feed.head > had && self.feed.is_behind() {
            self.fill_gap(desk);
        }
        self.serve_all(false, desk);
    }

    /// The feed went on by more than one event at once: members get them as fast as they read. A burst that came late
    /// makes nobody a slow reader.
    fn fall_behind(&mut self) {
        for member in self.members.values_mut() {
            member.fall_behind(self.feed.head);
        }
    }

    /// Events before the recent ones were read, or could not be: then each member reads its own.
    pub(super) fn recent_read(&mut self, events: Option<Vec<Publication>>, desk: &mut Desk<'_>) {
        self.further_back = FurtherBack::Asked;
        self.feed.prepend(events.unwrap_or_default());
        self.serve_all(false, desk);
    }

    /// One member's events above `after` were read, or could not be.
    pub(super) fn page_read(
        &mut self,
        (session, after): (SessionId, Seq),
        events: Option<Vec<Publication>>,
        desk: &mut Desk<'_>,
    ) {
        if let Some(member) = self.members.get_mut(&session) {
            member.take_page(after, events, desk.now);
            self.serve_one(session, desk);
        }
    }

    /// There is no such auction: says so to everyone and lets them go.
    pub(super) fn dissolve(&mut self, now: Timestamp) -> Vec<SessionId> {
        let frame = frames::not_found(self.feed.auction_id);
        let gone = std::mem::take(&mut self.members);
        for member in gone.values() {
            member.session().push(frame.form(member.session().wire()), now);
        }
        gone.into_keys().collect()
    }
}
