//! Who follows what on one worker thread: the hub's state, without its task.
//!
//! Every method returns at once. What must be read from the history is left in [`Roster::take_reads`];
//! the answers come back through [`Roster::answer`].

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::Snapshot;
use super::channel::{Channel, Desk, Read, What};
use super::ending::Ending;
use super::frames::{self, Frame};
use super::member::Member;
use super::meters::Meters;
use super::position::Position;
use super::present::Here;
use super::round::Round;
use super::seats::{Kind, Seat};
use super::shared::{Session, SessionId, Ticket, Waiting};
use crate::bus::Publication;
use crate::domain::{AuctionId, Seq, Timestamp};
use crate::limits::{PING_EVERY, SESSION_STUCK, SIGN_OUTS_REMEMBERED, SILENCE_MAX, SUBSCRIPTIONS_PER_SESSION_MAX};
use crate::store::TokenHash;

/// What came of a read.
pub(super) enum Answer {
    Snapshot(Option<Snapshot>),
    Events(Vec<Publication>),
    Unavailable,
}

/// The session follows `limits::SUBSCRIPTIONS_PER_SESSION_MAX` auctions already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManySubscriptions;

struct Entry {
    session: Rc<Session>,
    /// Ascending, so that sessions with the same auctions share their ticks.
    auctions: Rc<[AuctionId]>,
}

/// See the file's head.
pub(super) struct Roster {
    sessions: HashMap<SessionId, Entry>,
    channels: HashMap<AuctionId, Channel>,
    numbers: u64,
    reads: Vec<Read>,
    round: Round,
    signed_out: VecDeque<TokenHash>,
    meters: Arc<Meters>,
    here: Here,
    waiting: Rc<Waiting>,
}

impl Roster {
    pub(super) fn new(meters: Arc<Meters>, here: Here, waiting: Rc<Waiting>) -> Self {
        Self {
            sessions: HashMap::new(),
            channels: HashMap::new(),
            numbers: 0,
            reads: Vec::new(),
            round: Round::default(),
            signed_out: VecDeque::new(),
            meters,
            here,
            waiting,
        }
    }

    const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Takes in a session. One whose sign-in ended while it was being set up ends at once.
    pub(super) fn join(&mut self, seat: Seat, who: (Kind, Option<Ticket>), now: Timestamp) -> Rc<Session> {
        let id = SessionId(self.number());
        let sign_in = who.1.map(|ticket| self.here.signed_in.enter(ticket.token));
        let session = Rc::new(Session::new(id, (seat, sign_in), who, &self.waiting, now));
        if session.ticket.is_some_and(|ticket| self.signed_out.contains(&ticket.token)) {
            session.queue.end(Ending::SignedOut);
        }
        self.sessions.insert(id, Entry { session: Rc::clone(&session), auctions: Rc::from([]) });
        session
    }

    /// Forgets a session. Forgetting it twice is no error.
    pub(super) fn leave(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.remove(&session) {
            for auction_id in entry.auctions.iter() {
                self.leave_channel(session, *auction_id);
            }
        }
    }

    fn leave_channel(&mut self, session: SessionId, auction_id: AuctionId) {
        if let Some(channel) = self.channels.get_mut(&auction_id) {
            channel.leave(session);
            if channel.is_empty() {
                self.channels.remove(&auction_id);
            }
        }
    }

    /// Has a session follow an auction; following it again starts anew from `after`.
    pub(super) fn subscribe(
        &mut self,
        session: SessionId,
        auction_id: AuctionId,
        after: Option<Position>,
        now: Timestamp,
    ) -> Result<(), TooManySubscriptions> {
        let Some(entry) = self.sessions.get_mut(&session) else { return Ok(()) };
        if let Err(place) = entry.auctions.binary_search(&auction_id) {
            if entry.auctions.len() >= SUBSCRIPTIONS_PER_SESSION_MAX {
                return Err(TooManySubscriptions);
            }
            let mut auctions = entry.auctions.to_vec();
            auctions.insert(place, auction_id);
            entry.auctions = auctions.into();
        }
        let member = Member::new(Rc::clone(&entry.session), after);
        let number = self.number();
        let followed = &self.here.followed;
        let new = || Channel::new(number, followed.enter(auction_id));
        let channel = self.channels.entry(auction_id).or_insert_with(new);
        let mut desk = Desk { now, meters: &self.meters, reads: &mut self.reads };
        channel.join(session, member, &mut desk);
        Ok(())
    }

    /// Whether someone follows the auction and it is known to exist.
    pub(super) fn knows(&self, auction_id: AuctionId) -> bool {
        self.channels.get(&auction_id).is_some_and(|channel| channel.feed.is_known())
    }

    /// Ends a subscription; ending one that is not there is no error.
    pub(super) fn unsubscribe(&mut self, session: SessionId, auction_id: AuctionId) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        if entry.auctions.binary_search(&auction_id).is_ok() {
            entry.auctions = entry.auctions.iter().copied().filter(|id| *id != auction_id).collect();
            self.leave_channel(session, auction_id);
        }
    }

    /// Hands events to whoever follows their auctions.
    pub(super) fn publish(&mut self, publications: &[Publication], now: Timestamp) {
        self.meters.received.increment(u64::try_from(publications.len()).unwrap_or(u64::MAX));
        let mut desk = Desk { now, meters: &self.meters, reads: &mut self.reads };
        for publication in publications {
            if let Some(channel) = self.channels.get_mut(&publication.auction_id) {
                channel.publish(publication, &mut desk);
            }
        }
    }

    /// So far the auctions have come in the history.
    pub(super) fn learn_heads(&mut self, heads: &[(AuctionId, Seq)], now: Timestamp) {
        let mut desk = Desk { now, meters: &self.meters, reads: &mut self.reads };
        for (auction_id, head) in heads {
            if let Some(channel) = self.channels.get_mut(auction_id) {
                channel.learn_head(*head, &mut desk);
            }
        }
    }

    /// The session has emptied its queue and there is more for it.
    pub(super) fn make_use_of_room(&mut self, session: SessionId, now: Timestamp) {
        let Some(entry) = self.sessions.get(&session) else { return };
        let mut desk = Desk { now, meters: &self.meters, reads: &mut self.reads };
        for auction_id in entry.auctions.iter() {
            if let Some(channel) = self.channels.get_mut(auction_id) {
                channel.serve_one(session, &mut desk);
            }
        }
    }

    /// The reads that became necessary since the last call.
    pub(super) fn take_reads(&mut self) -> Vec<Read> {
        std::mem::take(&mut self.reads)
    }

    /// The answer to a read. The channel may be gone or be another one by now.
    pub(super) fn answer(&mut self, read: Read, answer: Answer, now: Timestamp) {
        let Some(channel) = self.channels.get_mut(&read.auction_id).filter(|channel| channel.number == read.channel)
        else {
            return;
        };
        let mut desk = Desk { now, meters: &self.meters, reads: &mut self.reads };
        let (snapshot, events) = match answer {
            Answer::Snapshot(None) => {
                let gone = channel.dissolve(now);
                for session in gone {
                    self.unsubscribe(session, read.auction_id);
                }
                self.channels.remove(&read.auction_id);
                return;
            }
            Answer::Snapshot(snapshot) => (snapshot, None),
            Answer::Events(events) => (None, Some(events)),
            Answer::Unavailable => (None, None),
        };
        match read.what {
            What::Snapshot => channel.snapshot_read(snapshot.as_ref(), &mut desk),
            What::Gap { .. } => channel.gap_read(events, &mut desk),
            What::Recent { .. } => channel.recent_read(events, &mut desk),
            What::Page { session, after, .. } => channel.page_read((session, after), events, &mut desk),
        }
    }

    /// Begins a round of ticks; [`Roster::tick_some`] goes on with it.
    pub(super) fn begin_round(&mut self, now: Timestamp) {
        let mut desk = Desk { now, meters: &self.meters, reads: &mut self.reads };
        for channel in self.channels.values_mut() {
            channel.tick(&mut desk);
        }
        self.round.begin(now, self.sessions.keys().copied());
    }

    pub(super) fn round_is_over(&self) -> bool {
        self.round.is_over()
    }

    /// Gives up to `count` sessions their tick, and ends those whose time is over.
    pub(super) fn tick_some(&mut self, count: usize) {
        for _ in 0..count {
            let Some((now, id)) = self.round.next() else { return };
            let Some(session) = self.sessions.get(&id).map(|entry| Rc::clone(&entry.session)) else { continue };
            if let Some(ending) = due(&session, now) {
                if ending == Ending::SlowReader {
                    self.meters.slow_dropped.increment(1);
                }
                self.end(&session, ending);
            } else {
                self.send_tick(&session, now);
            }
        }
    }

    fn end(&mut self, session: &Session, ending: Ending) {
        session.queue.end(ending);
        self.leave(session.id);
    }

    fn send_tick(&mut self, session: &Rc<Session>, now: Timestamp) {
        if session.kind == Kind::WebSocket && now.since(session.pinged_at.get()) >= PING_EVERY {
            session.pinged_at.set(now);
            session.queue.ping();
        }
        if session.kind == Kind::Clock {
            session.replace(self.round.clock(now), now);
            return;
        }
        let Some(entry) = self.sessions.get(&session.id) else { return };
        if session.kind == Kind::Sse && session.unsettled.get() >= entry.auctions.len() {
            // Nothing may come before its `hello`, which is the first event of an SSE stream.
            return;
        }
        let (wire, channels) = (session.wire(), &self.channels);
        let frame = if session.unsettled.get() == 0 {
            self.round.shared(&entry.auctions, wire, || tick(channels, &entry.auctions, |_| true, now))
        } else {
            tick(channels, &entry.auctions, |channel| channel.is_live(session.id), now).form(wire)
        };
        session.push_tick(frame, now);
    }

    /// Ends the sessions of a sign-in, and those of it that are still being set up.
    pub(super) fn sign_out(&mut self, token: TokenHash) {
        if self.signed_out.len() == SIGN_OUTS_REMEMBERED {
            self.signed_out.pop_front();
        }
        self.signed_out.push_back(token);
        self.end_where(Ending::SignedOut, |session| session.ticket.is_some_and(|ticket| ticket.token == token));
    }

    /// Ends every session for which `which` says so.
    pub(super) fn end_where(&mut self, ending: Ending, which: impl Fn(&Session) -> bool) {
        let sessions: Vec<_> =
            self.sessions.values().map(|entry| Rc::clone(&entry.session)).filter(|session| which(session)).collect();
        for session in sessions {
            self.end(&session, ending);
        }
    }
}

/// Why the session's time is over, if it is.
fn due(session: &Session, now: Timestamp) -> Option<Ending> {
    if session.queue.is_stuck(now, SESSION_STUCK) {
        Some(Ending::SlowReader)
    } else if session.ticket.is_some_and(|ticket| now >= ticket.expires_at) {
        Some(Ending::SignedOut)
    } else if session.kind == Kind::WebSocket && now.since(session.heard_at.get()) > SILENCE_MAX {
        Some(Ending::Silent)
    } else {
        None
    }
}

fn tick(
    channels: &HashMap<AuctionId, Channel>,
    auctions: &[AuctionId],
    which: impl Fn(&Channel) -> bool,
    now: Timestamp,
) -> Frame {
    let lines: Vec<_> = auctions
        .iter()
        .filter_map(|auction_id| channels.get(auction_id))
        .filter(|channel| which(channel))
        .map(|channel| (channel.feed.auction_id, channel.feed.head, channel.feed.ends_at))
        .collect();
    frames::tick(now, &lines)
}
