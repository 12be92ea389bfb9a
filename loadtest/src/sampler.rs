//! Looks at the run from outside once an interval: the servers' processes, their queues, our own cost.
//!
//! Also drives the progress bar, which hides itself where nobody looks.

use std::time::Duration;

use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::args::Run;
use crate::process::{self, Usage};
use crate::scrape::{self, Levels};
use crate::timeline::{Point, Timeline};

/// A last sample closer than this to the one before would show CPU in too coarse steps.
const LAST_AFTER: Duration = Duration::from_millis(400);

/// The servers' side of one interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// Seconds since the start.
    pub(crate) t_s: f64,
    /// For each `--pid`: CPU since the last sample, in cores, and memory now.
    pub(crate) cpu_cores: Vec<f64>,
    pub(crate) memory_bytes: Vec<u64>,
    /// From `/metrics`; nodes after the first have their number before the name.
    pub(crate) levels: Levels,
}

/// What the processes used between two instants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    pub(crate) servers: Vec<Usage>,
    pub(crate) own: Usage,
}

/// Gathers points and samples.
pub(crate) struct Sampler {
    run: Run,
    bar: ProgressBar,
    first: Used,
    last: Used,
    last_t: Duration,
    end: Option<Used>,
    pub(crate) points: Vec<Point>,
    pub(crate) samples: Vec<Sample>,
}

fn usage(run: &Run) -> Used {
    let servers = run.pids.iter().map(|pid| process::tree(*pid).unwrap_or_default()).collect();
    Used { servers, own: process::own() }
}

impl Sampler {
    /// Starts with the run.
    pub(crate) fn start(run: &Run) -> Self {
        let bar = ProgressBar::new(run.duration.as_secs().max(1));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} s  {msg}") {
            bar.set_style(style);
        }
        let first = usage(run);
        Self {
            run: run.clone(),
            bar,
            last: first.clone(),
            first,
            last_t: Duration::ZERO,
            end: None,
            points: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Takes one sample `t` after the start, when the interval `current` is under way.
    pub(crate) async fn take(&mut self, t: Duration, current: u64, timeline: &Timeline) {
        self.points.extend(timeline.finished(current));
        let now = usage(&self.run);
        let seconds = t.saturating_sub(self.last_t).as_secs_f64().max(0.001);
        let cpu_cores = now.servers.iter().zip(&self.last.servers);
        let cpu_cores = cpu_cores.map(|(now, last)| (now.cpu_s - last.cpu_s).max(0.0) / seconds).collect();
        let memory_bytes = now.servers.iter().map(|server| server.memory_bytes).collect();
        let levels = self.levels().await;
        self.samples.push(Sample { t_s: t.as_secs_f64(), cpu_cores, memory_bytes, levels });
        self.last = now;
        self.last_t = t;
        self.bar.set_position(t.as_secs().min(self.run.duration.as_secs()));
        if let Some(point) = self.points.last() {
            self.bar.set_message(format!(
                "{} accepted, {} refused, p99 {} µs",
                point.accepted, point.rejected, point.p99_us
            ));
        }
    }

    /// Takes the last sample, unless one was taken just now.
    pub(crate) async fn take_last(&mut self, t: Duration, timeline: &Timeline) {
        if t.saturating_sub(self.last_t) >= LAST_AFTER {
            self.take(t, 0, timeline).await;
        }
    }

    async fn levels(&self) -> Levels {
        let pages = join_all(self.run.targets.iter().map(scrape::levels)).await;
        let named = pages.into_iter().enumerate().flat_map(|(node, levels)| {
            levels.into_iter().map(move |(name, value)| {
                let name = if node == 0 { name } else { format!("{}: {name}", node + 1) };
                (name, value)
            })
        });
        named.collect()
    }

    /// The bidders are done: what was used until now is the cost of the load.
    pub(crate) fn load_ended(&mut self) {
        self.end = Some(usage(&self.run));
        self.bar.finish_and_clear();
    }

    /// What the load cost.
    pub(crate) fn used(&self) -> Used {
        let end = self.end.as_ref().unwrap_or(&self.last);
        let between = |from: &Usage, to: &Usage| Usage { cpu_s: (to.cpu_s - from.cpu_s).max(0.0), ..*to };
        Used {
            servers: self.first.servers.iter().zip(&end.servers).map(|(from, to)| between(from, to)).collect(),
            own: between(&self.first.own, &end.own),
        }
    }
}

/// A bar for what happens before the load.
pub(crate) fn preparing(what: &'static str, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(0));
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
