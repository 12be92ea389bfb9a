//! The auctions of this node: found, started on first use, put to sleep, stopped.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::{Actor, Arbiter, ArbiterHandle};

use super::actor::{AuctionActor, Bid, Shared, reply};
use super::deadlines::Deadlines;
use super::handle::{Entry, Gate, Handle};
use super::metrics::Metrics;
use super::{Answer, BidError};
use crate::bus::Bus;
use crate::clock::{Clock, Stopwatch};
use crate::domain::{AuctionId, Epoch, PlaceBid};
use crate::limits;
use crate::settings::Ack;
use crate::store::{Store, StoreError, StoredAuction, write_behind};

/// Everything an engine is built from.
pub struct EngineParts {
    pub store: Arc<dyn Store>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<Clock>,
    pub ack: Ack,
    /// From [`crate::store::Ledger::take_over`].
    pub epoch: Epoch,
}

/// The auctions of this node.
pub struct Engine {
    shared: Arc<Shared>,
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
        let EngineParts { store, bus, clock, ack, epoch } = parts;
        let (outbox, committer) = write_behind::committer(Arc::clone(&store), Arc::clone(&clock));
        let awake = Awake::default();
        let arbiter = Arbiter::new().handle();
        arbiter.spawn(committer.run());
        let shared = Shared {
            store: Arc::clone(&store),
            bus,
            clock: Arc::clone(&clock),
            outbox,
            ack,
            epoch,
            metrics: Metrics::new(),
            sleepers: Sleepers(Arc::clone(&awake)),
            incarnations: AtomicU64::new(0),
        };
        let engine = Arc::new(Self {
            shared: Arc::new(shared),
            awake,
            node_gate: Gate::new(limits::BIDS_IN_FLIGHT_PER_NODE),
            deadlines: Arc::default(),
            arbiter: arbiter.clone(),
            stopping: AtomicBool::new(false),
        });
        engine.deadlines.refill(store.as_ref(), true).await?;
        let watched = Arc::clone(&engine);
        let deadlines = Arc::clone(&engine.deadlines);
        arbiter.spawn_fn(move || {
            actix::spawn(deadlines.watch(store, clock, async move |id| watched.wake(id).await));
        });
        Ok(engine)
    }

    /// Places a bid and waits for its answer.
    ///
    /// # Errors
    /// [`BidError`] when there is no answer; sending the same `bid_id` again is always safe.
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
        loop {
            let handle = self.find_or_start(auction_id).await?;
            match handle.gate.enter() {
                Entry::Full => return Err(BidError::Overloaded),
                Entry::Shut => forget(&self.awake, auction_id, &handle.gate),
                Entry::In(permit) => {
                    let (reply, answer) = reply(permit, node_permit);
                    #[allow(clippy::disallowed_methods, reason = "bounded by the permits in the reply")]
                    handle.addr.do_send(Bid { placed: bid, read_at, reply });
                    let within = Duration::from_micros(limits::ANSWER_WITHIN.0.unsigned_abs());
                    return match actix::clock::timeout(within, answer).await {
                        Ok(Ok(answer)) => answer,
                        Ok(Err(_)) | Err(_) => Err(BidError::OutcomePending),
                    };
                }
            }
        }
    }

    /// Lets the engine know of an auction that was just stored, so that it closes in time.
    pub fn auction_created(&self, auction: &StoredAuction) {
        self.deadlines.add(auction.terms.ends_at, auction.id);
    }

    /// Starts the auction if it sleeps. Returns `false` to be called again later.
    async fn wake(&self, id: AuctionId) -> bool {
        match self.find_or_start(id).await {
            Ok(_) | Err(BidError::NotFound) => true,
            Err(_) => self.stopping.load(Ordering::Acquire),
        }
    }

    async fn find_or_start(&self, id: AuctionId) -> Result<Arc<Handle>, BidError> {
        let found = self.awake.read().unwrap_or_else(PoisonError::into_inner).get(&id).map(Arc::clone);
        if let Some(handle) = found {
            return Ok(handle);
        }
        // An id that does not exist must not start an actor. The state itself is read by the actor, once it
        // is the only one.
        match self.shared.store.auction(id).await {
            Ok(Some(_)) => self.start_auction(id),
            Ok(None) => Err(BidError::NotFound),
            Err(error) => {
                tracing::warn!(%error, auction.id = id.0, "an auction could not be looked up");
                Err(BidError::OutcomePending)
            }
        }
    }

    fn start_auction(&self, id: AuctionId) -> Result<Arc<Handle>, BidError> {
        let mut awake = self.awake.write().unwrap_or_else(PoisonError::into_inner);
        let count = awake.len();
        match awake.entry(id) {
            MapEntry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            MapEntry::Vacant(_) if count >= limits::AUCTIONS_AWAKE_MAX => Err(BidError::Overloaded),
            MapEntry::Vacant(entry) => {
                let gate = Gate::new(limits::BIDS_IN_FLIGHT_PER_AUCTION);
                let (shared, inside) = (Arc::clone(&self.shared), Arc::clone(&gate));
                let addr = AuctionActor::start_in_arbiter(&self.arbiter, move |ctx| {
                    AuctionActor::new(id, shared, inside, ctx)
                });
                Ok(Arc::clone(entry.insert(Arc::new(Handle { gate, addr }))))
            }
        }
    }

    /// Sets the gauges of what is awake and in flight.
    #[allow(clippy::cast_precision_loss, reason = "counts of actors and bids fit a float")]
    pub fn observe(&self) {
        let awake = self.awake.read().unwrap_or_else(PoisonError::into_inner).len();
        self.shared.metrics.awake.set(awake as f64);
        self.shared.metrics.in_flight.set(self.node_gate.in_flight() as f64);
    }

    /// Stops admitting and waits, at most `within`, until every bid in flight has its answer.
    pub async fn stop(&self, within: Duration) {
        self.stopping.store(true, Ordering::Release);
        let stopwatch = Stopwatch::start();
        while self.node_gate.in_flight() > 0 && stopwatch.elapsed() < within {
            actix::clock::sleep(Duration::from_millis(5)).await;
        }
        let unanswered = self.node_gate.in_flight();
        if unanswered > 0 {
            tracing::warn!(unanswered, "stopped with bids unanswered");
        }
    }
}
