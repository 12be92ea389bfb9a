//! The command line, and what it means for each scenario once defaults are filled in.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::Serialize;

use crate::error::LoadError;
use crate::target::Target;

/// What kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// Every bid on one auction.
    Hot,
    /// Bids over many auctions in turn.
    Spread,
    /// Many watchers of one auction, few bidders at a calm pace.
    Watch,
    /// A rush at the end of one auction: bids on both sides of the closing instant.
    Closing,
    /// Mixed and long: both transports, refusals, repeats, watchers that come and go.
    Soak,
}

/// What carries the bids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// `POST` on kept-alive connections, one bid in flight on each.
    Http,
    /// WebSocket, `--in-flight` bids on each connection.
    Ws,
}

/// Which amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strategy {
    /// Each bid higher than all drawn before it: most are accepted.
    Rising,
    /// Each bid below the top: all are refused.
    TooLow,
}

/// Load for a Gavel server, and a check of every acknowledged bid afterwards.
///
/// Exit codes: 0 fine, 1 the run or the check failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, max_term_width = 100)]
pub(crate) struct Args {
    #[arg(value_enum)]
    pub(crate) scenario: Scenario,
    /// A node's address, http://HOST:PORT; once for each node. Connections take them in turn.
    #[arg(long = "url", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) urls: Vec<String>,
    /// Connections that bid [default: 64; watch 2; soak 16].
    #[arg(long)]
    pub(crate) connections: Option<usize>,
    /// Bids a second over all connections (open loop: latency from the intended start). 0 is a closed
    /// loop: each connection bids again as soon as it has its answer [default: 0; watch 50; soak 500].
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// How long to load: 30, 30s, 5m, 1h [default: 10s; soak 10m].
    #[arg(long, value_parser = parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Bids to make at most: with the last one the load ends, if its duration is not over before.
    #[arg(long)]
    pub(crate) bids: Option<u64>,
    /// What carries the bids; soak uses both.
    #[arg(long, value_enum, default_value_t = Transport::Http)]
    pub(crate) transport: Transport,
    /// Bids in flight on a WebSocket connection.
    #[arg(long, default_value_t = 32)]
    pub(crate) in_flight: usize,
    /// Which amounts to bid.
    #[arg(long, value_enum, default_value_t = Strategy::Rising)]
    pub(crate) strategy: Strategy,
    /// Auctions to spread bids over [default: 1; spread 64; soak 8].
    #[arg(long)]
    pub(crate) auctions: Option<usize>,
    /// Auctions to bid on instead of creating them: one a line, the JSON that creating them gave. Needs
    /// --no-check, for their history is not this run's alone.
    #[arg(long, value_name = "FILE", requires = "no_check")]
    pub(crate) given: Option<PathBuf>,
    /// WebSocket sessions that watch [default: 0; watch 1000; closing 100; soak 200].
    #[arg(long)]
    pub(crate) watchers: Option<usize>,
    /// Accounts to sign up as bidders, at least 2 [default: one for each connection, at most 16].
    #[arg(long)]
    pub(crate) max_bidders: Option<usize>,
    /// The auctions' rule `leader_may_raise` [default: false over http, where bidders alternate bid by
    /// bid; true over ws, where a connection speaks for one bidder and has several bids in flight].
    #[arg(long)]
    pub(crate) leader_may_raise: Option<bool>,
    /// Threads that make the load.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// A server's process, for its CPU and memory with those of its children; repeatable.
    #[arg(long = "pid")]
    pub(crate) pids: Vec<u32>,
    /// Writes report.json and report.html into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Does not read the history afterwards: for servers that keep none.
    #[arg(long)]
    pub(crate) no_check: bool,
    /// Allows addresses that are not loopback.
    #[arg(long)]
    pub(crate) any_address: bool,
}

/// A run with every default filled in; goes into the report as its conditions.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    pub(crate) urls: Vec<String>,
    #[serde(skip)]
    pub(crate) targets: Vec<Target>,
    pub(crate) connections: usize,
    /// `None` is a closed loop.
    pub(crate) rate_per_s: Option<f64>,
    #[serde(serialize_with = "as_seconds", rename = "duration_s")]
    pub(crate) duration: Duration,
    /// At most so many bids.
    pub(crate) bids: Option<u64>,
    pub(crate) transport: Transport,
    pub(crate) in_flight: usize,
    pub(crate) strategy: Strategy,
    pub(crate) auctions: usize,
    /// Auctions that are there already.
    #[serde(skip)]
    pub(crate) given: Option<PathBuf>,
    pub(crate) watchers: usize,
    pub(crate) bidders: usize,
    pub(crate) leader_may_raise: bool,
    pub(crate) threads: usize,
    pub(crate) pids: Vec<u32>,
    /// Whether the history is read afterwards and held against what was acknowledged.
    pub(crate) checked: bool,
    #[serde(skip)]
    pub(crate) report: Option<PathBuf>,
}

impl Args {
    /// Fills in the scenario's defaults and refuses what makes no sense.
    pub(crate) fn resolve(self) -> Result<Run, LoadError> {
        let targets =
            self.urls.iter().map(|url| Target::parse(url, self.any_address)).collect::<Result<Vec<_>, LoadError>>()?;
        let defaults = Defaults::of(self.scenario);
        let connections = self.connections.unwrap_or(defaults.connections);
        let rate = self.rate.unwrap_or(defaults.rate_per_s);
        let bidders = self.max_bidders.unwrap_or_else(|| connections.min(16)).max(2);
        let over_ws = self.transport == Transport::Ws || self.scenario == Scenario::Soak;
        let run = Run {
            scenario: self.scenario,
            urls: self.urls,
            targets,
            connections,
            rate_per_s: (rate > 0.0).then_some(rate),
            duration: self.duration.unwrap_or(defaults.duration),
            bids: self.bids,
            transport: self.transport,
            in_flight: self.in_flight,
            strategy: self.strategy,
            auctions: self.auctions.unwrap_or(defaults.auctions),
            given: self.given,
            watchers: self.watchers.unwrap_or(defaults.watchers),
            bidders,
            leader_may_raise: self.leader_may_raise.unwrap_or(over_ws),
            threads: self.threads,
            pids: self.pids,
            checked: !self.no_check,
            report: self.report,
        };
        run.validate(rate)?;
        Ok(run)
    }
}

impl Run {
    fn validate(&self, rate: f64) -> Result<(), LoadError> {
        let single = matches!(self.scenario, Scenario::Hot | Scenario::Watch | Scenario::Closing);
        let faults = [
            (self.connections == 0, "--connections must be at least 1"),
            (!rate.is_finite() || rate < 0.0, "--rate must be 0 or more"),
            (self.duration.is_zero(), "--duration must be longer than 0"),
            (self.bids == Some(0), "--bids must be at least 1"),
            (
                self.given.is_some() && self.scenario == Scenario::Closing,
                "closing needs an auction that ends with the run: not --given",
            ),
            (self.in_flight == 0, "--in-flight must be at least 1"),
            (self.auctions == 0, "--auctions must be at least 1"),
            (single && self.auctions != 1, "this scenario has one auction: use spread or soak with --auctions"),
            (self.threads == 0, "--threads must be at least 1"),
            (
                self.scenario == Scenario::Closing && self.strategy == Strategy::TooLow,
                "closing needs bids that can be accepted: --strategy rising",
            ),
        ];
        match faults.iter().find(|(wrong, _)| *wrong) {
            Some((_, what)) => Err(LoadError::Usage((*what).to_owned())),
            None => Ok(()),
        }
    }

    /// Sockets that the run keeps open.
    pub(crate) fn sockets(&self) -> usize {
        self.connections + self.watchers
    }
}

struct Defaults {
    connections: usize,
    rate_per_s: f64,
    duration: Duration,
    auctions: usize,
    watchers: usize,
}

impl Defaults {
    fn of(scenario: Scenario) -> Self {
        let hot =
            Self { connections: 64, rate_per_s: 0.0, duration: Duration::from_secs(10), auctions: 1, watchers: 0 };
        match scenario {
            Scenario::Hot => hot,
            Scenario::Spread => Self { auctions: 64, ..hot },
            Scenario::Watch => Self { connections: 2, rate_per_s: 50.0, watchers: 1_000, ..hot },
            Scenario::Closing => Self { watchers: 100, ..hot },
            Scenario::Soak => Self {
                connections: 16,
                rate_per_s: 500.0,
                duration: Duration::from_mins(10),
                auctions: 8,
                watchers: 200,
            },
        }
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).len());
    let number: f64 = digits.parse().map_err(|cause| format!("{cause}; expected 30, 30s, 5m or 1h"))?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1_000.0,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return Err(format!("unknown unit {unit}; expected s, ms, m or h")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|cause| cause.to_string())
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(line: &[&str]) -> Result<Run, LoadError> {
        Args::try_parse_from([&["loadtest"], line].concat()).unwrap().resolve()
    }

    #[test]
    fn each_scenario_has_its_own_defaults() {
        let hot = resolve(&["hot"]).unwrap();
        assert_eq!((hot.connections, hot.rate_per_s, hot.auctions, hot.bidders), (64, None, 1, 16));
        assert!(!hot.leader_may_raise);
        let watch = resolve(&["watch"]).unwrap();
        assert_eq!((watch.connections, watch.rate_per_s, watch.watchers, watch.bidders), (2, Some(50.0), 1_000, 2));
        assert_eq!(resolve(&["spread"]).unwrap().auctions, 64);
        assert_eq!(resolve(&["soak"]).unwrap().duration, Duration::from_mins(10));
    }

    #[test]
    fn even_one_connection_has_two_bidders() {
        assert_eq!(resolve(&["hot", "--connections", "1"]).unwrap().bidders, 2);
        assert_eq!(resolve(&["hot", "--max-bidders", "1"]).unwrap().bidders, 2);
    }

    #[test]
    fn bids_over_websocket_let_the_leader_raise_unless_told_otherwise() {
        assert!(resolve(&["hot", "--transport", "ws"]).unwrap().leader_may_raise);
        assert!(!resolve(&["hot", "--transport", "ws", "--leader-may-raise", "false"]).unwrap().leader_may_raise);
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("90").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_duration("1.5m").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert!(parse_duration("3 weeks").is_err());
        assert!(parse_duration("-1").is_err());
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for line in [
            &["hot", "--connections", "0"][..],
            &["hot", "--auctions", "2"],
            &["hot", "--duration", "0"],
            &["hot", "--rate=-1"],
            &["hot", "--url", "http://192.0.2.7:80"],
            &["closing", "--strategy", "too-low"],
            &["hot", "--bids", "0"],
            &["closing", "--given", "auctions", "--no-check"],
        ] {
            assert!(matches!(resolve(line), Err(LoadError::Usage(_))), "{line:?}");
        }
        assert!(Args::try_parse_from(["loadtest", "cold"]).is_err());
        assert!(Args::try_parse_from(["loadtest", "hot", "--given", "auctions"]).is_err());
    }

    #[test]
    fn urls_are_repeatable() {
        let run = resolve(&["hot", "--url", "http://127.0.0.1:1", "--url", "http://127.0.0.1:2"]).unwrap();
        assert_eq!(run.targets.len(), 2);
    }
}
