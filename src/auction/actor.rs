//! The actor of one auction: the only place where bids are accepted or rejected.
//!
//! It decides in memory and never awaits I/O while it does. What it decided goes to the committer in
//! order; what depends on it is told only after the commit. A commit that fails makes it read its state
//! back and start anew. It never writes to the store itself and knows no client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use tokio::sync::oneshot;

use super::deadlines::Deadlines;
use super::handle::Gate;
use super::loading::{Live, ReceiptTerms, earlier_answer, load, same_bid};
use super::mailbox::confirm_to;
use super::metrics::Metrics;
use super::pending::{Pending, Reply, Uncommitted};
use super::registry::Sleepers;
use super::tenure::Term;
use super::{Answer, BidError};
use crate::bus::{Bus, Publication};
use crate::clock::{Clock, Stopwatch};
use crate::domain::{Auction, AuctionId, Command, Event, EventKind, PlaceBid, Rejection, Span, Timestamp};
use crate::limits;
use crate::settings::Ack;
use crate::store::outage::Outages;
use crate::store::write_behind::{Confirm, Content, Entry, Fate, Outbox, Place};
use crate::store::{RejectedBid, Store};

/// What every auction of a node shares.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) clock: Arc<Clock>,
    pub(super) outbox: Outbox,
    pub(super) ack: Ack,
    pub(super) metrics: Metrics,
    pub(super) sleepers: Sleepers,
    pub(super) deadlines: Arc<Deadlines>,
    pub(super) outages: Arc<Outages>,
    /// Numbers each reading back of any auction.
    pub(super) incarnations: AtomicU64,
}

impl Shared {
    /// Tries whether the store takes commits.
    pub(super) async fn probe(&self) {
        let began = self.clock.now();
        match actix::clock::timeout(limits::OUTAGE_MIN.into(), self.store.probe()).await {
            Ok(Ok(())) => self.outages.end(self.clock.now()),
            Ok(Err(_)) | Err(_) => self.outages.begin(began),
        }
    }
}

/// One awake auction.
pub(super) struct AuctionActor {
    pub(super) id: AuctionId,
    pub(super) shared: Arc<Shared>,
    /// Under which it decides; when that ends, so does the actor.
    pub(super) term: Arc<Term>,
    gate: Arc<Gate>,
    confirm: Arc<dyn Confirm>,
    pub(super) live: Option<Live>,
    pub(super) pending: Pending,
    /// New with each reading back; confirmations of earlier ones are void.
    incarnation: u64,
    used_at: Timestamp,
    pub(super) close_timer: Option<SpawnHandle>,
    /// After a closing that was not written: when to decide it again.
    pub(super) close_not_before: Timestamp,
    /// So many outages have ended and are settled with this auction's bidders.
    pub(super) outages_seen: u64,
    /// Who waits for the end of a [`HandOver`](super::mailbox::HandOver).
    leaving: Option<oneshot::Sender<()>>,
}

impl AuctionActor {
    pub(super) fn new(
        id: AuctionId,
        (shared, term): (Arc<Shared>, Arc<Term>),
        gate: Arc<Gate>,
        ctx: &Context<Self>,
    ) -> Self {
        let used_at = shared.clock.now();
        Self {
            id,
            shared,
            term,
            gate,
            confirm: confirm_to(ctx),
            live: None,
            pending: Pending::default(),
            incarnation: 0,
            used_at,
            close_timer: None,
            close_not_before: used_at,
            outages_seen: 0,
            leaving: None,
        }
    }

    /// Reads the state from the store; no message is handled meanwhile. Tries again until it succeeds.
    fn read_back(&mut self, ctx: &mut Context<Self>) {
        self.incarnation = self.shared.incarnations.fetch_add(1, Ordering::Relaxed) + 1;
        self.live = None;
        self.pending = Pending::default();
        self.outages_seen = 0;
        let store = Arc::clone(&self.shared.store);
        let id = self.id;
        let loaded = async move { load(store.as_ref(), id).await };
        ctx.wait(loaded.into_actor(self).map(|loaded, actor, ctx| match loaded {
            Ok(live) => {
                actor.live = live;
                actor.look_at(actor.close_not_before, ctx);
            }
            Err(error) => {
                tracing::warn!(%error, auction.id = actor.id.0, "an auction could not be read; trying again");
                let pause = actix::clock::sleep(limits::READ_RETRY.into());
                ctx.wait(pause.into_actor(actor).map(|(), actor, ctx| actor.read_back(ctx)));
            }
        }));
    }

    fn sleep_when_idle(&self, ctx: &mut Context<Self>) {
        let wait = self.shared.clock.until(self.used_at.plus(limits::AUCTION_IDLE));
        ctx.run_later(wait.max(limits::AUCTION_IDLE_LOOK.into()), |actor, ctx| {
            let idle = actor.shared.clock.now().since(actor.used_at) >= limits::AUCTION_IDLE;
            if idle && actor.pending.is_empty() && !actor.due_soon() && actor.gate.shut_if_idle() {
                actor.shared.sleepers.fell_asleep(actor.id, &actor.gate);
                ctx.stop();
            } else {
                actor.sleep_when_idle(ctx);
            }
        });
    }

    pub(super) fn take_bid(&mut self, bid: PlaceBid, read_at: Timestamp, reply: Reply) {
        self.used_at = read_at;
        let stopwatch = Stopwatch::start();
        self.decide_bid(bid, read_at, reply);
        self.shared.metrics.decision_seconds.record(stopwatch.elapsed());
    }

    fn decide_bid(&mut self, bid: PlaceBid, read_at: Timestamp, reply: Reply) {
        if !self.term.admits(self.shared.clock.now()) {
            return reply.send(Err(BidError::Moving));
        }
        let Some(live) = &self.live else { return reply.send(Err(BidError::NotFound)) };
        if live.answered.contains(&bid.bid_id) {
            return self.answer_again(bid, reply);
        }
        if !self.settle_outages(read_at) {
            return reply.send(Err(BidError::OutcomePending));
        }
        let Some(live) = &mut self.live else { return };
        if live.answered.len() >= limits::ANSWERS_PER_AUCTION_MAX {
            return reply.send(Err(BidError::Overloaded));
        }
        let shared = Arc::clone(&self.shared);
        let Some(place) = shared.outbox.place() else { return reply.send(Err(BidError::Overloaded)) };
        live.answered.insert(bid.bid_id);
        let now = stamp(&live.decided, read_at);
        match live.decided.decide(Command::Bid(bid.clone()), now) {
            Ok(event) => self.accept(event, bid, reply, place),
            Err(rejection) => self.reject(RejectedBid { bid, rejection, at: now }, reply, place),
        }
    }

    fn accept(&mut self, event: Event, bid: PlaceBid, reply: Reply, place: Place<'_>) {
        let Some(live) = &mut self.live else { return };
        let event = Arc::new(event);
        live.decided.apply(&event);
        let receipt = ReceiptTerms::of(self.id, &live.decided).receipt(event.seq, event.at, &bid);
        let answer = Answer { outcome: Ok(receipt), repeated: false };
        let head = live.decided.head().clone();
        let (answer, replies) = match self.shared.ack {
            Ack::Committed => (Some(answer), vec![reply]),
            Ack::Decided => {
                reply.send(Ok(answer.clone()));
                (Some(Answer { repeated: true, ..answer }), Vec::new())
            }
        };
        self.put(place, Content::Event(Arc::clone(&event), head), event.at);
        self.pending.push(Uncommitted { event: Some(event), bid: Some(bid), answer, replies });
    }

    /// A rejection that what is committed bears out goes out at once; one that hangs on an uncommitted
    /// event waits for it.
    fn reject(&mut self, rejected: RejectedBid, reply: Reply, place: Place<'_>) {
        let Some(live) = &self.live else { return };
        let at_once = if self.pending.len() < limits::REJECTIONS_QUEUED_MAX {
            honest_now(&live.committed, &rejected)
        } else {
            None
        };
        let answer = |rejection| Answer { outcome: Err(rejection), repeated: false };
        let bid = Some(rejected.bid.clone());
        let at = rejected.at;
        if let Some(rejection) = at_once {
            reply.send(Ok(answer(rejection.clone())));
            let told = Some(Answer { repeated: true, ..answer(rejection.clone()) });
            self.put(place, Content::Told(RejectedBid { rejection, ..rejected }), at);
            self.pending.push(Uncommitted { event: None, bid, answer: told, replies: Vec::new() });
        } else {
            let held = Some(answer(rejected.rejection.clone()));
            self.put(place, Content::Rejection(rejected), at);
            self.pending.push(Uncommitted { event: None, bid, answer: held, replies: vec![reply] });
        }
    }

    pub(super) fn put(&self, place: Place<'_>, content: Content, decided_at: Timestamp) {
        place.put(Entry {
            auction_id: self.id,
            epoch: self.term.epoch,
            incarnation: self.incarnation,
            content,
            decided_at,
            confirm: Arc::clone(&self.confirm),
        });
    }

    /// The same `bid_id` again: waits with the first if that one is not committed, else reads the answer back.
    fn answer_again(&mut self, bid: PlaceBid, reply: Reply) {
        let Some(live) = &self.live else { return };
        if let Some(uncommitted) = self.pending.find(bid.bid_id) {
            if !uncommitted.bid.as_ref().is_some_and(|earlier| same_bid(earlier, &bid)) {
                return reply.send(Err(BidError::BidIdReused));
            }
            return match &uncommitted.answer {
                // It was told already.
                Some(answer) if uncommitted.replies.is_empty() => reply.send(Ok(answer.clone())),
                Some(_) | None => uncommitted.replies.push(reply),
            };
        }
        let store = Arc::clone(&self.shared.store);
        let terms = ReceiptTerms::of(self.id, &live.committed);
        // Bounded by the permits that the reply holds.
        actix::spawn(async move { reply.send(earlier_answer(store, terms, bid).await) });
    }

    pub(super) fn confirmed(&mut self, incarnation: u64, entries: usize, fate: Fate, ctx: &mut Context<Self>) {
        if incarnation != self.incarnation {
            return;
        }
        match fate {
            Fate::Committed if self.term.holds(self.shared.clock.now()) => self.release(entries),
            Fate::Fenced => self.give_up(BidError::Moving, ctx),
            // Or written, but perhaps there is a later owner by now, and events of a later term went out.
            Fate::Committed | Fate::Failed => self.give_up(BidError::OutcomePending, ctx),
        }
        self.leave_when_done(ctx);
    }

    fn release(&mut self, entries: usize) {
        let Some(live) = &mut self.live else { return };
        let mut publications = Vec::new();
        for entry in self.pending.take(entries) {
            if let Some(event) = entry.event {
                live.committed.apply(&event);
                match event.kind {
                    EventKind::Bid(_) => {}
                    EventKind::Extended { ends_at } => {
                        self.shared.metrics.extended.increment(1);
                        self.shared.deadlines.add(ends_at, self.id);
                    }
                    EventKind::Closed { .. } => self.shared.metrics.closed.increment(1),
                }
                publications.push(Publication {
                    auction_id: self.id,
                    epoch: self.term.epoch,
                    event,
                    min_next: live.committed.min_next(),
                    ends_at: live.committed.ends_at(),
                });
            }
            answer_all(entry.replies, entry.answer);
        }
        if !publications.is_empty() {
            self.shared.bus.publish(publications.into());
        }
    }

    /// Nothing uncommitted is certain any more: everyone waiting is told so, and the state is read back.
    fn give_up(&mut self, error: BidError, ctx: &mut Context<Self>) {
        self.answer_uncommitted(error);
        self.close_not_before = self.shared.clock.now().plus(limits::CLOSE_RETRY);
        self.read_back(ctx);
    }

    fn answer_uncommitted(&mut self, error: BidError) {
        let all = self.pending.len();
        for entry in self.pending.take(all) {
            for reply in entry.replies {
                reply.send(Err(error));
            }
        }
    }

    /// Ends at once, telling nobody anything that may not hold.
    pub(super) fn retire(&mut self, ctx: &mut Context<Self>) {
        self.answer_uncommitted(BidError::OutcomePending);
        ctx.stop();
    }

    /// Ends as soon as all that was decided is written and told, and says so to `done`.
    pub(super) fn leave(&mut self, done: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        self.leaving = Some(done);
        self.leave_when_done(ctx);
    }

    fn leave_when_done(&mut self, ctx: &mut Context<Self>) {
        if self.pending.is_empty()
            && let Some(waiting) = self.leaving.take()
        {
            // Nobody waits for it any more: it was cut.
            let _gone = waiting.send(());
            ctx.stop();
        }
    }
}

/// The first is told the answer, later askers that it was given before.
fn answer_all(replies: Vec<Reply>, answer: Option<Answer>) {
    let Some(mut answer) = answer else { return };
    for reply in replies {
        reply.send(Ok(answer.clone()));
        answer.repeated = true;
    }
}

/// Above every earlier stamp, whatever the clock says.
pub(super) fn stamp(auction: &Auction, clock: Timestamp) -> Timestamp {
    clock.max(auction.head().last_at.plus(Span(1)))
}

/// The rejection as the committed state gives it, if that is for the same reason and nothing that may still
/// happen, not even a crash that forgets it, can turn it into an acceptance.
fn honest_now(committed: &Auction, rejected: &RejectedBid) -> Option<Rejection> {
    let rejection = committed.admit(&rejected.bid, rejected.at).err()?;
    let is_final = match rejection {
        Rejection::OwnAuction | Rejection::TooLow { .. } => true,
        Rejection::Closed { .. } => committed.head().outcome.is_some(),
        Rejection::NotStarted { .. } | Rejection::AlreadyLeading { .. } | Rejection::NotDue { .. } => false,
    };
    (is_final && rejection.same_reason(&rejected.rejection)).then_some(rejection)
}

impl Actor for AuctionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.read_back(ctx);
        self.sleep_when_idle(ctx);
    }
}
