//! The bus between nodes: Redis pub/sub, with the subscribers of this node served first and without it.
//!
//! In the order of an event's way: `outbox` holds what waits within a bound, `publisher` sends it in as few round
//! trips as there are, `channels` says where to; `subscriber` listens and hands on what other nodes said. `connection`
//! knows how Redis is reached, `pulse` whether it is there, `tally` counts what is rare over all nodes.
//!
//! Redis may lose anything at any time. Nothing here waits for it on an event's way, sends twice for safety or holds
//! the only copy: who missed something sees it by seq or by the heads.

mod channels;
mod connection;
mod meters;
mod outbox;
mod publisher;
mod pulse;
mod subscriber;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

pub use self::meters::describe;
pub use self::tally::{Tally, Tried};

use self::channels::Channels;
use self::connection::Server;
use self::meters::Meters;
use self::outbox::{Outbox, Outgoing};
use self::publisher::Publisher;
use self::pulse::Pulse;
use self::subscriber::Listener;
use super::memory::MemoryBus;
use super::{Bus, Publication, Subscriber};
use crate::domain::Timestamp;
use crate::limits::REDIS_WITHIN;
use crate::protocol::node::Origin;

/// Which Redis, and who speaks.
#[derive(Debug, Clone)]
pub struct RedisBusSettings {
    /// `redis://user:password@host:port/database`. Clusters that share a Redis need databases of different numbers.
    pub url: String,
    pub node: String,
    /// Of this process: another after each start.
    pub incarnation: i64,
}

/// Why there is no bus. That Redis is not there is no reason.
#[derive(Debug, thiserror::Error)]
pub enum RedisBusError {
    #[error("the bus's URL cannot be read: {0}")]
    Url(redis::RedisError),
    #[error("a thread for the bus cannot be started: {0}")]
    Thread(std::io::Error),
    #[error("the pool of connections cannot be made: {0}")]
    Pool(String),
}

/// The port over Redis. Ends with its last owner.
pub struct RedisBus {
    local: Arc<MemoryBus>,
    outbox: Outbox,
    pulse: Arc<Pulse>,
    tally: Tally,
    /// Dropped with this: then the thread ends.
    _running: oneshot::Sender<()>,
}

impl RedisBus {
    /// Starts the bus on a thread of its own. Connects in the background, now or whenever Redis comes.
    ///
    /// # Errors
    /// When the URL is none, or the thread cannot be started.
    pub fn connect(settings: RedisBusSettings) -> Result<Arc<Self>, RedisBusError> {
        let RedisBusSettings { url, node, incarnation } = settings;
        let server = Server::at(&url)?;
        let origin = Origin { node: Arc::from(node), incarnation };
        let channels = Arc::new(Channels::of(server.database()));
        let (meters, pulse, local) = (Arc::new(Meters::new()), Arc::new(Pulse::new()), Arc::new(MemoryBus::default()));
        let (outbox, outgoing) = outbox::outbox(Arc::clone(&meters));

        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RedisBusError::Thread)?;
        let tally = Tally::new(&server, runtime.handle().clone(), Arc::clone(&pulse))?;
        let publisher = Publisher::new(server.clone(), (origin.clone(), Arc::clone(&channels)), outgoing);
        let listener =
            Listener { server, origin, channels, local: Arc::clone(&local), pulse: Arc::clone(&pulse), meters };
        let (running, stopped) = oneshot::channel();
        std::thread::Builder::new()
            .name("bus-redis".to_owned())
            .spawn(move || {
                runtime.spawn(publisher.run());
                runtime.spawn(listener.run());
                // An error is what tells that nobody needs it any more.
                drop(runtime.block_on(stopped));
            })
            .map_err(RedisBusError::Thread)?;
        Ok(Arc::new(Self { local, outbox, pulse, tally, _running: running }))
    }

    /// Whether other nodes are heard: subscribed, and a sign of life within `limits::REDIS_SILENCE`.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.pulse.is_healthy()
    }

    /// Resolves once the bus is subscribed, at once when it is. It may be lost again by then.
    pub async fn connected(&self) {
        self.pulse.connected().await;
    }

    /// Counts over all nodes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn publish(&self, publications: Arc<[Publication]>) {
        self.local.publish(Arc::clone(&publications));
        self.outbox.put(Outgoing::Events(publications));
    }

    fn publish_tick(&self, now: Timestamp) {
        self.local.publish_tick(now);
        self.outbox.put(Outgoing::Tick(now));
    }

    fn publish_sign_out(&self, token: [u8; 32]) {
        self.local.publish_sign_out(token);
        self.outbox.put(Outgoing::SignOut(token));
    }

    fn subscribe(&self, subscriber: Arc<dyn Subscriber>) {
        self.local.subscribe(subscriber);
    }

    async fn drained(&self) {
        let span = 2 * Duration::from(REDIS_WITHIN);
        // What is still there then is found in the store.
        drop(tokio::time::timeout(span, self.outbox.emptied()).await);
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;
    use crate::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, UserId};

    /// Bids on auction 1.
    pub(super) fn publications(seqs: RangeInclusive<i64>) -> Arc<[Publication]> {
        let publication = |seq: i64| {
            let bidder = Bidder { id: UserId(1), nick: "ann".into() };
            let amount = Money::new(seq).unwrap();
            let bid = PlaceBid { bid_id: BidId(seq.unsigned_abs().into()), bidder, amount, message: None };
            Publication {
                auction_id: AuctionId(1),
                epoch: Epoch(1),
                event: Arc::new(Event { seq: Seq(seq), at: Timestamp(seq), kind: EventKind::Bid(bid) }),
                min_next: amount,
                ends_at: Timestamp(0),
            }
        };
        seqs.map(publication).collect()
    }

    fn settings(url: &str) -> RedisBusSettings {
        RedisBusSettings { url: url.to_owned(), node: "a".to_owned(), incarnation: 1 }
    }

    #[test]
    fn a_url_that_is_none_is_refused() {
        for url in ["", "127.0.0.1:6379", "postgres://127.0.0.1", "rediss://127.0.0.1"] {
            assert!(matches!(RedisBus::connect(settings(url)), Err(RedisBusError::Url(_))), "{url}");
        }
    }

    #[test]
    fn without_redis_there_is_a_bus_that_is_not_healthy() {
        // Nothing listens at port 1.
        let bus = RedisBus::connect(settings("redis://127.0.0.1:1")).unwrap();
        bus.publish(publications(1..=3));
        assert!(!bus.is_healthy());
    }
}
