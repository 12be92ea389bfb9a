//! The phases of a fan-out: connect, a calm pace, a rate that rises until the server cannot follow, half of that.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::account::Account;
use super::board::{Board, Seen};
use super::publisher::Publisher;
use super::watcher::{Place, watch};
use super::{FanArgs, seconds};
use crate::clock;
use crate::error::Fault;
use crate::figures::{Figures, float};
use crate::process;
use crate::threads;

/// Deliveries a second at the calm pace, and at the first step of the sweep. With 1,000 watchers that is an
/// event each 20 ms: nothing to coalesce.
const CALM_PER_S: f64 = 50_000.0;
/// From step to step.
const STEP_BY: f64 = 1.414;
const STEPS_MAX: u32 = 16;
/// A step with less than this of its offer delivered in time did not follow.
const FOLLOWS: f64 = 0.9;
/// A step that did not follow is still worth going on from, if it is this much better than all before.
const GROWS: f64 = 1.05;
/// Steps in a row that may do neither before the sweep ends.
const STUCK_MAX: u32 = 2;
/// How long all may take to connect, and the last deliveries to arrive.
const CONNECTED_WITHIN: Duration = Duration::from_mins(2);
const DRAINED_WITHIN: Duration = Duration::from_secs(6);
/// Nothing arrived for this long: nothing more will.
const QUIET: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long sessions are left alone before their memory is read.
const SETTLE: Duration = Duration::from_secs(3);

/// See the file's head.
pub(super) struct Phases {
    args: FanArgs,
    account: Account,
    board: Rc<Board>,
    crowd: Vec<JoinHandle<()>>,
    publisher: Option<Publisher>,
    /// The server still had events to deliver when it was waited for no longer.
    behind: bool,
}

/// What one phase came to.
struct Phase {
    seen: Seen,
    /// Delivered while events were still made, a second.
    in_time_per_s: f64,
    lost: f64,
    refused: f64,
    server_cpu_s: f64,
}

impl Phases {
    pub(super) fn new(args: FanArgs, account: Account, board: Rc<Board>) -> Self {
        Self { args, account, board, crowd: Vec::new(), publisher: None, behind: false }
    }

    /// Only connects: what a session costs that is told nothing.
    pub(super) async fn idle(&mut self) -> Result<Figures, Fault> {
        let before = self.memory();
        self.connect().await?;
        tokio::time::sleep(SETTLE).await;
        let grown = float(self.memory().saturating_sub(before));
        Ok(Figures::from([("session_bytes".to_owned(), grown / float(self.board.ready.get()))]))
    }

    /// A calm pace and nothing else, and what the server holds after it.
    pub(super) async fn calm(&mut self, events_per_s: f64) -> Result<Figures, Fault> {
        self.connect().await?;
        // The first events find cold buffers.
        self.phase(events_per_s, Duration::from_secs(1)).await?;
        let used_before_s = self.threads_cpu_s();
        let calm = self.phase(events_per_s, seconds(self.args.phase_s)).await?;
        let used_us = (self.threads_cpu_s() - used_before_s).max(0.0) * 1e6;
        if calm.seen.deliveries == 0 {
            return Err(Fault("no event was delivered".to_owned()));
        }
        let mut figures = Figures::new();
        let mut note = |name: &str, value: f64| figures.insert(name.to_owned(), value);
        note("delivery_us", used_us / float(calm.seen.deliveries));
        note("core_share", used_us / 1e6 / self.args.phase_s.max(0.001));
        note("delivered_per_s", calm.in_time_per_s);
        note("p50_ms", float(calm.seen.p50_us) / 1e3);
        note("p99_ms", float(calm.seen.p99_us) / 1e3);
        note("lost", calm.lost);
        note("memory_bytes", float(self.memory()));
        Ok(figures)
    }

    /// All phases in turn.
    pub(super) async fn all(&mut self) -> Result<Figures, Fault> {
        self.connect().await?;
        let mut figures = Figures::new();
        let mut note = |name: &str, value: f64| figures.insert(name.to_owned(), value);
        // The first events find cold buffers.
        let watchers = float(self.args.watchers);
        self.phase(CALM_PER_S / watchers, Duration::from_secs(1)).await?;
        let calm = self.phase(CALM_PER_S / watchers, seconds(self.args.phase_s)).await?;
        note("calm_us", calm.server_cpu_s * 1e6 / float(calm.seen.deliveries.max(1)));
        note("calm_p50_ms", float(calm.seen.p50_us) / 1e3);
        note("calm_p99_ms", float(calm.seen.p99_us) / 1e3);
        note("calm_lost", calm.lost);
        let mut best = 0.0_f64;
        let mut stuck = 0;
        for step in 0..STEPS_MAX {
            let offered = CALM_PER_S * STEP_BY.powf(f64::from(step));
            let phase = self.phase(offered / watchers, seconds(self.args.step_s)).await?;
            note(&format!("step_{step:02}_offered_per_s"), offered);
            note(&format!("step_{step:02}_delivered_per_s"), phase.in_time_per_s);
            note(&format!("step_{step:02}_lost"), phase.lost);
            note(&format!("step_{step:02}_refused"), phase.refused);
            note(&format!("step_{step:02}_us"), phase.server_cpu_s * 1e6 / float(phase.seen.deliveries.max(1)));
            let stuck_here = phase.in_time_per_s < offered * FOLLOWS && phase.in_time_per_s < best * GROWS;
            stuck = if stuck_here { stuck + 1 } else { 0 };
            if phase.in_time_per_s > best {
                best = phase.in_time_per_s;
                note("saturated_per_s", best);
                note("saturated_lost", phase.lost);
            }
            if stuck >= STUCK_MAX {
                break;
            }
            self.recover().await?;
        }
        if best <= 0.0 {
            return Err(Fault("no event was delivered".to_owned()));
        }
        self.recover().await?;
        let half = self.phase(best / 2.0 / watchers, seconds(self.args.phase_s)).await?;
        note("half_per_s", half.in_time_per_s);
        note("half_p50_ms", float(half.seen.p50_us) / 1e3);
        note("half_p99_ms", float(half.seen.p99_us) / 1e3);
        note("half_lost", half.lost);
        Ok(figures)
    }

    /// Connects watchers and publisher.
    async fn connect(&mut self) -> Result<(), Fault> {
        let FanArgs { dialect, at, publish, watchers, .. } = self.args;
        self.board.ready.set(0);
        self.board.gone.set(0);
        let place = Rc::new(Place::new(dialect, at, self.account.auction.clone(), Rc::clone(&self.board)));
        self.crowd = (0..watchers).map(|_| tokio::task::spawn_local(watch(Rc::clone(&place)))).collect();
        let deadline = clock::now() + CONNECTED_WITHIN;
        while self.board.ready.get() < watchers {
            if self.board.gone.get() > 0 || clock::now() >= deadline {
                let (ready, gone) = (self.board.ready.get(), self.board.gone.get());
                return Err(Fault(format!("of {watchers} watchers {ready} were subscribed and {gone} turned away")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let publisher = Publisher::open(dialect, publish, &self.account.token, &self.account.auction).await;
        self.publisher = Some(publisher.map_err(Fault::doing("connecting the publisher"))?);
        Ok(())
    }

    /// Starts with a new crowd, where the server turned some away or has not caught up.
    async fn recover(&mut self) -> Result<(), Fault> {
        if self.board.gone.get() == 0 && !self.behind {
            return Ok(());
        }
        self.behind = false;
        for watcher in self.crowd.drain(..) {
            watcher.abort();
        }
        self.publisher = None;
        // The server takes its leave of the old ones.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.connect().await
    }

    /// `rate` events a second for `duration`, and their deliveries.
    async fn phase(&mut self, rate: f64, duration: Duration) -> Result<Phase, Fault> {
        let Some(publisher) = &mut self.publisher else { return Err(Fault("nobody publishes".to_owned())) };
        self.board.clear();
        let cpu_before_s = self.args.pids.iter().filter_map(|pid| process::tree(*pid)).map(|it| it.cpu_s).sum::<f64>();
        let refused_before = publisher.refused();
        let start = clock::now();
        let sent = publisher.run(&self.board, rate, duration).await.map_err(Fault::doing("publishing"))?;
        // Longer than asked for, where the server holds the publisher up.
        let elapsed = clock::now().saturating_duration_since(start).max(duration);
        let in_time_per_s = float(self.board.deliveries.get()) / elapsed.as_secs_f64();
        let wanted = sent * u64::try_from(self.args.watchers).unwrap_or(0);
        self.behind = !drained(&self.board, publisher, wanted).await;
        let refused = publisher.refused() - refused_before;
        let wanted = (sent - refused.min(sent)) * u64::try_from(self.args.watchers).unwrap_or(0);
        let cpu_after_s = self.args.pids.iter().filter_map(|pid| process::tree(*pid)).map(|it| it.cpu_s).sum::<f64>();
        let seen = self.board.seen();
        Ok(Phase {
            in_time_per_s,
            lost: float(wanted.saturating_sub(seen.deliveries)),
            refused: float(refused),
            server_cpu_s: cpu_after_s - cpu_before_s,
            seen,
        })
    }

    fn threads_cpu_s(&self) -> f64 {
        self.args.pids.iter().filter_map(|pid| threads::cpu_s(*pid)).sum()
    }

    fn memory(&self) -> u64 {
        self.args.pids.iter().filter_map(|pid| process::tree(*pid)).map(|usage| usage.memory_bytes).sum()
    }
}

/// Waits until `wanted` deliveries are there, or none come any more. False when some still came at the end.
async fn drained(board: &Board, publisher: &Publisher, wanted: u64) -> bool {
    let deadline = clock::now() + DRAINED_WITHIN;
    let (mut last, mut last_at) = (board.arrivals.get(), clock::now());
    while board.deliveries.get() < wanted {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = clock::now();
        if board.arrivals.get() > last || publisher.unanswered() > 0 {
            (last, last_at) = (board.arrivals.get(), now);
        } else if now >= last_at + QUIET {
            return true;
        }
        if now >= deadline {
            return false;
        }
    }
    true
}
