//! The composition root: builds every part, wires a bid's way in one place, drains it on stop.
//!
//! Nothing is decided here; who reads [`Application::build`] knows how the house hangs together.

mod live;
mod sign_outs;
mod stop;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::account::{Accounts, Limiter};
use crate::auction::{Engine, EngineParts, Tenure};
use crate::bus::memory::MemoryBus;
use crate::bus::{Bus, Subscriber};
use crate::clock::Clock;
use crate::cluster::Router;
use crate::http::{self, Door};
use crate::limits;
use crate::session::{self, Ending, Hubs, SharedReads};
use crate::settings::{BusUrl, Settings, StoreUrl};
use crate::store::postgres::{self, PostgresSettings, PostgresStore};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use live::{RouterDesk, StoreHistory};
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
    OpenShared(#[from] postgres::OpenError),
    #[error("bus.url is redis://, and this build serves one node only: set it to `memory:`")]
    OneNodeOnly,
    #[error("the store does not answer: {0}")]
    Store(#[from] StoreError),
}

/// A built server, listening but not yet serving.
pub struct Application {
    server: Server,
    engine: Arc<Engine>,
    router: Arc<Router>,
    bus: Arc<dyn Bus>,
    hubs: Arc<Hubs>,
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
    clock: Arc<Clock>,
    metrics: PrometheusHandle,
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

        // 1. What carries committed events to the sessions.
        let bus: Arc<dyn Bus> = match &settings.bus {
            BusUrl::Memory => Arc::new(MemoryBus::default()),
            BusUrl::Redis(_) => return Err(StartError::OneNodeOnly),
        };

        // 2. What must survive. Taking over fences whoever owned the auctions before.
        let store = open_store(&settings).await?;
        let epoch = store.take_over().await?;
        own_everything();

        // 3. Who decides: one actor an auction, the committer behind them, the watch over closings.
        let parts = EngineParts {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            clock: Arc::clone(&clock),
            ack: settings.ack,
            tenure: Tenure::whole(epoch),
        };
        let engine = Engine::start(parts).await?;
        let router = Arc::new(Router::alone(Arc::clone(&engine)));

        // 4. Who watches: the hubs, fed by the bus, catching up from the store, handing bids to the engine.
        let limiter = Arc::new(Limiter::new(settings.limits));
        let history = StoreHistory::new(Arc::clone(&store), Arc::clone(&clock));
        let history = Arc::new(SharedReads::new(Arc::new(history)));
        let desk = Arc::new(RouterDesk::new(Arc::clone(&router), Arc::clone(&limiter)));
        let hubs = Arc::new(Hubs::new(Arc::clone(&clock), history, desk));
        bus.subscribe(Arc::clone(&hubs) as Arc<dyn Subscriber>);

        // 5. Who may come in: accounts, whose sign-outs go over the bus to all who know of them, and the door.
        let on_sign_out = Arc::new(SignOuts(Arc::clone(&bus)));
        let accounts = Arc::new(Accounts::new(Arc::clone(&store), Arc::clone(&clock), on_sign_out));
        bus.subscribe(Arc::new(Forgetting(Arc::downgrade(&accounts))));
        let door = web::Data::new(Door {
            router: Arc::clone(&router),
            store: Arc::clone(&store),
            accounts: Arc::clone(&accounts),
            limiter,
            clock: Arc::clone(&clock),
            settings: Arc::clone(&settings),
            metrics: metrics.clone(),
        });
        let (server, url) = listen(&settings, door, web::Data::from(Arc::clone(&hubs)))?;
        Ok(Self { server, engine, router, bus, hubs, store, accounts, clock, metrics, url })
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
        let Self { server, engine, bus, hubs, store, metrics, .. } = self;
        let handle = server.handle();
        // Alone, this node leads the clock.
        session::clock::start(&hubs, bus, || true);
        let upkeep = actix_web::rt::spawn(observe(Arc::clone(&engine), metrics));
        let serving = actix_web::rt::spawn(server);
        stop.await;
        tracing::info!("stopping");
        let (progress, mut served) = (Progress::default(), Ok(()));
        let drained = async {
            drain(&engine, &hubs, &handle, &progress).await;
            served = serving.await.unwrap_or(Ok(()));
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

async fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    match &settings.store {
        StoreUrl::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path)?)),
        StoreUrl::Postgres(url) => {
            tracing::info!(store = %settings.store, "this must be the only node: bus.url is memory:");
            Ok(Arc::new(PostgresStore::open(PostgresSettings::new(url, &settings.cluster)).await?))
        }
    }
}

/// One process owns all auctions, as one shard, and its clock is the store's.
fn own_everything() {
    metrics::counter!("gavel_takeovers_total").increment(1);
    metrics::gauge!("gavel_shards_owned").set(1.0);
    metrics::gauge!("gavel_clock_offset_seconds").set(0.0);
}

async fn drain(engine: &Engine, hubs: &Hubs, server: &ServerHandle, progress: &Progress) {
    progress.waits_for("answers to bids");
    engine.stop(Duration::from(limits::STOP_WITHIN) / 2).await;
    progress.waits_for("open connections");
    hubs.close_all(Ending::Shutdown);
    server.stop(true).await;
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

fn listen(settings: &Settings, door: web::Data<Door>, hubs: web::Data<Hubs>) -> Result<(Server, String), StartError> {
    let address = settings.listen;
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let app =
        move || App::new().app_data(web::Data::clone(&door)).app_data(web::Data::clone(&hubs)).configure(http::routes);
    let server = HttpServer::new(app)
        .workers(settings.workers)
        .max_connections(limits::SESSIONS_MAX.div_ceil(settings.workers))
        .keep_alive(Duration::from(limits::KEEP_ALIVE))
        .client_request_timeout(limits::REQUEST_HEAD_WITHIN.into())
        .h1_allow_half_closed(false)
        .tcp_nodelay(true)
        .on_connect(|stream, _| session::tune_connection(stream))
        .shutdown_timeout(Duration::from(limits::CONNECTIONS_END_WITHIN).as_secs())
        .disable_signals()
        .listen(listener)
        .map_err(failed)?
        .run();
    Ok((server, url))
}
