//! One thread of the load: connects its share, works while the run is on, reports what it saw.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, LocalSet};

use crate::args::{Run, Scenario, Transport};
use crate::bidder_http::HttpBidder;
use crate::bidder_ws::WsBidder;
use crate::clock;
use crate::desk::{Desk, random};
use crate::error::LoadError;
use crate::follow::Follow;
use crate::market::Market;
use crate::pace::{OpenPace, Pace, Share, Window, tick};
use crate::record::Tally;
use crate::setup::User;
use crate::target::Target;
use crate::timeline::{Interval, Timeline};
use crate::watcher::Watcher;

/// Connections that a thread opens at the same time.
const CONNECTING_AT_ONCE: usize = 32;
/// How often a thread looks whether its watchers have seen everything.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// In a soak, one accepted bid in this many is sent once more.
const SOAK_REPEAT_EVERY: usize = 100;

/// Where the run stands, as the main thread says.
#[derive(Clone)]
pub(crate) enum Phase {
    Connecting,
    Running(Window),
    Over,
}

/// What all threads and the main thread share.
pub(crate) struct Yard {
    pub(crate) run: Run,
    pub(crate) market: Arc<Market>,
    pub(crate) users: Arc<[User]>,
    pub(crate) timeline: Timeline,
    /// Length of a point in the plots.
    pub(crate) interval: Duration,
    /// Sockets that are connected, for the progress bar.
    pub(crate) connected: AtomicUsize,
    /// Threads whose connections all stand.
    pub(crate) ready: AtomicUsize,
    /// Threads whose bidders have all ended.
    pub(crate) bidders_done: AtomicUsize,
    /// Threads whose watchers have seen everything up to `heads`.
    pub(crate) caught_up: AtomicUsize,
    /// For each auction the newest seq once the bids have ended; below 0 before.
    pub(crate) heads: Vec<AtomicI64>,
}

/// What a thread brings home.
pub(crate) struct Harvest {
    pub(crate) tally: Tally,
    /// What each watcher saw, with the index of its auction.
    pub(crate) follows: Vec<(usize, Follow)>,
}

struct Crew {
    http: Vec<HttpBidder>,
    ws: Vec<WsBidder>,
    watchers: Vec<Watcher>,
}

type Follows = Vec<(usize, Rc<RefCell<Follow>>)>;

/// Runs thread `index` to the end of the run.
pub(crate) fn work(yard: &Arc<Yard>, index: usize, phase: watch::Receiver<Phase>) -> Result<Harvest, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LoadError::doing("starting a load thread"))?;
    LocalSet::new().block_on(&runtime, run_crew(yard, index, phase))
}

async fn run_crew(yard: &Arc<Yard>, index: usize, mut phase: watch::Receiver<Phase>) -> Result<Harvest, LoadError> {
    let crew = connect(yard, index).await?;
    yard.ready.fetch_add(1, Ordering::SeqCst);
    let follows: Follows = crew.watchers.iter().map(Watcher::follow).collect();
    let tally = Rc::new(RefCell::new(Tally::new(yard.market.auctions.len())));
    let window = loop {
        match &*phase.borrow_and_update() {
            Phase::Running(window) => break window.clone(),
            Phase::Over => return Ok(harvest(&tally, &follows)),
            Phase::Connecting => {}
        }
        if phase.changed().await.is_err() {
            return Ok(harvest(&tally, &follows));
        }
    };
    let ticker = Arc::new(Notify::new());
    let open = yard.run.rate_per_s.map(|rate_per_s| open_pace(yard, index, window.clone(), rate_per_s));
    let pace_thread = open.as_ref().map(|_| {
        let (window, ticker, rate) = (window.clone(), Arc::clone(&ticker), yard.run.rate_per_s.unwrap_or(1.0));
        std::thread::spawn(move || tick(&window, rate, &ticker))
    });
    let desk = Rc::new(Desk {
        market: Arc::clone(&yard.market),
        users: Arc::clone(&yard.users),
        tally: Rc::clone(&tally),
        pace: open.as_ref().map_or_else(|| Pace::closed(window.clone()), |open| Pace::Open(Rc::clone(open))),
        window: window.clone(),
        repeat_every: (yard.run.scenario == Scenario::Soak).then_some(SOAK_REPEAT_EVERY),
        random: random(),
    });
    let mut helpers = JoinSet::new();
    if let Some(open) = open {
        helpers.spawn_local(async move { open.release(&ticker).await });
    }
    helpers.spawn_local(flush(Arc::clone(yard), Rc::clone(&tally), window.start));
    bid_and_watch(yard, crew, &desk, (&follows, &mut phase)).await;
    helpers.shutdown().await;
    if let Some(thread) = pace_thread {
        // It ends with the window, which is over.
        let _ended = thread.join();
    }
    tally.borrow_mut().unsent = desk.pace.unsent();
    add_interval(yard, &tally, window.start);
    Ok(harvest(&tally, &follows))
}

fn open_pace(yard: &Yard, index: usize, window: Window, rate_per_s: f64) -> Rc<OpenPace> {
    let offset = u64::try_from(index).unwrap_or(0);
    let stride = u64::try_from(yard.run.threads).unwrap_or(1);
    Pace::open(window, Share { rate_per_s, offset, stride })
}

/// Runs bidders and watchers until the phase is over. Bids still without an answer then stay so.
async fn bid_and_watch(
    yard: &Arc<Yard>,
    crew: Crew,
    desk: &Rc<Desk>,
    (follows, phase): (&Follows, &mut watch::Receiver<Phase>),
) {
    let mut bidders = JoinSet::new();
    let mut watchers = JoinSet::new();
    for watcher in crew.watchers {
        let desk = Rc::clone(desk);
        let restless = yard.run.scenario == Scenario::Soak;
        watchers.spawn_local(async move { watcher.run(&desk, restless).await });
    }
    tokio::time::sleep(desk.window.start.saturating_duration_since(clock::now())).await;
    for bidder in crew.http {
        let desk = Rc::clone(desk);
        bidders.spawn_local(async move { bidder.run(&desk).await });
    }
    for bidder in crew.ws {
        let desk = Rc::clone(desk);
        bidders.spawn_local(async move { bidder.run(&desk).await });
    }
    let work = async {
        while bidders.join_next().await.is_some() {}
        yard.bidders_done.fetch_add(1, Ordering::SeqCst);
        while !follows.iter().all(|(auction, follow)| has_caught_up(yard, *auction, &follow.borrow())) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        yard.caught_up.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    };
    let over = phase.wait_for(|phase| matches!(phase, Phase::Over));
    tokio::select! {
        _ended = over => {}
        () = work => {}
    }
    bidders.shutdown().await;
    watchers.shutdown().await;
}

/// Whether a watcher has seen all there is.
pub(crate) fn has_caught_up(yard: &Yard, auction: usize, follow: &Follow) -> bool {
    let head = yard.heads[auction].load(Ordering::SeqCst);
    head >= 0 && follow.last_seq.unwrap_or(0) >= head
}

fn harvest(tally: &Rc<RefCell<Tally>>, follows: &Follows) -> Harvest {
    let tally = tally.replace(Tally::new(0));
    Harvest { tally, follows: follows.iter().map(|(auction, follow)| (*auction, follow.borrow().clone())).collect() }
}

/// Hands over the finished interval again and again.
async fn flush(yard: Arc<Yard>, tally: Rc<RefCell<Tally>>, start: Instant) {
    let mut due = start + yard.interval;
    loop {
        tokio::time::sleep(due.saturating_duration_since(clock::now())).await;
        add_interval(&yard, &tally, start);
        due += yard.interval;
    }
}

fn add_interval(yard: &Yard, tally: &Rc<RefCell<Tally>>, start: Instant) {
    let share = std::mem::replace(&mut tally.borrow_mut().interval, Interval::new());
    let elapsed = clock::now().saturating_duration_since(start);
    // Called just after an interval has ended: what it saw belongs to the one before.
    let index = (elapsed.as_micros() / yard.interval.as_micros()).saturating_sub(1);
    yard.timeline.add(u64::try_from(index).unwrap_or(0), share);
}

async fn connect(yard: &Arc<Yard>, index: usize) -> Result<Crew, LoadError> {
    let run = &yard.run;
    let mine = |count: usize| (index..count).step_by(run.threads);
    let over_ws = |connection: usize| match run.scenario {
        Scenario::Soak => !connection.is_multiple_of(2),
        Scenario::Hot | Scenario::Spread | Scenario::Watch | Scenario::Closing => run.transport == Transport::Ws,
    };
    let http = stream::iter(mine(run.connections).filter(|connection| !over_ws(*connection)))
        .map(|connection| async move {
            let bidder = HttpBidder::connect(target(run, connection)).await;
            counted(yard, bidder.map_err(LoadError::doing("connecting a bidder")))
        })
        .buffer_unordered(CONNECTING_AT_ONCE)
        .try_collect()
        .await?;
    let ws = stream::iter(mine(run.connections).filter(|connection| over_ws(*connection)))
        .map(|connection| async move {
            let token = &yard.users[connection % yard.users.len()].token;
            let bidder = WsBidder::connect(target(run, connection), token, run.in_flight).await;
            counted(yard, bidder.map_err(LoadError::doing("connecting a bidder")))
        })
        .buffer_unordered(CONNECTING_AT_ONCE)
        .try_collect()
        .await?;
    let watchers = stream::iter(mine(run.watchers))
        .map(|watcher| async move {
            let auction = watcher % yard.market.auctions.len();
            let id = yard.market.auctions[auction].id.as_str();
            counted(yard, Watcher::connect(target(run, watcher), (auction, id), run.watchers).await)
        })
        .buffer_unordered(CONNECTING_AT_ONCE)
        .try_collect()
        .await?;
    Ok(Crew { http, ws, watchers })
}

fn target(run: &Run, connection: usize) -> &Target {
    &run.targets[connection % run.targets.len()]
}

fn counted<T>(yard: &Yard, connected: Result<T, LoadError>) -> Result<T, LoadError> {
    yard.connected.fetch_add(1, Ordering::Relaxed);
    connected
}
