//! The whole run in order: prepare, connect, load, let everything settle, check.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;

use crate::args::{Run, Scenario, Strategy};
use crate::client::{Client, Request};
use crate::clock;
use crate::crew::{Harvest, Phase, Yard, has_caught_up, work};
use crate::error::LoadError;
use crate::follow::Follow;
use crate::history;
use crate::market::Market;
use crate::pace::Window;
use crate::process;
use crate::record::{Ack, Tally};
use crate::sampler::{Sampler, preparing};
use crate::setup::{Opened, ServerClock, User, given, open_auctions, server_clock, sign_up};
use crate::timeline::Timeline;

/// Files that the process needs besides its sockets.
const OTHER_FILES: usize = 64;
/// How long bids in flight may take to be answered once no new ones are made.
const GRACE: Duration = Duration::from_secs(10);
/// How long watchers may take to see the last event, and an auction to be closed.
const SETTLE: Duration = Duration::from_secs(10);
/// How long auctions stay open after the run, at least.
const OPEN_BEYOND: Duration = Duration::from_mins(10);
/// Connections a second that setting up counts on.
const CONNECTS_PER_S: u32 = 200;
/// Points of a plot at most: a longer run has longer intervals.
const POINTS_MAX: u32 = 3_600;
/// How often the main thread looks how the others are doing.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Everything that the run brought to light.
pub(crate) struct Outcome {
    pub(crate) run: Run,
    pub(crate) started_at_ms: i64,
    pub(crate) load: Duration,
    pub(crate) interval: Duration,
    pub(crate) interrupted: bool,
    pub(crate) tally: Tally,
    pub(crate) follows: Vec<Watched>,
    pub(crate) sampler: Sampler,
    pub(crate) histories: history::Histories,
    /// Milliseconds from the auction's end to the first bid that was told so; with the error of that.
    pub(crate) first_closed_ms: Option<(f64, f64)>,
}

/// What one watcher saw.
pub(crate) struct Watched {
    pub(crate) auction: usize,
    pub(crate) follow: Follow,
    pub(crate) behind: bool,
}

/// Runs the load. Setting `stop` ends it early; it is checked all the same.
pub(crate) fn run(run: Run, stop: &Arc<AtomicBool>) -> Result<Outcome, LoadError> {
    let needed = run.sockets() + OTHER_FILES;
    if let Some(allowed) = process::open_files_max().filter(|allowed| *allowed < needed) {
        return Err(LoadError::Usage(format!(
            "{} connections need {needed} open files and this shell allows {allowed}: raise it with ulimit -n {needed}",
            run.sockets()
        )));
    }
    if let Some(gone) = run.pids.iter().find(|pid| process::tree(**pid).is_none()) {
        return Err(LoadError::Usage(format!("--pid {gone}: there is no such process")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LoadError::doing("starting the runtime"))?;
    runtime.block_on(Box::pin(conduct(run, stop)))
}

async fn conduct(run: Run, stop: &Arc<AtomicBool>) -> Result<Outcome, LoadError> {
    let (yard, server_clock, opening) = prepare(run).await?;
    let (phase, seen_by_threads) = watch::channel(Phase::Connecting);
    let threads = spawn(&yard, &seen_by_threads)?;
    let threads = connected(&yard, threads).await?;
    let window = window(&yard, server_clock, stop)?;
    let started_at_ms = clock::unix_ms();
    // The threads are all waiting for it.
    let _told = phase.send(Phase::Running(window.clone()));
    tokio::time::sleep(window.start.saturating_duration_since(clock::now())).await;
    let mut sampler = Sampler::start(&yard.run);
    let load = load(&yard, &window, &mut sampler).await;
    sampler.load_ended();
    sampler.take_last(clock::now().saturating_duration_since(window.start), &yard.timeline).await;
    settle(&yard).await?;
    let _told = phase.send(Phase::Over);
    let (mut tally, follows) = collect(&yard, threads)?;
    sampler.points.extend(yard.timeline.rest());
    for (auction, ack) in opening {
        tally.acks[auction].push(ack);
    }
    let acks = std::mem::take(&mut tally.acks);
    let histories = if yard.run.checked {
        history::check(&yard.run, &yard.market, acks, tally.in_flight + tally.undecided).await?
    } else {
        history::Histories { top_amounts: vec![None; yard.market.auctions.len()], ..history::Histories::default() }
    };
    let end = end_instant(&yard, server_clock);
    let first_closed_ms = tally.first_closed.map(|at| (signed_ms(end, at), server_clock.error.as_secs_f64() * 1_000.0));
    Ok(Outcome {
        run: yard.run.clone(),
        started_at_ms,
        load,
        interval: yard.interval,
        interrupted: stop.load(Ordering::SeqCst),
        tally,
        follows,
        sampler,
        histories,
        first_closed_ms,
    })
}

fn signed_ms(from: Instant, to: Instant) -> f64 {
    let after = to.saturating_duration_since(from).as_secs_f64();
    let before = from.saturating_duration_since(to).as_secs_f64();
    (after - before) * 1_000.0
}

/// Part of the run that lies before the end of a closing auction.
fn lead(run: &Run) -> Duration {
    run.duration.mul_f64(0.8)
}

/// When the (first) auction ends, on our monotonic clock.
fn end_instant(yard: &Yard, server: ServerClock) -> Instant {
    let left_ms = yard.market.auctions[0].ends_at_ms - server.offset_ms - clock::unix_ms();
    let now = clock::now();
    match u64::try_from(left_ms) {
        Ok(left_ms) => now + Duration::from_millis(left_ms),
        Err(_past) => now.checked_sub(Duration::from_millis(left_ms.unsigned_abs())).unwrap_or(now),
    }
}

async fn prepare(run: Run) -> Result<(Arc<Yard>, ServerClock, Vec<(usize, Ack)>), LoadError> {
    // One more than the bidders sells, another one opens where all further bids are refused.
    let bar = preparing("signing up", run.bidders + 2);
    let told = |done: usize| bar.set_position(u64::try_from(done).unwrap_or(0));
    let mut users = sign_up(&run.targets[0], run.bidders + 2, &told).await?;
    bar.finish_and_clear();
    let (Some(first_bidder), Some(seller)) = (users.pop(), users.pop()) else {
        return Err(LoadError::failed("nobody signed up"));
    };
    let server = server_clock(&run.targets[0]).await?;
    let sockets = u32::try_from(run.sockets()).unwrap_or(u32::MAX);
    let connecting = Duration::from_secs(3) + Duration::from_secs(1) * (sockets / CONNECTS_PER_S);
    let open_for = match run.scenario {
        Scenario::Closing => connecting + lead(&run),
        Scenario::Hot | Scenario::Spread | Scenario::Watch | Scenario::Soak => {
            let creating = Duration::from_millis(20) * u32::try_from(run.auctions).unwrap_or(u32::MAX);
            connecting + creating + run.duration + OPEN_BEYOND
        }
    };
    let ends_at_ms = clock::unix_ms() + server.offset_ms + i64::try_from(open_for.as_millis()).unwrap_or(i64::MAX / 2);
    let opened = match &run.given {
        Some(file) => given(file, run.auctions)?,
        None => open_auctions(&run, &seller, ends_at_ms).await?,
    };
    let opening = match run.strategy {
        Strategy::Rising => Vec::new(),
        Strategy::TooLow => open_bidding(&run, &first_bidder, &opened).await?,
    };
    let yard = Yard {
        timeline: Timeline::default(),
        interval: (run.duration / POINTS_MAX).max(Duration::from_secs(1)),
        connected: AtomicUsize::new(0),
        ready: AtomicUsize::new(0),
        bidders_done: AtomicUsize::new(0),
        caught_up: AtomicUsize::new(0),
        heads: opened.iter().map(|_| AtomicI64::new(-1)).collect(),
        market: Arc::new(Market::new(opened, run.scenario, run.strategy, run.watchers > 0)),
        users: users.into(),
        run,
    };
    Ok((Arc::new(yard), server, opening))
}

/// One good bid on each auction, for all others to be below.
async fn open_bidding(run: &Run, bidder: &User, opened: &[Opened]) -> Result<Vec<(usize, Ack)>, LoadError> {
    let mut client = Client::new(run.targets[0].clone());
    let mut acks = Vec::new();
    for (index, auction) in opened.iter().enumerate() {
        let bid_id = uuid::Uuid::new_v4();
        let path = format!("/api/v1/auctions/{}/bids", auction.id);
        let body = json!({"bid_id": bid_id.to_string(), "amount": auction.min_next});
        let answer = client.persist(&Request::post(&path, Some(&bidder.token), body)).await?;
        let receipt = answer.expect(&[200, 201], "opening the bidding")?;
        let seq = receipt["seq"].as_i64().ok_or_else(|| LoadError::failed(format!("no seq in {receipt}")))?;
        acks.push((index, Ack { bid_id: bid_id.as_u128(), seq, amount: auction.min_next }));
    }
    Ok(acks)
}

type Threads = Vec<JoinHandle<Result<Harvest, LoadError>>>;

fn spawn(yard: &Arc<Yard>, phase: &watch::Receiver<Phase>) -> Result<Threads, LoadError> {
    let spawn_one = |index: usize| {
        let (yard, phase) = (Arc::clone(yard), phase.clone());
        std::thread::Builder::new()
            .name(format!("load-{index}"))
            .spawn(move || work(&yard, index, phase))
            .map_err(LoadError::doing("starting a load thread"))
    };
    (0..yard.run.threads).map(spawn_one).collect()
}

/// Waits until every thread has its connections, or fails with the first that does not get them.
async fn connected(yard: &Yard, threads: Threads) -> Result<Threads, LoadError> {
    let bar = preparing("connecting", yard.run.sockets());
    while yard.ready.load(Ordering::SeqCst) < threads.len() {
        if threads.iter().any(JoinHandle::is_finished) {
            for thread in threads.into_iter().filter(JoinHandle::is_finished) {
                joined(thread)?;
            }
            return Err(LoadError::failed("a load thread ended before the run began"));
        }
        bar.set_position(u64::try_from(yard.connected.load(Ordering::Relaxed)).unwrap_or(0));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bar.finish_and_clear();
    Ok(threads)
}

fn joined(thread: JoinHandle<Result<Harvest, LoadError>>) -> Result<Harvest, LoadError> {
    thread.join().map_err(|_panic| LoadError::failed("a load thread panicked"))?
}

fn window(yard: &Yard, server: ServerClock, stop: &Arc<AtomicBool>) -> Result<Window, LoadError> {
    let soon = clock::now() + Duration::from_millis(50);
    let start = match yard.run.scenario {
        Scenario::Closing => {
            let end = end_instant(yard, server);
            if end <= soon {
                return Err(LoadError::failed(
                    "connecting took longer than the auction: fewer --watchers, or a longer --duration",
                ));
            }
            end.checked_sub(lead(&yard.run)).map_or(soon, |start| start.max(soon))
        }
        Scenario::Hot | Scenario::Spread | Scenario::Watch | Scenario::Soak => soon,
    };
    let left = Arc::new(yard.run.bids.unwrap_or(u64::MAX).into());
    Ok(Window { start, until: start + yard.run.duration, stopped: Arc::clone(stop), left })
}

/// Samples until every bidder is done; returns how long bids were made.
async fn load(yard: &Yard, window: &Window, sampler: &mut Sampler) -> Duration {
    let mut stopped_at = None;
    let mut due = 1;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = clock::now();
        let elapsed = now.saturating_duration_since(window.start);
        if window.stopped.load(Ordering::Relaxed) {
            stopped_at.get_or_insert(now.min(window.until));
        }
        let ended_at = stopped_at.unwrap_or(window.until);
        let bidders_done = yard.bidders_done.load(Ordering::SeqCst) == yard.run.threads;
        if bidders_done || now >= ended_at + GRACE {
            return now.min(ended_at).saturating_duration_since(window.start);
        }
        if elapsed >= yard.interval * due {
            sampler.take(elapsed, u64::from(due), &yard.timeline).await;
            due += 1;
        }
    }
}

/// Waits until watchers have seen the last event; gives up after [`SETTLE`], and the report says so.
async fn settle(yard: &Yard) -> Result<(), LoadError> {
    if yard.run.watchers == 0 {
        return Ok(());
    }
    let deadline = clock::now() + SETTLE;
    // Watchers take the auctions in turn: the ones after that many are watched by nobody.
    for (auction, head) in yard.market.auctions.iter().zip(&yard.heads).take(yard.run.watchers) {
        loop {
            let newest = history::head(&yard.run.targets[0], &auction.id).await?;
            if newest.settled || yard.run.scenario != Scenario::Closing || clock::now() >= deadline {
                head.store(newest.seq, Ordering::SeqCst);
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    while yard.caught_up.load(Ordering::SeqCst) < yard.run.threads && clock::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn collect(yard: &Yard, threads: Threads) -> Result<(Tally, Vec<Watched>), LoadError> {
    let mut tally = Tally::new(yard.market.auctions.len());
    let mut watched = Vec::new();
    for thread in threads {
        let harvest = joined(thread)?;
        tally.merge(harvest.tally);
        watched.extend(harvest.follows.into_iter().map(|(auction, follow)| Watched {
            auction,
            behind: !has_caught_up(yard, auction, &follow),
            follow,
        }));
    }
    Ok((tally, watched))
}
