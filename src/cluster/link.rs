//! The node link: one connection to each other node, kept open, on which bids go to their owners.
//!
//! It runs on a thread of its own, so that nothing else of this node delays it. It knows where a bid is to go and
//! decides nothing; what a broken connection leaves open it tells, and never sends a bid twice by itself.

mod notices;
mod peer;
mod pending;
mod stream;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Serialize;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

use super::Peers;
use super::directory::Directory;
use super::metrics::Metrics;
use super::token::Token;
use crate::clock::Stopwatch;
use crate::domain::{AuctionId, Timestamp};
use crate::limits;
use crate::protocol::link::{ForwardedBid, Offer, Reply};
use crate::settings::Secret;
use crate::store::ownership::ShardId;
use notices::Notice;
pub(super) use peer::LinkError;
use peer::Peer;

/// See the file's head. Everything on it ends when it is dropped.
pub struct Link {
    shared: Arc<Shared>,
    notices: mpsc::Sender<Notice>,
    /// Ends the thread when dropped.
    _alive: oneshot::Sender<()>,
}

struct Shared {
    own_address: Arc<str>,
    token: Token,
    directory: Arc<Directory>,
    metrics: Metrics,
    runtime: Handle,
    peers: RwLock<HashMap<Arc<str>, Arc<Peer>>>,
}

impl Link {
    /// Starts the link of the node that others reach at `own_address`, in a cluster with this `secret`, and connects to every home in the directory,
    /// now and as it changes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(own_address: Arc<str>, secret: &Secret, directory: Arc<Directory>) -> io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (alive, ended) = oneshot::channel::<()>();
        let shared = Arc::new(Shared {
            own_address,
            token: Token::of(secret),
            directory,
            metrics: Metrics::new(),
            runtime: runtime.handle().clone(),
            peers: RwLock::default(),
        });
        let (notices, waiting) = mpsc::channel(limits::CREATED_NOTICES_MAX);
        runtime.spawn(keep_up(Arc::clone(&shared)));
        runtime.spawn(notices::send_all(Arc::clone(&shared), waiting));
        let thread = std::thread::Builder::new().name("gavel-link".to_owned());
        thread.spawn(move || runtime.block_on(ended))?;
        Ok(Arc::new(Self { shared, notices, _alive: alive }))
    }

    /// Whether the address is this node's own.
    pub(super) fn is_own(&self, address: &str) -> bool {
        *self.shared.own_address == *address
    }

    pub(super) fn own_address(&self) -> &str {
        &self.shared.own_address
    }

    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.shared.directory
    }

    pub(super) fn token(&self) -> &Token {
        &self.shared.token
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Sends a bid to the node at `address` and waits for what becomes of it.
    pub(super) async fn place(&self, address: &str, bid: ForwardedBid) -> Result<Reply, LinkError> {
        let Some(peer) = self.shared.peer(address) else { return Err(LinkError::Unreachable { refused: false }) };
        self.send(&peer, bid).await
    }

    /// Sends a bid to some node other than the one at `address`, for it to pass on there.
    pub(super) async fn relay(&self, address: &str, bid: ForwardedBid) -> Result<Reply, LinkError> {
        let unreachable = LinkError::Unreachable { refused: false };
        let third = self.shared.third(address, bid.auction_id).ok_or(unreachable)?;
        self.shared.metrics.relayed.increment(1);
        self.send(&third, ForwardedBid { hops_left: 1, ..bid }).await
    }

    async fn send(&self, peer: &Peer, bid: ForwardedBid) -> Result<Reply, LinkError> {
        let stopwatch = Stopwatch::start();
        let (reply, took_us) = peer.place(bid).await?;
        self.shared.metrics.forwarded.increment(1);
        let owners = std::time::Duration::from_micros(u64::from(took_us));
        self.shared.metrics.hop_seconds.record(stopwatch.elapsed().saturating_sub(owners));
        Ok(reply)
    }

    /// Lets the shard's owner know of an auction that was just stored. Best effort.
    pub(super) fn created(&self, shard: ShardId, id: AuctionId, ends_at: Timestamp) {
        if self.notices.try_send(Notice { shard, id, ends_at }).is_err() {
            self.shared.metrics.notices_dropped.increment(1);
        }
    }
}

#[async_trait]
impl Peers for Link {
    async fn offer(&self, address: &str, shards: &[ShardId]) {
        let shared = Arc::clone(&self.shared);
        let (to, offer) = (address.to_owned(), Offer { shards: shards.iter().map(|shard| shard.0).collect() });
        // On the link's own thread, where the connection lives.
        let told = self.shared.runtime.spawn(async move { shared.tell(&to, "offer", &offer).await });
        if !told.await.unwrap_or(false) {
            tracing::debug!(peer = address, shards = shards.len(), "an offer did not arrive");
        }
    }
}

impl Shared {
    /// The peer at `address`, to which a connection is begun if there is none. `None` when there are too many.
    fn peer(&self, address: &str) -> Option<Arc<Peer>> {
        let known = self.peers.read().unwrap_or_else(PoisonError::into_inner).get(address).map(Arc::clone);
        known.or_else(|| self.begin(Arc::from(address)))
    }

    fn begin(&self, address: Arc<str>) -> Option<Arc<Peer>> {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(&address) {
            return Some(Arc::clone(peer));
        }
        if peers.len() >= limits::LINK_PEERS_MAX || address == self.own_address {
            return None;
        }
        let directory = Arc::clone(&self.directory);
        let peer = Peer::start(Arc::clone(&address), self.token.clone(), directory, &self.runtime);
        peers.insert(address, Arc::clone(&peer));
        Some(peer)
    }

    /// A peer that can be reached and is not at `address`: auctions are spread over all there are.
    fn third(&self, address: &str, auction: AuctionId) -> Option<Arc<Peer>> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let mut others: Vec<_> = peers.values().filter(|peer| *peer.address != *address && peer.is_up()).collect();
        others.sort_unstable_by(|one, other| one.address.cmp(&other.address));
        let place = auction.0.unsigned_abs().checked_rem(others.len().try_into().ok()?)?;
        others.get(usize::try_from(place).ok()?).map(|peer| Arc::clone(peer))
    }

    /// Makes a small request of the node at `address`. Whether it was taken.
    async fn tell(&self, address: &str, what: &str, body: &impl Serialize) -> bool {
        let Some(peer) = self.peer(address) else { return false };
        let (Some(client), Ok(body)) = (peer.client().await, serde_json::to_vec(body)) else { return false };
        let request = client
            .post(format!("http://{address}/node/{what}"))
            .header(AUTHORIZATION, self.token.text())
            .header(CONTENT_TYPE, "application/json")
            .timeout(limits::LINK_CONNECT.into())
            .body(body);
        request.send().await.is_ok_and(|response| response.status().is_success())
    }

    fn let_go_of_idle(&self) {
        let homes = self.directory.addresses();
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|address, peer| peer.was_used() || homes.contains(address));
    }
}

/// Connects to each home as it becomes known, before the first bid has to wait for that, and lets go of idle links.
async fn keep_up(shared: Arc<Shared>) {
    let mut idle = tokio::time::interval(limits::LINK_IDLE.into());
    loop {
        let mut changed = std::pin::pin!(shared.directory.changed());
        changed.as_mut().enable();
        for address in shared.directory.addresses() {
            shared.peer(&address);
        }
        tokio::select! {
            () = changed => {}
            _ = idle.tick() => shared.let_go_of_idle(),
        }
    }
}
