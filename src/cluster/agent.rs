//! The keeper of this node's shards: one in each process of a cluster.
//!
//! Four tasks share it: `renewal` keeps this node alive in the eyes of the others, `rounds` looks and takes, `giving`
//! moves shards for balance, `probing` tries the ports of nodes that fell silent. It decides nothing about bids, and
//! whatever it gets wrong costs time only: the store's fence keeps two owners apart.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;

use super::meters::Meters;
use super::plan::{Me, View};
use super::watch::{Standing, Watch};
use super::{Directory, Home, Neighbour, Peers};
use crate::auction::Engine;
use crate::clock::Clock;
use crate::domain::{AuctionId, Epoch, Span, Timestamp};
use crate::limits;
use crate::store::StoreError;
use crate::store::ownership::{NodeState, Ownership, ShardId};

/// Everything an agent is built from.
pub struct AgentParts {
    pub ownership: Arc<dyn Ownership>,
    pub engine: Arc<Engine>,
    pub directory: Arc<Directory>,
    /// The engine's own: leases are told in its time.
    pub clock: Arc<Clock>,
    pub peers: Arc<dyn Peers>,
    /// This node's name, with which `ownership` was opened too.
    pub node: Arc<str>,
    /// Of this process, as `ownership` was opened.
    pub incarnation: i64,
    /// Where the other nodes reach this one: `host:port`, where it listens already.
    pub address: Arc<str>,
}

/// See the file's head.
pub struct Agent {
    pub(super) ownership: Arc<dyn Ownership>,
    pub(super) engine: Arc<Engine>,
    pub(super) directory: Arc<Directory>,
    pub(super) clock: Arc<Clock>,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) me: Me,
    pub(super) meters: Meters,
    /// Held over a look, so that views come in the order in which they were read.
    pub(super) watch: tokio::sync::Mutex<Watch>,
    /// Shards that are being given away, with the epoch they are held under, until the store says so.
    leaving: Mutex<HashMap<ShardId, Epoch>>,
    /// Bounded by [`limits::OFFERS_MAX`]; full → dropped.
    offers: mpsc::Sender<Vec<ShardId>>,
    /// Bounded by [`limits::PROBES_MAX`]; full → dropped.
    pub(super) probes: mpsc::Sender<Arc<str>>,
    pub(super) renew_now: Notify,
    pub(super) look_now: Notify,
    pub(super) draining: AtomicBool,
    /// This node's clock is too far from the store's.
    pub(super) clock_off: AtomicBool,
    /// A move for balance is under way.
    pub(super) moving: AtomicBool,
    /// When shards were gained last, in microseconds.
    pub(super) gained_at: AtomicI64,
    replaced: watch::Sender<bool>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    renewal: Option<AbortHandle>,
    others: Vec<AbortHandle>,
}

impl Agent {
    /// Enters this node, takes what is free for it, and keeps at it until [`Agent::drain`] or [`Agent::abandon`].
    ///
    /// Call it on a runtime that runs as long as the node does, when `address` is listening: others may knock at once.
    ///
    /// # Errors
    /// When the store does not answer; nothing runs then.
    pub async fn start(parts: AgentParts) -> Result<Arc<Self>, StoreError> {
        let AgentParts { ownership, engine, directory, clock, peers, node, incarnation, address } = parts;
        let (offers, offered) = mpsc::channel(limits::OFFERS_MAX);
        let (probes, suspects) = mpsc::channel(limits::PROBES_MAX);
        let agent = Arc::new(Self {
            ownership,
            engine,
            directory,
            clock,
            peers,
            me: Me { node, incarnation, address },
            meters: Meters::new(),
            watch: tokio::sync::Mutex::default(),
            leaving: Mutex::default(),
            offers,
            probes,
            renew_now: Notify::new(),
            look_now: Notify::new(),
            draining: AtomicBool::new(false),
            clock_off: AtomicBool::new(false),
            moving: AtomicBool::new(false),
            gained_at: AtomicI64::new(i64::MIN),
            replaced: watch::Sender::new(false),
            tasks: Mutex::default(),
        });
        within(limits::OWNERSHIP_CALL, agent.ownership.join(&agent.me.address)).await?;
        tracing::info!(node = %agent.me.node, incarnation, address = %agent.me.address, "joined the cluster");
        agent.renew().await?;
        if *agent.replaced.borrow() {
            return Ok(agent);
        }
        let mut tasks = agent.tasks();
        tasks.renewal = Some(tokio::spawn(Arc::clone(&agent).renewals()).abort_handle());
        tasks.others.push(tokio::spawn(Arc::clone(&agent).rounds(offered)).abort_handle());
        tasks.others.push(tokio::spawn(Arc::clone(&agent).probing(suspects)).abort_handle());
        drop(tasks);
        Ok(agent)
    }

    /// Another node says that these shards are free for this one, or that their owner is gone. Returns at once.
    pub fn offered(&self, shards: &[ShardId]) {
        // Full: the next look finds them.
        let _full = self.offers.try_send(shards.to_vec());
    }

    /// A connection to the node at `address` was refused. It is tried once more from here, and if it refuses again its
    /// shards are taken at once. Returns at once; call it as often as it happens.
    pub fn refused(&self, address: &str) {
        // Full: there is enough to try.
        let _full = self.probes.try_send(address.into());
    }

    /// Resolves when another process has joined under this node's name: this one has lost everything and must end.
    pub async fn replaced(&self) {
        let mut replaced = self.replaced.subscribe();
        // The sender lives as long as this.
        let _known = replaced.wait_for(|replaced| *replaced).await;
    }

    /// Stops at once and tells nobody: nothing is renewed, taken or given any more, and the lease runs out. Others
    /// take over what this node held when they miss it.
    pub fn abandon(&self) {
        self.stop_renewing();
        for task in self.tasks().others.drain(..) {
            task.abort();
        }
    }

    /// Loses everything for ever.
    pub(super) fn be_replaced(&self) {
        tracing::error!(node = %self.me.node, "another process has this node's name: giving everything up");
        self.abandon();
        let held: Vec<ShardId> = self.engine.tenure().held().into_iter().map(|(shard, _)| shard).collect();
        self.lose(&held);
        self.replaced.send_replace(true);
    }

    pub(super) fn stop_renewing(&self) {
        if let Some(task) = self.tasks().renewal.take() {
            task.abort();
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leaving(&self) -> MutexGuard<'_, HashMap<ShardId, Epoch>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this node says about itself: with its clock off, that others had better have the shards.
    pub(super) fn state(&self) -> NodeState {
        if self.draining.load(Ordering::Acquire) || self.clock_off.load(Ordering::Acquire) {
            NodeState::Draining
        } else {
            NodeState::Up
        }
    }

    /// What the engine decides for and is not giving away.
    pub(super) fn staying(&self) -> Vec<(ShardId, Epoch)> {
        let leaving: HashSet<ShardId> = self.leaving().keys().copied().collect();
        self.engine.tenure().held().into_iter().filter(|(shard, _)| !leaving.contains(shard)).collect()
    }

    /// Reads nodes and shards, judges who lives, brings the directory up to date and loses what is lost.
    pub(super) async fn look(&self) -> Result<View, StoreError> {
        let mut watch = self.watch.lock().await;
        let asked = self.clock.now();
        let (nodes, shards) =
            within(limits::OWNERSHIP_CALL, async { tokio::try_join!(self.ownership.nodes(), self.ownership.shards()) })
                .await?;
        let at = self.clock.now();
        let mut nodes = watch.look(&nodes, (asked, at));
        for own in nodes.iter_mut().filter(|node| node.incarnation == self.me.incarnation) {
            if own.node == self.me.node {
                *own = self.own_standing();
            }
        }
        self.meters.alive(nodes.iter().filter(|node| node.alive).count());
        let view = View { me: self.me.clone(), nodes, shards, at };
        let mine: HashSet<(ShardId, Epoch)> = view.mine().collect();
        self.leaving().retain(|shard, epoch| mine.contains(&(*shard, *epoch)));
        let held = self.engine.tenure().held();
        self.lose(&view.lost(&held));
        self.directory.replace(self.homes(&view, &held));
        Ok(view)
    }

    /// Where each shard is decided. What was taken while the view was read is known better here.
    fn homes(&self, view: &View, held: &[(ShardId, Epoch)]) -> Vec<Option<Home>> {
        let mut homes = view.homes();
        let taken: HashMap<ShardId, Epoch> = held.iter().copied().collect();
        for (row, home) in view.shards.iter().zip(&mut homes) {
            if let Some(epoch) = taken.get(&row.id).filter(|epoch| **epoch > row.epoch) {
                *home = Some(self.home(*epoch));
            }
        }
        homes
    }

    fn own_standing(&self) -> Standing {
        Standing {
            node: Arc::clone(&self.me.node),
            incarnation: self.me.incarnation,
            address: Arc::clone(&self.me.address),
            state: self.state(),
            alive: true,
            fit: true,
            suspect: false,
            silent: Span(0),
        }
    }

    /// Decides for these shards no more, from this instant.
    pub(super) fn lose(&self, shards: &[ShardId]) {
        if shards.is_empty() {
            return;
        }
        self.engine.lose(shards);
        self.meters.lost.increment(u64::try_from(shards.len()).unwrap_or(u64::MAX));
        self.count_owned();
        tracing::warn!(shards = shards.len(), "lost shards");
    }

    /// Decides for these shards from now on: they were just taken in the store.
    pub(super) fn gain(&self, taken: &[(ShardId, Epoch)]) {
        if taken.is_empty() {
            return;
        }
        self.engine.gain(taken);
        self.gained_at.fetch_max(self.clock.now().0, Ordering::AcqRel);
        for (shard, epoch) in taken {
            self.directory.learn(*shard, self.home(*epoch));
        }
        self.meters.taken.increment(u64::try_from(taken.len()).unwrap_or(u64::MAX));
        self.count_owned();
        tracing::info!(shards = taken.len(), owned = self.engine.tenure().held().len(), "took shards");
    }

    fn home(&self, epoch: Epoch) -> Home {
        Home {
            node: Arc::clone(&self.me.node),
            incarnation: self.me.incarnation,
            address: Arc::clone(&self.me.address),
            epoch,
        }
    }

    /// Shows how many shards this node decides: none once its lease is over.
    pub(super) fn count_owned(&self) {
        self.meters.owned(if self.engine.is_leased() { self.engine.tenure().held().len() } else { 0 });
    }

    /// The instant that is `span` from now.
    pub(super) fn after(&self, span: Span) -> Timestamp {
        self.clock.now().plus(span)
    }
}

impl Neighbour for Agent {
    fn offered(&self, shards: Vec<ShardId>) {
        Self::offered(self, &shards);
    }

    fn auction_created(&self, id: AuctionId, ends_at: Timestamp) {
        self.engine.auction_created(id, ends_at);
    }
}

/// `call`, or an error when it takes longer than `span`. What it did by then may have happened.
pub(super) async fn within<T>(span: Span, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(span.into(), call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::OutcomeUnknown("the store takes too long".to_owned())),
    }
}
