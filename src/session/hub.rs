//! One worker thread's hub: its task, and the handle that its sessions hold.
//!
//! The task takes turns: some events or ticks, then the sessions send, so that a burst does not fill the
//! queues of readers that are not slow at all. Sessions call the hub directly; it never waits for them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use metrics::Gauge;
use tokio::sync::Semaphore;

use super::catch_up;
use super::ending::Ending;
use super::hubs::Hubs;
use super::inbox::{Order, Outlet, State};
use super::position::Position;
use super::roster::Roster;
use super::seats::{Kind, Refused};
use super::shared::Waiting;
use crate::bus::Publication;
use crate::domain::{AuctionId, Timestamp};
use crate::limits::{EVENTS_PER_TURN, HISTORY_READS_AT_ONCE, SESSIONS_PER_TURN};

pub use super::roster::TooManySubscriptions;
pub use super::shared::{Session, SessionId, Ticket};

/// A handle to the hub of this thread.
#[derive(Clone)]
pub struct LocalHub {
    core: Rc<Core>,
}

struct Core {
    node: Arc<Hubs>,
    roster: RefCell<Roster>,
    waiting: Rc<Waiting>,
    reads_at_once: Semaphore,
    reads_waiting: Cell<usize>,
}

impl LocalHub {
    /// Starts a hub on this thread, which must run an actix runtime.
    pub(super) fn start(node: &Arc<Hubs>, outlet: Outlet, depth: Gauge) -> Self {
        let waiting = Rc::new(Waiting::default());
        let roster = Roster::new(Arc::clone(&node.meters), node.here.clone(), Rc::clone(&waiting));
        let core = Core {
            node: Arc::clone(node),
            roster: RefCell::new(roster),
            waiting,
            reads_at_once: Semaphore::new(HISTORY_READS_AT_ONCE),
            reads_waiting: Cell::new(0),
        };
        let hub = Self { core: Rc::new(core) };
        actix_web::rt::spawn(hub.clone().run(outlet, depth));
        hub
    }

    async fn run(self, mut outlet: Outlet, depth: Gauge) {
        loop {
            let round_is_over = self.core.roster.borrow().round_is_over();
            tokio::select! {
                order = outlet.orders.recv() => {
                    let Some(order) = order else { return };
                    if matches!(order, Order::Tick(_)) {
                        depth.set(f64::from(u32::try_from(outlet.state.depth()).unwrap_or(u32::MAX)));
                    }
                    self.obey(order);
                }
                batch = outlet.publications.recv() => {
                    let Some(batch) = batch else { return };
                    self.hand_out(batch, &mut outlet).await;
                }
                () = outlet.state.dropped() => self.make_good(&outlet.state),
                () = self.core.waiting.any() => {}
                () = std::future::ready(()), if !round_is_over => {
                    self.with(|roster, _| roster.tick_some(SESSIONS_PER_TURN));
                }
            }
            self.send().await;
            tokio::task::yield_now().await;
        }
    }

    /// Sends to those that wait now: some at a time, so that others on this thread get their turn, and to each one write,
    /// so that one who catches up does not hold up what is new.
    async fn send(&self) {
        for number in 1..=self.core.waiting.len() {
            let Some(session) = self.core.waiting.next() else { return };
            self.send_to(&session);
            if number % SESSIONS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Spares the session's actor being woken, as far as its connection takes what waits.
    fn send_to(&self, session: &Rc<Session>) {
        let Some(outgoing) = session.clear_outgoing() else { return session.queue.wake() };
        if session.queue.is_empty() {
            return;
        }
        self.take(session, |frame| outgoing.text(frame));
        if !outgoing.send_now() {
            session.queue.wake();
        } else if !session.queue.is_empty() {
            session.wait();
        }
    }

    /// Hands out `batch` and what waits behind it, as much as goes in a turn: the more waits, the more of it goes in one
    /// write to each session.
    async fn hand_out(&self, batch: Arc<[Publication]>, outlet: &mut Outlet) {
        let (mut next, mut room) = (Some(batch), EVENTS_PER_TURN);
        while let Some(batch) = next {
            for publications in batch.chunks(EVENTS_PER_TURN) {
                if publications.len() > room {
                    self.send().await;
                    tokio::task::yield_now().await;
                    room = EVENTS_PER_TURN;
                }
                room -= publications.len();
                self.with(|roster, now| roster.publish(publications, now));
            }
            outlet.state.taken(batch.len());
            next = if room > 0 { outlet.publications.try_recv().ok() } else { None };
        }
    }

    fn obey(&self, order: Order) {
        self.with(|roster, at| match order {
            Order::Tick(now) => roster.begin_round(now),
            Order::Heads(heads) => roster.learn_heads(&heads, at),
            Order::SignedOut(token) => roster.sign_out(token),
            Order::Close(ending) => roster.end_where(ending, |_| true),
        });
    }

    /// Makes good what did not fit into the inbox.
    fn make_good(&self, inbox: &State) {
        let heads_lost = inbox.heads_lost();
        self.with(|roster, now| roster.learn_heads(&heads_lost, now));
        if inbox.sign_outs_lost() {
            self.with(|roster, _| roster.end_where(Ending::SignedOut, |session| session.ticket.is_some()));
        }
        if let Some(ending) = inbox.close_lost() {
            self.obey(Order::Close(ending));
        }
    }

    /// Works on the roster, then starts the reads that came out of it.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Roster, Timestamp) -> R) -> R {
        let mut roster = self.core.roster.borrow_mut();
        let result = work(&mut roster, self.now());
        let reads = roster.take_reads();
        drop(roster);
        for read in reads {
            catch_up::start(self, read);
        }
        result
    }

    /// Takes in a session.
    ///
    /// # Errors
    /// When the node has no room for it.
    pub fn join(&self, kind: Kind, ticket: Option<Ticket>) -> Result<Rc<Session>, Refused> {
        let seat = self.core.node.seats.take(kind)?;
        Ok(self.with(|roster, now| roster.join(seat, (kind, ticket), now)))
    }

    /// Forgets a session.
    pub fn leave(&self, session: &Session) {
        self.with(|roster, _| roster.leave(session.id));
    }

    /// Has a session follow an auction, from `after` on if that can be.
    ///
    /// # Errors
    /// When it follows too many already.
    pub fn subscribe(
        &self,
        session: &Session,
        auction_id: AuctionId,
        after: Option<Position>,
    ) -> Result<(), TooManySubscriptions> {
        self.with(|roster, now| roster.subscribe(session.id, auction_id, after, now))
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, session: &Session, auction_id: AuctionId) {
        self.with(|roster, _| roster.unsubscribe(session.id, auction_id));
    }

    /// Hands what waits for `session` to `each`, up to a write's worth, and lets the hub use the room.
    pub fn take(&self, session: &Session, each: impl FnMut(bytestring::ByteString)) {
        let taken = session.queue.take(crate::limits::SEND_BYTES_AT_ONCE, self.now(), each);
        self.core.node.meters.frames_sent.increment(u64::try_from(taken.frames).unwrap_or(u64::MAX));
        if taken.room_wanted {
            self.with(|roster, now| roster.make_use_of_room(session.id, now));
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.core.node.clock.now()
    }

    pub(super) fn node(&self) -> &Hubs {
        &self.core.node
    }

    pub(super) fn reads_at_once(&self) -> &Semaphore {
        &self.core.reads_at_once
    }

    pub(super) fn reads_waiting(&self) -> &Cell<usize> {
        &self.core.reads_waiting
    }
}
