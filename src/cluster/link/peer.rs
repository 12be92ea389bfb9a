//! One other node: a connection that is kept open, and the bids in flight on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Client;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::pending::{Received, Waiter};
use super::stream::{self, Fault, Order};
use crate::clock::Stopwatch;
use crate::cluster::directory::Directory;
use crate::cluster::metrics::PeerMetrics;
use crate::cluster::token::Token;
use crate::limits;
use crate::protocol::link::ForwardedBid;

/// Why a forwarded bid has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) enum LinkError {
    /// Too many bids are in flight to this peer; it was not sent.
    Full,
    /// There is no connection; it was not sent.
    Unreachable {
        /// Nobody listens there: the process is gone, and no way round leads to it.
        refused: bool,
    },
    /// The connection broke after it may have been sent.
    Lost,
}

#[derive(Debug)]
enum State {
    /// For the first time, or again at once after a break: it will be known in a moment.
    Connecting,
    Up {
        orders: mpsc::Sender<Order>,
        client: Client,
    },
    /// Tried again and again, with pauses.
    Down {
        refused: bool,
    },
}

/// See the file's head. Its connection ends with it.
pub(super) struct Peer {
    pub(super) address: Arc<str>,
    state: watch::Receiver<State>,
    permits: Arc<Semaphore>,
    used: AtomicBool,
    keeping: AbortHandle,
}

impl Peer {
    /// Begins to connect, on the link's runtime.
    pub(super) fn start(address: Arc<str>, token: Token, directory: Arc<Directory>, runtime: &Handle) -> Arc<Self> {
        let (told, state) = watch::channel(State::Connecting);
        let permits = Arc::new(Semaphore::new(limits::LINK_BIDS_IN_FLIGHT_PER_PEER));
        let metrics = PeerMetrics::new(&address);
        let keeper = Keeper {
            address: Arc::clone(&address),
            token,
            directory,
            state: told,
            permits: Arc::clone(&permits),
            metrics,
            silent: false,
        };
        let keeping = runtime.spawn(keeper.keep()).abort_handle();
        Arc::new(Self { address, state, permits, used: AtomicBool::new(true), keeping })
    }

    /// Sends a bid and waits for what becomes of it.
    pub(super) async fn place(&self, bid: ForwardedBid) -> Result<Received, LinkError> {
        self.used.store(true, Ordering::Relaxed);
        let permit = Arc::clone(&self.permits).try_acquire_owned().or(Err(LinkError::Full))?;
        self.settled().await;
        let (reply, received) = oneshot::channel();
        self.send(Order::Bid(bid, Waiter { reply, permit }))?;
        received.await.or(Err(LinkError::Lost))
    }

    fn send(&self, order: Order) -> Result<(), LinkError> {
        match &*self.state.borrow() {
            State::Up { orders, .. } => orders.try_send(order).or(Err(LinkError::Unreachable { refused: false })),
            State::Down { refused } => Err(LinkError::Unreachable { refused: *refused }),
            State::Connecting => Err(LinkError::Unreachable { refused: false }),
        }
    }

    /// Waits until it is known whether there is a connection.
    async fn settled(&self) {
        if matches!(&*self.state.borrow(), State::Connecting) {
            let mut state = self.state.clone();
            let known = state.wait_for(|state| !matches!(state, State::Connecting));
            // Past the time it counts as unreachable, as it does when the keeper is gone.
            let _unknown = tokio::time::timeout(limits::LINK_CONNECT.into(), known).await.is_err();
        }
    }

    /// The connection for small requests, if there is one.
    pub(super) async fn client(&self) -> Option<Client> {
        self.used.store(true, Ordering::Relaxed);
        self.settled().await;
        let state = self.state.borrow();
        if let State::Up { client, .. } = &*state { Some(client.clone()) } else { None }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up { .. })
    }

    /// Whether anything was sent since the last call.
    pub(super) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

/// Keeps the connection.
struct Keeper {
    address: Arc<str>,
    token: Token,
    directory: Arc<Directory>,
    state: watch::Sender<State>,
    permits: Arc<Semaphore>,
    metrics: PeerMetrics,
    /// The present failure was logged.
    silent: bool,
}

impl Keeper {
    async fn keep(mut self) {
        let mut pause = Duration::from(limits::LINK_RECONNECT_MIN);
        loop {
            let stopwatch = Stopwatch::start();
            let (fault, was_up) = self.connect_once().await;
            let steady = was_up && stopwatch.elapsed() > Duration::from(limits::LINK_CONNECT);
            self.note(&fault, was_up);
            if steady {
                pause = limits::LINK_RECONNECT_MIN.into();
            }
            if steady && !matches!(fault, Fault::Silent) {
                self.state.send_replace(State::Connecting);
                continue;
            }
            self.state.send_replace(State::Down { refused: matches!(fault, Fault::Refused) });
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(limits::LINK_RECONNECT_MAX.into());
        }
    }

    /// Connects and serves until it breaks. Returns why, and whether it had been connected.
    async fn connect_once(&mut self) -> (Fault, bool) {
        let client = match stream::client() {
            Ok(client) => client,
            Err(error) => return (error.into(), false),
        };
        let opening = stream::open(&client, &self.address, &self.token);
        let inbound = match tokio::time::timeout(limits::LINK_CONNECT.into(), opening).await {
            Ok(Ok(inbound)) => inbound,
            Ok(Err(fault)) => return (fault, false),
            Err(_) => return (Fault::Late, false),
        };
        tracing::info!(peer = %self.address, "linked");
        self.silent = false;
        self.state.send_replace(State::Up { orders: inbound.orders(), client });
        let (permits, in_flight) = (&self.permits, &self.metrics.in_flight);
        let count = || {
            let bids = limits::LINK_BIDS_IN_FLIGHT_PER_PEER.saturating_sub(permits.available_permits());
            in_flight.set(u32::try_from(bids).map_or(f64::MAX, f64::from));
        };
        (inbound.run(count).await, true)
    }

    /// Counts and logs what happened, once for each outage.
    fn note(&mut self, fault: &Fault, was_up: bool) {
        if was_up {
            self.metrics.broken.increment(1);
        } else {
            self.metrics.failed.increment(1);
        }
        if matches!(fault, Fault::Refused) {
            self.directory.suspect(&self.address);
        }
        if !std::mem::replace(&mut self.silent, true) {
            tracing::warn!(peer = %self.address, error = %fault, "not linked; trying again");
        }
    }
}
