//! The auctions of this node: found, started on first use, put to sleep, stopped.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::{Actor, Arbiter, ArbiterHandle};

use super::actor::{AuctionActor, Shared};
use super::deadlines::Deadlines;
use super::handle::{Entry, Gate, Handle};
use super::mailbox::{Bid, CloseIfDue, HandOver, Retire, reply};
use super::metrics::Metrics;
use super::postbox::post;
use super::tenure::{Tenure, Term};
use super::{Answer, BidError};
use crate::bus::Bus;
use crate::clock::{Clock, Stopwatch};
use crate::domain::{AuctionId, Epoch, PlaceBid, Timestamp};
use crate::limits;
use crate::settings::Ack;
use crate::store::outage::Outages;
use crate::store::ownership::ShardId;
use crate::store::{Store, StoreError, write_behind};

/// Everything an engine is built from.
pub struct EngineParts {
    pub store: Arc<dyn Store>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<Clock>,
    pub ack: Ack,
    /// What this node decides for, now and later.
    pub tenure: Tenure,
}

/// The auctions of this node.
pub struct Engine {
    shared: Arc<Shared>,
    tenure: Arc<Tenure>,
    awake: Awake,
    node_gate: Arc<Gate>,
    deadlines: Arc<Deadlines>,
    arbiter: ArbiterHandle,
    stopping: AtomicBool,
}

/// The auctions that have an actor.
pub(super) type Awake = Arc<RwLock<HashMap<AuctionId, Arc<Handle>>>>;

/// Where an actor says that it is going to sleep.
pub(super) struct Sleepers(Awake);

impl Sleepers {
    pub(super) fn fell_asleep(&self, id: AuctionId, gate: &Arc<Gate>) {
        forget(&self.0, id, gate);
    }
}

fn forget(awake: &Awake, id: AuctionId, gate: &Arc<Gate>) {
    let mut awake = awake.write().unwrap_or_else(PoisonError::into_inner);
    if let MapEntry::Occupied(entry) = awake.entry(id)
        && Arc::ptr_eq(&entry.get().gate, gate)
    {
        entry.remove();
    }
}

impl Engine {
    /// Starts the committer, the watch over closing instants and the thread on which auctions run.
    ///
    /// # Errors
    /// When the closing instants cannot be read.
    pub async fn start(parts: EngineParts) -> Result<Arc<Self>, StoreError> {
        let EngineParts { store, bus, clock, ack, tenure } = parts;
        let tenure = Arc::new(tenure);
        let outages = Arc::new(Outages::default());
        let (outbox, committer) = write_behind::committer(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&outages));
        let deadlines = Arc::new(Deadlines::new(Arc::clone(&tenure), Arc::clone(&clock)));
        let awake = Awake::default();
        let arbiter = Arbiter::new().handle();
        if let Some(committer) = store.host(Box::pin(committer.run())) {
            arbiter.spawn(committer);
        }
        let shared = Shared {
            store: Arc::clone(&store),
            bus,
            clock,
            outbox,
            ack,
            metrics: Metrics::new(),
            sleepers: Sleepers(Arc::clone(&awake)),
            deadlines: Arc::clone(&deadlines),
            outages,
            incarnations: AtomicU64::new(0),
        };
        let engine = Arc::new(Self {
            shared: Arc::new(shared),
            tenure,
            awake,
            node_gate: Gate::new(limits::BIDS_IN_FLIGHT_PER_NODE),
            deadlines,
            arbiter: arbiter.clone(),
            stopping: AtomicBool::new(false),
        });
        engine.deadlines.refill(store.as_ref()).await?;
        let watched = Arc::clone(&engine);
        let deadlines = Arc::clone(&engine.deadlines);
        arbiter.spawn_fn(move || {
            actix::spawn(Arc::clone(&watched).watch_commits());
            actix::spawn(Arc::clone(&watched).watch_outages());
            actix::spawn(deadlines.watch(store, async move |id| watched.wake(id).await));
        });
        Ok(engine)
    }

    /// Places a bid and waits for its answer.
    ///
    /// # Errors
    /// [`BidError`] when there is no answer; sending the same `bid_id` again is always safe.
    ///
    /// # Panics
    /// Outside of tokio.
    pub async fn place_bid(&self, auction_id: AuctionId, bid: PlaceBid) -> Result<Answer, BidError> {
        let stopwatch = Stopwatch::start();
        let answer = self.place(auction_id, bid).await;
        self.shared.metrics.count(&answer);
        self.shared.metrics.ack_seconds.record(stopwatch.elapsed());
        answer
    }

    async fn place(&self, auction_id: AuctionId, bid: PlaceBid) -> Result<Answer, BidError> {
        let read_at = self.shared.clock.now();
        if self.stopping.load(Ordering::Acquire) {
            return Err(BidError::Moving);
        }
        let Entry::In(node_permit) = self.node_gate.enter() else { return Err(BidError::Overloaded) };
        for _ in 0..limits::STARTS_PER_BID {
            let handle = self.find_or_start(auction_id).await?;
            if !handle.term.admits(read_at) {
                return Err(BidError::Moving);
            }
            match handle.gate.enter() {
                Entry::Full => return Err(BidError::Overloaded),
                Entry::Shut => forget(&self.awake, auction_id, &handle.gate),
                Entry::In(permit) => {
                    let (reply, answer) = reply(permit, node_permit);
                    post(handle, Bid { placed: bid, read_at, reply });
                    return match actix::clock::timeout(limits::ANSWER_WITHIN.into(), answer).await {
                        Ok(Ok(answer)) => answer,
                        Ok(Err(_)) | Err(_) => Err(BidError::OutcomePending),
                    };
                }
            }
        }
        Err(BidError::Moving)
    }

    /// Lets the engine know of an auction that was just stored, so that it closes in time.
    pub fn auction_created(&self, id: AuctionId, ends_at: Timestamp) {
        self.deadlines.add(ends_at, id);
    }

    /// Starts the auction if it sleeps and is this node's. Returns `false` to be called again later.
    async fn wake(&self, id: AuctionId) -> bool {
        if self.tenure.term_of(id).is_none() {
            return true;
        }
        match self.find_or_start(id).await {
            Ok(_) | Err(BidError::NotFound) => true,
            Err(_) => self.stopping.load(Ordering::Acquire),
        }
    }

    /// Notices a commit that takes long while it is under way, for ever.
    async fn watch_commits(self: Arc<Self>) {
        while !self.stopping.load(Ordering::Acquire) {
            actix::clock::sleep(limits::OUTAGE_PROBE.into()).await;
            self.shared.outages.look(self.shared.clock.now());
        }
    }

    /// Has every auction extended that an outage kept bidders from while it was about to end, for ever.
    async fn watch_outages(self: Arc<Self>) {
        while !self.stopping.load(Ordering::Acquire) {
            let about_to_end = self.shared.clock.now().plus(limits::CLOSING_WINDOW);
            if self.deadlines.is_any_before(about_to_end) {
                self.shared.probe().await;
            }
            // A failed commit of anyone's shows one as well.
            let _quiet = actix::clock::timeout(limits::OUTAGE_LOOK.into(), self.shared.outages.begun()).await;
            if !self.shared.outages.is_open() {
                continue;
            }
            tracing::warn!("the store takes no commits");
            while self.shared.outages.is_open() && !self.stopping.load(Ordering::Acquire) {
                actix::clock::sleep(limits::OUTAGE_PROBE.into()).await;
                self.shared.probe().await;
            }
            if let Some(outage) = self.shared.outages.over().pop() {
                tracing::info!(duration_ms = outage.length().0 / 1_000, "the store takes commits again");
                for id in self.deadlines.before(outage.until.plus(limits::CLOSING_WINDOW)) {
                    self.remind(id).await;
                }
            }
        }
    }

    /// Has the auction look whether it is to be extended. Where that fails it looks when it wakes.
    async fn remind(&self, id: AuctionId) {
        if self.tenure.term_of(id).is_some()
            && let Ok(handle) = self.find_or_start(id).await
        {
            #[allow(clippy::disallowed_methods, reason = "bounded: once for each auction and outage")]
            handle.addr.do_send(CloseIfDue);
        }
    }

    async fn find_or_start(&self, id: AuctionId) -> Result<Arc<Handle>, BidError> {
        let found = self.awake.read().unwrap_or_else(PoisonError::into_inner).get(&id).map(Arc::clone);
        match found {
            Some(handle) if handle.addr.connected() => return Ok(handle),
            // Its actor died of a fault of ours; the auction must go on.
            Some(dead) => forget(&self.awake, id, &dead.gate),
            None => {}
        }
        let now = self.shared.clock.now();
        let term = self.tenure.term_of(id).filter(|term| term.admits(now)).ok_or(BidError::Moving)?;
        // An id that does not exist must not start an actor. The state itself is read by the actor, once it
        // is the only one.
        match self.shared.store.auction(id).await {
            Ok(Some(_)) => self.start_auction(id, term),
            Ok(None) => Err(BidError::NotFound),
            Err(error) => {
                tracing::warn!(%error, auction.id = id.0, "an auction could not be looked up");
                Err(BidError::OutcomePending)
            }
        }
    }

    fn start_auction(&self, id: AuctionId, term: Arc<Term>) -> Result<Arc<Handle>, BidError> {
        let mut awake = self.awake.write().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock: a term that ends later takes the auction out again.
        if !term.admits(self.shared.clock.now()) {
            return Err(BidError::Moving);
        }
        let count = awake.len();
        match awake.entry(id) {
            MapEntry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            MapEntry::Vacant(_) if count >= limits::AUCTIONS_AWAKE_MAX => Err(BidError::Overloaded),
            MapEntry::Vacant(entry) => {
                let gate = Gate::new(limits::BIDS_IN_FLIGHT_PER_AUCTION);
                let (shared, inside, under) = (Arc::clone(&self.shared), Arc::clone(&gate), Arc::clone(&term));
                let addr = AuctionActor::start_in_arbiter(&self.arbiter, move |ctx| {
                    AuctionActor::new(id, (shared, under), inside, ctx)
                });
                Ok(Arc::clone(entry.insert(Arc::new(Handle { gate, addr, term }))))
            }
        }
    }

    /// What this node decides for.
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Whether this node decides for the auction now.
    #[must_use]
    pub fn decides_for(&self, id: AuctionId) -> bool {
        self.tenure.term_of(id).is_some_and(|term| term.admits(self.shared.clock.now()))
    }

    /// Decides for these shards from now on: they were just taken in the store.
    pub fn gain(&self, taken: &[(ShardId, Epoch)]) {
        self.lose(&taken.iter().map(|(shard, _)| *shard).collect::<Vec<_>>());
        self.tenure.begin(taken);
        self.deadlines.read_again();
    }

    /// Stops deciding for these shards at once. Bids under way are told [`BidError::OutcomePending`]; nothing of the
    /// ended terms is told any more, though it may have been written.
    pub fn lose(&self, shards: &[ShardId]) {
        self.tenure.end(shards);
        for handle in self.take_awake(shards) {
            #[allow(clippy::disallowed_methods, reason = "bounded: once in an actor's life")]
            handle.addr.do_send(Retire);
        }
    }

    /// Stops admitting bids for these shards and waits, at most `within`, until all that was decided is written and
    /// told; what is not by then is cut as by [`Engine::lose`]. Afterwards the shards may be released in the store.
    pub async fn hand_over(&self, shards: &[ShardId], within: Duration) {
        self.tenure.begin_end(shards);
        let leaving = self.take_awake(shards);
        #[allow(clippy::disallowed_methods, reason = "bounded: once in an actor's life")]
        let finished = leaving.iter().map(|handle| handle.addr.send(HandOver));
        let all = futures_util::future::join_all(finished);
        if actix::clock::timeout(within, all).await.is_err() {
            tracing::warn!(shards = shards.len(), "handed over before every bid was written");
            for handle in leaving {
                #[allow(clippy::disallowed_methods, reason = "bounded: once in an actor's life")]
                handle.addr.do_send(Retire);
            }
        }
        self.lose(shards);
    }

    /// Answers are final until `until`, on the node's clock.
    pub fn extend_lease(&self, until: Timestamp) {
        self.tenure.extend_lease(until);
    }

    /// Whether answers are final now: this node is in touch with the store.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.tenure.is_leased(self.shared.clock.now())
    }

    /// The shards of auctions that close before `by`, as far as they are known: no good time to move them.
    #[must_use]
    pub fn closing_before(&self, by: Timestamp) -> HashSet<ShardId> {
        self.deadlines.before(by).into_iter().map(|id| self.tenure.shard_of(id)).collect()
    }

    /// Takes the auctions of these shards out of those that are awake.
    fn take_awake(&self, shards: &[ShardId]) -> Vec<Arc<Handle>> {
        let shards: HashSet<ShardId> = shards.iter().copied().collect();
        let mut awake = self.awake.write().unwrap_or_else(PoisonError::into_inner);
        awake.extract_if(|id, _| shards.contains(&self.tenure.shard_of(*id))).map(|(_, handle)| handle).collect()
    }

    /// Sets the gauges of what is awake and in flight.
    #[allow(clippy::cast_precision_loss, reason = "counts of actors and bids fit a float")]
    pub fn observe(&self) {
        let awake = self.awake.read().unwrap_or_else(PoisonError::into_inner).len();
        self.shared.metrics.awake.set(awake as f64);
        self.shared.metrics.in_flight.set(self.node_gate.in_flight() as f64);
    }

    /// Stops admitting and waits, at most `within`, until every bid in flight has its answer and every
    /// decision is written.
    pub async fn stop(&self, within: Duration) {
        self.stopping.store(true, Ordering::Release);
        let stopwatch = Stopwatch::start();
        while (self.node_gate.in_flight() > 0 || !self.shared.outbox.is_done()) && stopwatch.elapsed() < within {
            actix::clock::sleep(Duration::from_millis(5)).await;
        }
        let unanswered = self.node_gate.in_flight();
        if unanswered > 0 {
            tracing::warn!(unanswered, "stopped with bids unanswered");
        }
    }
}
