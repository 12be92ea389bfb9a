//! One live session, as its hub and its actor share it. Both live on one thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytestring::ByteString;
use tokio::sync::Notify;

use super::connection::Outgoing;
use super::frames::Wire;
use super::present::Presence;
use super::queue::Queue;
use super::seats::{Kind, Seat};
use crate::domain::Timestamp;
use crate::store::TokenHash;

/// The number of a session within its hub; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub(super) u64);

/// The sign-in that a session came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub token: TokenHash,
    pub expires_at: Timestamp,
}

/// See the file's head.
pub struct Session {
    pub(super) id: SessionId,
    pub(super) kind: Kind,
    pub(super) ticket: Option<Ticket>,
    /// What waits to be sent.
    pub queue: Queue,
    /// When the client was last heard.
    pub(super) heard_at: Cell<Timestamp>,
    pub(super) pinged_at: Cell<Timestamp>,
    /// Subscriptions that are not live yet.
    pub(super) unsettled: Cell<usize>,
    waiting: Rc<Waiting>,
    /// Whether it is in `waiting`.
    is_waiting: Cell<bool>,
    /// Where the hub may send, if it may.
    outgoing: OnceCell<Rc<Outgoing>>,
    _seat: Seat,
    _sign_in: Option<Presence<TokenHash>>,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        (seat, sign_in): (Seat, Option<Presence<TokenHash>>),
        who: (Kind, Option<Ticket>),
        waiting: &Rc<Waiting>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            kind: who.0,
            ticket: who.1,
            queue: Queue::default(),
            heard_at: Cell::new(now),
            pinged_at: Cell::new(now),
            unsettled: Cell::new(0),
            waiting: Rc::clone(waiting),
            is_waiting: Cell::new(false),
            outgoing: OnceCell::new(),
            _seat: seat,
            _sign_in: sign_in,
        }
    }

    pub(super) const fn wire(&self) -> Wire {
        self.kind.wire()
    }

    /// From now on the hub sends through `outgoing` what can go at once.
    pub(super) fn send_through(&self, outgoing: Rc<Outgoing>) {
        let _ = self.outgoing.set(outgoing);
    }

    /// The connection, if a frame can go out on it at once.
    pub(super) fn clear_outgoing(&self) -> Option<&Outgoing> {
        self.outgoing.get().map(|outgoing| &**outgoing).filter(|outgoing| outgoing.is_clear())
    }

    /// Adds a frame; see [`Queue::push`].
    pub(super) fn push(self: &Rc<Self>, frame: ByteString, now: Timestamp) -> bool {
        let is_added = self.queue.push(frame, now);
        self.wait();
        is_added
    }

    /// Adds a tick; see [`Queue::push_tick`].
    pub(super) fn push_tick(self: &Rc<Self>, frame: ByteString, now: Timestamp) {
        self.queue.push_tick(frame, now);
        self.wait();
    }

    /// Puts `frame` in the place of all that waits.
    pub(super) fn replace(self: &Rc<Self>, frame: ByteString, now: Timestamp) {
        self.queue.replace(frame, now);
        self.wait();
    }

    /// Has the hub look at what waits.
    pub(super) fn wait(self: &Rc<Self>) {
        if !self.is_waiting.replace(true) {
            self.waiting.add(Rc::clone(self));
        }
    }
}

/// The sessions of a hub that have something to send, each once, in the order in which they got it.
#[derive(Default)]
pub(super) struct Waiting {
    sessions: RefCell<VecDeque<Rc<Session>>>,
    added: Notify,
}

impl Waiting {
    fn add(&self, session: Rc<Session>) {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.is_empty() {
            self.added.notify_one();
        }
        sessions.push_back(session);
    }

    /// Waits until there is one.
    pub(super) async fn any(&self) {
        while self.len() == 0 {
            self.added.notified().await;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.borrow().len()
    }

    pub(super) fn next(&self) -> Option<Rc<Session>> {
        let session = self.sessions.borrow_mut().pop_front()?;
        session.is_waiting.set(false);
        Some(session)
    }
}
