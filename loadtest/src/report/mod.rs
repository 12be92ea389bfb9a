//! The run as a document: `report.json`, and `report.html` for people.

mod chart;
mod html;
mod plot;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::{Run, Scenario, Strategy};
use crate::check::Findings;
use crate::clock;
use crate::engine::{Outcome, Watched};
use crate::error::LoadError;
use crate::record::{Codes, Tally};
use crate::sampler::{Sample, Sampler};
use crate::timeline::Point;

/// Changes when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;
/// Quantiles of the latency curve: each nine in thirds.
const CURVE_POINTS_PER_NINE: u32 = 4;
/// How much earlier than the end a bid may be told `closed` before that is a fault, beside the clocks' error.
const EARLY_CLOSE_MS: f64 = 5.0;

/// All that `report.json` holds; `README.md` describes the fields.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) version: &'static str,
    pub(crate) started_at: String,
    pub(crate) conditions: Conditions,
    pub(crate) totals: Totals,
    pub(crate) per_second: Rates,
    pub(crate) latency_us: BTreeMap<&'static str, Latency>,
    pub(crate) watchers: Option<Watchers>,
    pub(crate) closing: Option<Closing>,
    pub(crate) server: Vec<Server>,
    pub(crate) cost: Cost,
    pub(crate) check: Findings,
    /// What went against a promise, one line each.
    pub(crate) problems: Vec<String>,
    pub(crate) passed: bool,
    pub(crate) latency_curve: BTreeMap<&'static str, Vec<(f64, u64)>>,
    pub(crate) points: Vec<Point>,
    pub(crate) samples: Vec<Sample>,
}

/// Under which the figures hold.
#[derive(Debug, Serialize)]
pub(crate) struct Conditions {
    #[serde(flatten)]
    pub(crate) run: Run,
    /// Cores of the machine that made the load.
    pub(crate) cores: usize,
    /// How long bids were made.
    pub(crate) load_s: f64,
    /// Length of a point.
    pub(crate) interval_s: f64,
    pub(crate) interrupted: bool,
}

/// Counts of the whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Totals {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) rejected_by_code: Codes,
    pub(crate) pushed_back: u64,
    pub(crate) pushed_back_by_code: Codes,
    pub(crate) errors: u64,
    pub(crate) errors_by_code: Codes,
    pub(crate) unanswered: u64,
    pub(crate) unsent: u64,
    pub(crate) repeated: u64,
    pub(crate) repeats_that_differ: u64,
    pub(crate) reconnects: u64,
    pub(crate) resent: u64,
    pub(crate) deliveries: u64,
}

/// The same by second of load.
#[derive(Debug, Serialize)]
pub(crate) struct Rates {
    pub(crate) accepted: f64,
    pub(crate) rejected: f64,
    pub(crate) answered: f64,
    pub(crate) pushed_back: f64,
    pub(crate) errors: f64,
    pub(crate) deliveries: f64,
}

/// A distribution, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    #[serde(rename = "p99.9")]
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

/// What watchers saw.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Watchers {
    pub(crate) count: u64,
    /// Snapshots in place of events.
    pub(crate) snapshots: u64,
    /// Events missing without a word.
    pub(crate) gaps: u64,
    pub(crate) stale: u64,
    /// Watchers that had not seen the last event in the end.
    pub(crate) behind: u64,
    /// Watchers that were told of the close.
    pub(crate) told_closed: u64,
    /// Watchers that were told another final amount than the history's last.
    pub(crate) told_wrong_amount: u64,
}

/// How the close went.
#[derive(Debug, Serialize)]
pub(crate) struct Closing {
    /// From the closing instant to the first bid that was answered `closed`; below 0 is early.
    pub(crate) first_closed_answer_ms: Option<f64>,
    /// How far off that may be: the error of comparing clocks.
    pub(crate) clock_error_ms: Option<f64>,
    /// Bids in the history that are stamped at or after the end.
    pub(crate) late: u64,
}

/// One server's process with its children, during the load.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) pid: u32,
    pub(crate) cpu_s: f64,
    pub(crate) memory_max_bytes: u64,
    pub(crate) memory_end_bytes: u64,
}

/// CPU microseconds; `None` where nothing was counted.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) server_cpu_s: Option<f64>,
    pub(crate) server_us_per_acknowledged: Option<f64>,
    pub(crate) server_us_per_answer: Option<f64>,
    pub(crate) server_us_per_delivery: Option<f64>,
    pub(crate) generator_cpu_s: f64,
    pub(crate) generator_us_per_answer: Option<f64>,
    pub(crate) generator_us_per_delivery: Option<f64>,
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

fn per(total: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| total / float(count))
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            mean: histogram.mean(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

/// Quantiles that come closer to 1 step by step, as far as there are values to tell them apart.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let mut curve = Vec::new();
    for step in 0.. {
        let rest = 10_f64.powf(-f64::from(step) / f64::from(CURVE_POINTS_PER_NINE));
        if histogram.is_empty() || rest * float(histogram.len()) < 1.0 {
            break;
        }
        curve.push((1.0 - rest, histogram.value_at_quantile(1.0 - rest)));
    }
    curve
}

impl Totals {
    fn of(tally: &Tally) -> Self {
        Self {
            accepted: tally.accepted.len(),
            rejected: tally.rejected.len(),
            rejected_by_code: tally.rejections.clone(),
            pushed_back: tally.pushed_back.values().sum(),
            pushed_back_by_code: tally.pushed_back.clone(),
            errors: tally.errors.values().sum(),
            errors_by_code: tally.errors.clone(),
            unanswered: tally.in_flight,
            unsent: tally.unsent,
            repeated: tally.repeated,
            repeats_that_differ: tally.repeats_that_differ,
            reconnects: tally.reconnects,
            resent: tally.resent,
            deliveries: tally.deliveries,
        }
    }

    fn rates(&self, load: Duration) -> Rates {
        let rate = |count: u64| float(count) / load.as_secs_f64().max(0.001);
        Rates {
            accepted: rate(self.accepted),
            rejected: rate(self.rejected),
            answered: rate(self.accepted + self.rejected),
            pushed_back: rate(self.pushed_back),
            errors: rate(self.errors),
            deliveries: rate(self.deliveries),
        }
    }
}

impl Watchers {
    fn of(watched: &[Watched], top_amounts: &[Option<i64>]) -> Self {
        let mut all = Self::default();
        for watched in watched {
            let follow = &watched.follow;
            all.count += 1;
            all.snapshots += follow.snapshots;
            all.gaps += follow.gaps;
            all.stale += follow.stale;
            all.behind += u64::from(watched.behind);
            all.told_closed += u64::from(follow.closed);
            let wrong = follow.closed && follow.closing_amount != top_amounts[watched.auction];
            all.told_wrong_amount += u64::from(wrong);
        }
        all
    }
}

impl Cost {
    fn of(sampler: &Sampler, totals: &Totals) -> Self {
        let used = sampler.used();
        let server: f64 = used.servers.iter().map(|server| server.cpu_s).sum();
        let server = (!used.servers.is_empty()).then_some(server);
        let answers = totals.accepted + totals.rejected;
        let us = |seconds: f64, count: u64| per(seconds * 1e6, count);
        Self {
            server_cpu_s: server,
            server_us_per_acknowledged: server.and_then(|seconds| us(seconds, totals.accepted)),
            server_us_per_answer: server.and_then(|seconds| us(seconds, answers)),
            server_us_per_delivery: server.and_then(|seconds| us(seconds, totals.deliveries)),
            generator_cpu_s: used.own.cpu_s,
            generator_us_per_answer: us(used.own.cpu_s, answers),
            generator_us_per_delivery: us(used.own.cpu_s, totals.deliveries),
        }
    }
}

fn servers(run: &Run, sampler: &Sampler) -> Vec<Server> {
    let used = sampler.used();
    let one = |(index, pid): (usize, &u32)| Server {
        pid: *pid,
        cpu_s: used.servers[index].cpu_s,
        memory_max_bytes: sampler
            .samples
            .iter()
            .map(|sample| sample.memory_bytes[index])
            .chain([used.servers[index].memory_bytes])
            .max()
            .unwrap_or(0),
        memory_end_bytes: used.servers[index].memory_bytes,
    };
    run.pids.iter().enumerate().map(one).collect()
}

impl Report {
    /// Puts an outcome into its final form.
    pub(crate) fn new(outcome: Outcome) -> Self {
        let Outcome { run, tally, sampler, histories, .. } = outcome;
        let totals = Totals::of(&tally);
        let watchers = (run.watchers > 0).then(|| Watchers::of(&outcome.follows, &histories.top_amounts));
        let closing = (run.scenario == Scenario::Closing).then(|| Closing {
            first_closed_answer_ms: outcome.first_closed_ms.map(|(after_ms, _)| after_ms),
            clock_error_ms: outcome.first_closed_ms.map(|(_, error_ms)| error_ms),
            late: histories.findings.late,
        });
        let histograms = [("accepted", &tally.accepted), ("rejected", &tally.rejected), ("delivery", &tally.delivery)];
        let mut report = Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            started_at: clock::rfc3339(outcome.started_at_ms),
            per_second: totals.rates(outcome.load),
            latency_us: histograms.iter().map(|(name, histogram)| (*name, Latency::of(histogram))).collect(),
            watchers,
            closing,
            server: servers(&run, &sampler),
            cost: Cost::of(&sampler, &totals),
            check: histories.findings,
            problems: Vec::new(),
            passed: false,
            latency_curve: histograms.iter().map(|(name, histogram)| (*name, curve(histogram))).collect(),
            totals,
            points: sampler.points,
            samples: sampler.samples,
            conditions: Conditions {
                cores: std::thread::available_parallelism().map_or(1, usize::from),
                load_s: outcome.load.as_secs_f64(),
                interval_s: outcome.interval.as_secs_f64(),
                interrupted: outcome.interrupted,
                run,
            },
        };
        report.problems = report.find_problems();
        report.passed = report.problems.is_empty();
        report
    }

    fn find_problems(&self) -> Vec<String> {
        let mut problems = self.check.faults.clone();
        let mut add = |wrong: bool, text: String| {
            if wrong {
                problems.push(text);
            }
        };
        let run = &self.conditions.run;
        add(!self.check.is_clean() && self.check.faults.is_empty(), "the history differs".to_owned());
        let differ = self.totals.repeats_that_differ;
        add(differ > 0, format!("{differ} repeated bids got another answer than the first time"));
        let nothing = match run.strategy {
            Strategy::Rising => self.totals.accepted == 0,
            Strategy::TooLow => self.totals.rejected == 0,
        };
        add(nothing && !self.conditions.interrupted, "no bid got the answer that this load is about".to_owned());
        if let Some(watchers) = &self.watchers {
            add(watchers.gaps > 0, format!("watchers missed {} events without being told", watchers.gaps));
            add(watchers.behind > 0, format!("{} watchers never saw the last event", watchers.behind));
            let untold = watchers.count - watchers.told_closed;
            let must_tell = run.scenario == Scenario::Closing && !self.conditions.interrupted;
            add(must_tell && untold > 0, format!("{untold} watchers were not told that the auction closed"));
            let wrong = watchers.told_wrong_amount;
            add(wrong > 0, format!("{wrong} watchers were told another final amount than the history's"));
        }
        if let Some(Closing { first_closed_answer_ms: Some(after_ms), clock_error_ms, .. }) = &self.closing {
            let early = *after_ms < -(clock_error_ms.unwrap_or(0.0) + EARLY_CLOSE_MS);
            add(early, format!("a bid was told that the auction is closed {:.1} ms before its end", -after_ms));
        }
        problems
    }

    /// Writes `report.json` and `report.html` into `folder`, which is made if it is missing.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), LoadError> {
        fs::create_dir_all(folder).map_err(LoadError::doing("making the report's folder"))?;
        let json = serde_json::to_string_pretty(self).map_err(LoadError::doing("writing report.json"))?;
        fs::write(folder.join("report.json"), json).map_err(LoadError::doing("writing report.json"))?;
        fs::write(folder.join("report.html"), html::render(self)?).map_err(LoadError::doing("writing report.html"))
    }
}
