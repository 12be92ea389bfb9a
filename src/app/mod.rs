//! The composition root: builds every part, wires a bid's way in one place, drains it on stop.
//!
//! Nothing is decided here; who reads [`Application::build`] knows how the house hangs together.

mod foundation;
mod listen;
mod live;
mod node;
mod sign_outs;
mod stop;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::account::Accounts;
use crate::auction::{Engine, EngineParts};
use crate::bus::{Bus, Subscriber};
use crate::clock::Clock;
use crate::cluster::Router;
use crate::http::Door;
use crate::limits;
use crate::session::{self, Ending, Hubs, SharedReads};
use crate::settings::Settings;
use crate::store::ownership::ShardId;
use crate::store::{Store, StoreError};
use foundation::{Foundation, Shared};
use listen::listen;
use live::{RouterDesk, StoreHistory};
use node::{Node, NodeParts};
use sign_outs::{Forgetting, SignOuts};
use stop::{Progress, cut_short};

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: std::net::SocketAddr, source: io::Error },
    #[error("cannot open the store: {0}")]
    Open(#[from] crate::store::sqlite::OpenError),
    #[error("cannot open the store: {0}")]
    OpenShared(#[from] crate::store::postgres::OpenError),
    #[error("cannot set up the bus: {0}")]
    Bus(#[from] crate::bus::RedisBusError),
    #[error("cannot start the link to the other nodes: {0}")]
    Link(io::Error),
    #[error("the store does not answer: {0}")]
    Store(#[from] StoreError),
}

/// A built server, listening but not yet serving.
pub struct Application {
    server: Server,
    engine: Arc<Engine>,
    /// `None` for one process alone.
    node: Option<Node>,
    router: Arc<Router>,
    bus: Arc<dyn Bus>,
    hubs: Arc<Hubs>,
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
    clock: Arc<Clock>,
    metrics: PrometheusHandle,
    stopping: Arc<AtomicBool>,
    url: String,
}

impl Application {
    /// Builds every part. From here on auctions close in time; HTTP is served by [`Application::run`].
    ///
    /// # Errors
    /// When the address is taken or the store cannot be opened.
    pub async fn build(settings: Settings, metrics: PrometheusHandle) -> Result<Self, StartError> {
        let settings = Arc::new(settings);
        let clock = Arc::new(Clock::system());

        // 1. What must survive, and what carries committed events to the sessions.
        let Foundation { store, bus, tenure, limiter, shared } = Foundation::lay(&settings).await?;
        let limiter = Arc::new(limiter);

        // 2. Who decides: one actor an auction, the committer behind them, the watch over closings.
        let parts = EngineParts {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            clock: Arc::clone(&clock),
            ack: settings.ack,
            tenure,
        };
        let engine = Engine::start(parts).await?;

        // 3. Who else decides: the other nodes, if there are any, and the way of a bid to them.
        let (node, router) = match shared {
            None => (None, Arc::new(Router::alone(Arc::clone(&engine)))),
            Some(Shared { ownership, incarnation }) => {
                let (engine, clock) = (Arc::clone(&engine), Arc::clone(&clock));
                let parts = NodeParts { settings: &settings.cluster, incarnation, ownership, engine, clock };
                let (node, router) = Node::join(parts).await?;
                (Some(node), router)
            }
        };

        // 4. Who watches: the hubs, fed by the bus, catching up from the store, handing bids to the engine.
        let history = StoreHistory::new(Arc::clone(&store), Arc::clone(&clock));
        let history = Arc::new(SharedReads::new(Arc::new(history)));
        let desk = Arc::new(RouterDesk::new(Arc::clone(&router), Arc::clone(&limiter)));
        let hubs = Arc::new(Hubs::new(Arc::clone(&clock), history, desk));
        bus.subscribe(Arc::clone(&hubs) as Arc<dyn Subscriber>);

        // 5. Who may come in: accounts, whose sign-outs go over the bus to all who know of them, and the door.
        let on_sign_out = Arc::new(SignOuts(Arc::clone(&bus)));
        let accounts = Arc::new(Accounts::new(Arc::clone(&store), Arc::clone(&clock), on_sign_out));
        bus.subscribe(Arc::new(Forgetting(Arc::downgrade(&accounts))));
        let stopping = Arc::new(AtomicBool::new(false));
        let door = web::Data::new(Door {
            router: Arc::clone(&router),
            store: Arc::clone(&store),
            accounts: Arc::clone(&accounts),
            limiter,
            clock: Arc::clone(&clock),
            settings: Arc::clone(&settings),
            metrics: metrics.clone(),
            stopping: Arc::clone(&stopping),
        });
        let (server, url) = listen(&settings, door, web::Data::from(Arc::clone(&hubs)))?;
        Ok(Self { server, engine, node, router, bus, hubs, store, accounts, clock, metrics, stopping, url })
    }

    /// Where the server listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The parts that filling an empty store needs.
    #[must_use]
    pub fn parts(&self) -> (&Arc<dyn Store>, &Arc<Accounts>, &Arc<Router>, &Arc<Clock>) {
        (&self.store, &self.accounts, &self.router, &self.clock)
    }

    /// Serves until `stop` resolves, then drains: bids in flight are answered, sessions are told why they
    /// end, files are closed. After `limits::STOP_WITHIN` it returns all the same, and the log says what was cut.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self { server, engine, node, bus, hubs, store, accounts, metrics, stopping, .. } = self;
        let handle = server.handle();
        keep_time(&hubs, &bus, &engine);
        session::heads::watch(&hubs);
        if node.is_some() {
            look_after_sign_ins(&hubs, &accounts);
        }
        let upkeep = actix_web::rt::spawn(observe(Arc::clone(&engine), metrics));
        let serving = actix_web::rt::spawn(server);
        tokio::select! {
            () = stop => tracing::info!("stopping"),
            () = replaced(node.as_ref()) => tracing::error!("another process took this node's name: stopping"),
        }
        stopping.store(true, Ordering::Release);
        let (progress, mut served) = (Progress::default(), Ok(()));
        let drained = async {
            if let Some(node) = &node {
                progress.waits_for("other nodes to take over");
                node.hand_over().await;
            }
            progress.waits_for("answers to bids");
            engine.stop(Duration::from(limits::STOP_WITHIN) / 2).await;
            if let Some(node) = &node {
                progress.waits_for("the link to other nodes");
                node.close().await;
            }
            progress.waits_for("open connections");
            hubs.close_all(Ending::Shutdown);
            handle.stop(true).await;
            served = serving.await.unwrap_or(Ok(()));
            progress.waits_for("the bus");
            bus.drained().await;
            progress.waits_for("reads and writes of the store");
            store.close().await;
        };
        match cut_short(limits::STOP_WITHIN.into(), &progress, drained).await {
            Ok(()) => tracing::info!("stopped"),
            Err(waited_for) => tracing::warn!(waited_for, "the stop took too long and was cut short"),
        }
        upkeep.abort();
        served
    }
}

/// Ticks for the sessions: one node leads the clock, the owner of the first shard.
fn keep_time(hubs: &Arc<Hubs>, bus: &Arc<dyn Bus>, engine: &Arc<Engine>) {
    let engine = Arc::clone(engine);
    session::clock::start(hubs, Arc::clone(bus), move || engine.tenure().holds(ShardId(0)));
}

/// Looks for sign-outs on other nodes that the bus may have lost.
fn look_after_sign_ins(hubs: &Arc<Hubs>, accounts: &Arc<Accounts>) {
    let accounts = Arc::clone(accounts);
    session::sign_ins::watch(hubs, move |token| {
        let accounts = Arc::clone(&accounts);
        async move { accounts.is_good(token).await }
    });
}

async fn replaced(node: Option<&Node>) {
    match node {
        Some(node) => node.replaced().await,
        None => std::future::pending().await,
    }
}

/// Once a second: sets the gauges that nobody sets on the way and lets the recorder fold its samples.
async fn observe(engine: Arc<Engine>, metrics: PrometheusHandle) {
    let mut every = actix_web::rt::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        engine.observe();
        metrics.run_upkeep();
    }
}
