//! What a hub knows of one auction: where it stands, its newest events, its newest snapshot.
//!
//! Events enter in seq order only; each is encoded at most once for each wire form. Nothing here knows
//! sessions or reads the history.

use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytestring::ByteString;

use super::Snapshot;
use super::frames::{self, Frame, Wire};
use crate::bus::Publication;
use crate::domain::{AuctionId, Epoch, Seq, Timestamp};
use crate::limits::{EVENTS_AHEAD_MAX, RECENT_EVENTS_PER_AUCTION};

/// One event, shared by all sessions of a hub.
pub(super) struct LiveFrame {
    pub(super) seq: Seq,
    publication: Publication,
    frame: OnceCell<Frame>,
}

impl LiveFrame {
    pub(super) fn new(publication: Publication) -> Self {
        Self { seq: publication.event.seq, publication, frame: OnceCell::new() }
    }

    pub(super) fn form(&self, wire: Wire) -> ByteString {
        self.frame.get_or_init(|| frames::event(&self.publication)).form(wire)
    }
}

/// A snapshot that serves several sessions.
pub(super) struct SharedSnapshot {
    pub(super) seq: Seq,
    pub(super) epoch: Epoch,
    pub(super) taken_at: Timestamp,
    pub(super) frame: Frame,
}

/// Where an event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It came before.
    Known,
    /// It is the next one.
    Next,
    /// It waits for earlier ones, or for the head to be known.
    Ahead,
}

/// See the file's head.
pub(super) struct Feed {
    pub(super) auction_id: AuctionId,
    pub(super) epoch: Epoch,
    /// The newest event that was handed out; meaningless until [`Feed::is_known`].
    pub(super) head: Seq,
    pub(super) ends_at: Timestamp,
    pub(super) snapshot: Option<SharedSnapshot>,
    known: bool,
    /// The newest ownership that was heard of. What comes of an earlier one after it is left to the history.
    newest: Epoch,
    /// The highest seq that is known to exist.
    seen: Seq,
    /// Contiguous, the last one is the head.
    recent: VecDeque<Rc<LiveFrame>>,
    ahead: BTreeMap<Seq, Publication>,
}

impl Feed {
    pub(super) fn new(auction_id: AuctionId) -> Self {
        Self {
            auction_id,
            epoch: Epoch(0),
            head: Seq::ZERO,
            ends_at: Timestamp(0),
            snapshot: None,
            known: false,
            newest: Epoch(0),
            seen: Seq::ZERO,
            recent: VecDeque::new(),
            ahead: BTreeMap::new(),
        }
    }

    /// Whether it is known where the auction stands.
    pub(super) const fn is_known(&self) -> bool {
        self.known
    }

    /// Whether events are known to exist that did not come yet.
    pub(super) fn is_behind(&self) -> bool {
        self.known && self.head < self.seen
    }

    /// Takes note of a fresh snapshot. The first one says where the auction stands.
    pub(super) fn take_snapshot(&mut self, snapshot: &Snapshot, now: Timestamp) {
        if !self.known {
            self.known = true;
            self.head = snapshot.head;
            self.epoch = snapshot.epoch;
            self.ends_at = snapshot.ends_at;
        }
        self.newest = self.newest.max(snapshot.epoch);
        self.seen = self.seen.max(snapshot.head);
        self.snapshot = Some(SharedSnapshot {
            seq: snapshot.head,
            epoch: snapshot.epoch,
            taken_at: now,
            frame: frames::snapshot(snapshot),
        });
    }

    /// The auction is known to have come as far as `head`.
    pub(super) fn learn(&mut self, head: Seq) {
        self.seen = self.seen.max(head);
    }

    /// Where a publication from the bus belongs; one that is ahead is kept for [`Feed::next_in_order`]. One of an
    /// earlier ownership than what was heard already counts as known: if it was ever committed, the history has it.
    pub(super) fn place(&mut self, publication: &Publication) -> Place {
        if publication.epoch < self.newest {
            return Place::Known;
        }
        self.newest = publication.epoch;
        self.place_stored(publication)
    }

    /// The same for one from the history, where all ownerships stand in order.
    pub(super) fn place_stored(&mut self, publication: &Publication) -> Place {
        let seq = publication.event.seq;
        self.seen = self.seen.max(seq);
        if self.known && seq <= self.head {
            return Place::Known;
        }
        if self.known && seq == self.head.next() {
            return Place::Next;
        }
        if self.ahead.len() < EVENTS_AHEAD_MAX {
            self.ahead.insert(seq, publication.clone());
        }
        Place::Ahead
    }

    /// Makes the event that [`Feed::place`] called the next one the head.
    pub(super) fn append(&mut self, publication: Publication) -> Rc<LiveFrame> {
        self.head = publication.event.seq;
        self.epoch = publication.epoch;
        self.ends_at = publication.ends_at;
        if self.recent.len() == RECENT_EVENTS_PER_AUCTION {
            self.recent.pop_front();
        }
        let frame = Rc::new(LiveFrame::new(publication));
        self.recent.push_back(Rc::clone(&frame));
        frame
    }

    /// Makes the next event the head, if it came ahead of its time.
    pub(super) fn next_in_order(&mut self) -> Option<Rc<LiveFrame>> {
        while let Some(entry) = self.ahead.first_entry() {
            if *entry.key() > self.head.next() {
                return None;
            }
            let publication = entry.remove();
            // What waited may be of an ownership that ended before the head was written: the history decides.
            if publication.event.seq > self.head && publication.epoch >= self.epoch {
                return Some(self.append(publication));
            }
        }
        None
    }

    /// The events above `after` up to the head; `None` when some of them are not at hand.
    pub(super) fn recent_after(&self, after: Seq) -> Option<impl Iterator<Item = &LiveFrame>> {
        let missing = usize::try_from(self.head.0 - after.0).unwrap_or(0);
        let skip = self.recent.len().checked_sub(missing)?;
        Some(self.recent.iter().skip(skip).map(Rc::as_ref))
    }

    /// Puts older events before the recent ones, as far as they join on. True when there are more now.
    pub(super) fn prepend(&mut self, events: Vec<Publication>) -> bool {
        let before = self.recent.len();
        for publication in events.into_iter().rev() {
            let joins = publication.event.seq.0 == self.head.0 - i64::try_from(self.recent.len()).unwrap_or(0);
            if joins && self.recent.len() < RECENT_EVENTS_PER_AUCTION {
                self.recent.push_front(Rc::new(LiveFrame::new(publication)));
            }
        }
        self.recent.len() > before
    }

    /// The seq before the oldest event that could be kept.
    pub(super) fn horizon(&self) -> Seq {
        let span = i64::try_from(RECENT_EVENTS_PER_AUCTION).unwrap_or(i64::MAX);
        Seq((self.head.0 - span).max(0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Event, EventKind};

    fn publication(seq: i64, epoch: i64) -> Publication {
        let event = Event { seq: Seq(seq), at: Timestamp(seq), kind: EventKind::Closed { winner: None } };
        Publication {
            auction_id: AuctionId(1),
            epoch: Epoch(epoch),
            event: Arc::new(event),
            min_next: crate::domain::Money::ZERO,
            ends_at: Timestamp(0),
        }
    }

    /// Knows everything up to `head`, all of it of epoch 3.
    fn feed(head: i64) -> Feed {
        let mut feed = Feed::new(AuctionId(1));
        let (auction_id, json) = (AuctionId(1), "{}".to_owned());
        let snapshot = Snapshot { auction_id, epoch: Epoch(3), head: Seq(head), ends_at: Timestamp(0), json };
        feed.take_snapshot(&snapshot, Timestamp(0));
        feed
    }

    /// Takes it as a hub does; what was handed out for it.
    fn publish(feed: &mut Feed, publication: Publication) -> Vec<(i64, i64)> {
        let mut handed_out = Vec::new();
        if feed.place(&publication) == Place::Next {
            feed.append(publication);
            handed_out.push((feed.head.0, feed.epoch.0));
            while feed.next_in_order().is_some() {
                handed_out.push((feed.head.0, feed.epoch.0));
            }
        }
        handed_out
    }

    #[test]
    fn an_event_of_an_earlier_term_after_one_of_a_later_is_dropped() {
        let mut feed = feed(5);
        assert_eq!(publish(&mut feed, publication(6, 4)), [(6, 4)]);
        assert_eq!(publish(&mut feed, publication(7, 3)), []);
        assert!(!feed.is_behind(), "nor believed to be there");
        assert_eq!(publish(&mut feed, publication(7, 4)), [(7, 4)]);
    }

    #[test]
    fn an_event_of_an_earlier_term_that_waits_does_not_follow_one_of_a_later() {
        let mut feed = feed(5);
        assert_eq!(publish(&mut feed, publication(8, 3)), []);
        assert_eq!(publish(&mut feed, publication(6, 4)), [(6, 4)]);
        assert_eq!(publish(&mut feed, publication(7, 4)), [(7, 4)]);
        assert!(feed.is_behind(), "the history says what event 8 is");
        assert_eq!(publish(&mut feed, publication(8, 4)), [(8, 4)]);
    }

    #[test]
    fn the_end_of_an_earlier_term_that_comes_late_is_left_to_the_history() {
        let mut feed = feed(5);
        assert_eq!(publish(&mut feed, publication(7, 4)), []);
        assert_eq!(publish(&mut feed, publication(6, 3)), []);
        assert!(feed.is_behind());
        let stored = publication(6, 3);
        assert_eq!(feed.place_stored(&stored), Place::Next);
        feed.append(stored);
        assert_eq!(feed.next_in_order().map(|event| event.seq), Some(Seq(7)));
    }

    #[test]
    fn a_head_that_is_told_makes_a_feed_behind_until_it_is_there() {
        let mut feed = feed(5);
        feed.learn(Seq(5));
        assert!(!feed.is_behind());
        feed.learn(Seq(6));
        feed.learn(Seq(2));
        assert!(feed.is_behind());
        publish(&mut feed, publication(6, 3));
        assert!(!feed.is_behind());
    }
}
