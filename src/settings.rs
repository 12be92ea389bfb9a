//! Settings: built-in defaults, then a file, then the environment (`GAVEL__SECTION__KEY`).
//!
//! Every fault is found at once and named by its key; nothing starts with a faulty setting.

mod cluster;
mod sources;
#[cfg(test)]
mod tests;
mod url;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use self::cluster::RawCluster;
pub use self::cluster::{ClusterSettings, Secret};
pub use self::url::{BusUrl, StoreUrl};

/// The built-in defaults, with each key's unit and reason.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `section.key`, or the file's name when it cannot be read at all.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl Fault {
    /// Whether it is the key's or its whole section's.
    fn is_about(&self, key: &str) -> bool {
        key.strip_prefix(&*self.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.key, self.problem)
    }
}

/// All faults of the settings, at least one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the settings have faults:\n{}", .0.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

/// When a bid is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// After it is on stable storage.
    Committed,
    /// From memory, before: a crash may lose what was acknowledged in the last few milliseconds.
    Decided,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// HTTP worker threads; 0 in the file means one for each core.
    pub workers: usize,
    /// Whether `X-Forwarded-For` names the client: only behind a proxy that sets it.
    pub trust_forwarded: bool,
    /// Origins besides our own from which state may be changed with a cookie.
    pub allowed_origins: Vec<String>,
    /// Whether the session cookie is marked `Secure`.
    pub secure_cookie: bool,
    pub store: StoreUrl,
    pub bus: BusUrl,
    pub cluster: ClusterSettings,
    pub ack: Ack,
    pub limits: RateLimits,
    /// Filter for the log, in `tracing`'s directive syntax.
    pub log: String,
}

/// What one user or address may take, mostly a number in a time; `enabled = false` turns all of it off, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct RateLimits {
    pub enabled: bool,
    /// Bids of one user, over every transport.
    pub bids_per_second: u32,
    /// Sign-ins tried from one address.
    pub sign_ins_per_minute: u32,
    /// Sign-ups from one address.
    pub sign_ups_per_minute: u32,
    /// Other state-changing requests of one user or address.
    pub writes_per_second: u32,
    /// Reading requests from one address.
    pub reads_per_second: u32,
    /// New live streams from one address.
    pub streams_per_minute: u32,
    /// Live streams that one address may hold at a time.
    pub streams_per_address: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    http: RawHttp,
    store: RawUrl,
    bus: RawUrl,
    cluster: RawCluster,
    engine: RawEngine,
    limits: RateLimits,
    log: RawLog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHttp {
    listen: String,
    workers: i64,
    trust_forwarded: bool,
    allowed_origins: Vec<String>,
    secure_cookie: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUrl {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEngine {
    ack: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    filter: String,
}

impl Settings {
    /// Reads the defaults, then `file` if given, then the environment.
    ///
    /// # Errors
    /// All faults at once.
    pub fn load(file: Option<&Path>) -> Result<Self, Faults> {
        Self::from_sources(file, sources::environment())
    }

    fn from_sources(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, Faults> {
        let (values, faults) = sources::merged(file, environment)?;
        let raw: Raw = serde_json::from_value(values)
            .map_err(|error| Faults(vec![Fault { key: "settings".to_owned(), problem: error.to_string() }]))?;
        Self::checked(raw, faults)
    }

    /// Checks what was read; where `faults` name a key already, its value is only the default.
    fn checked(raw: Raw, mut faults: Vec<Fault>) -> Result<Self, Faults> {
        let mut check = Check { not_read: faults.len(), faults: &mut faults };
        let listen = check
            .parsed("http.listen", &raw.http.listen, "an address with a port, such as 127.0.0.1:8080")
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let (store, bus) = (check.store_url(&raw.store.url), check.bus_url(&raw.bus.url));
        check.bus_fits(&store, &bus);
        let settings = Self {
            listen,
            workers: check.workers(raw.http.workers),
            trust_forwarded: raw.http.trust_forwarded,
            allowed_origins: check.origins(raw.http.allowed_origins),
            secure_cookie: raw.http.secure_cookie,
            cluster: check.cluster(raw.cluster, listen, &store),
            store,
            bus,
            ack: check.ack(&raw.engine.ack),
            limits: check.rates(raw.limits),
            log: check.filter(raw.log.filter),
        };
        if faults.is_empty() { Ok(settings) } else { Err(Faults(faults)) }
    }
}

struct Check<'a> {
    faults: &'a mut Vec<Fault>,
    /// So many of them, the first, are about keys that could not be read.
    not_read: usize,
}

impl Check<'_> {
    /// Notes a fault, unless the key's value is only the default in the place of what could not be read.
    fn fault(&mut self, key: &str, problem: String) {
        if !self.faults.iter().take(self.not_read).any(|fault| fault.is_about(key)) {
            self.faults.push(Fault { key: key.to_owned(), problem });
        }
    }

    /// Whether the key is at fault: then nothing follows from its value for others.
    fn is_at_fault(&self, key: &str) -> bool {
        self.faults.iter().any(|fault| fault.is_about(key))
    }

    fn parsed<T: FromStr>(&mut self, key: &str, text: &str, right: &str) -> Option<T> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(key, format!("`{text}` is not {right}"));
        }
        parsed
    }

    fn workers(&mut self, workers: i64) -> usize {
        match usize::try_from(workers) {
            Ok(0) => std::thread::available_parallelism().map_or(2, usize::from),
            Ok(workers) if workers <= 256 => workers,
            _ => {
                self.fault("http.workers", format!("{workers} is not a number from 0 (one for each core) to 256"));
                1
            }
        }
    }

    fn origins(&mut self, origins: Vec<String>) -> Vec<String> {
        for origin in &origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
                self.fault(
                    "http.allowed_origins",
                    format!("`{origin}` is not an origin, such as https://auction.example"),
                );
            }
        }
        origins
    }

    fn store_url(&mut self, url: &str) -> StoreUrl {
        StoreUrl::parse(url).unwrap_or_else(|problem| {
            self.fault("store.url", problem);
            StoreUrl::Sqlite(PathBuf::new())
        })
    }

    fn bus_url(&mut self, url: &str) -> BusUrl {
        BusUrl::parse(url).unwrap_or_else(|problem| {
            self.fault("bus.url", problem);
            BusUrl::Memory
        })
    }

    fn ack(&mut self, ack: &str) -> Ack {
        match ack {
            "committed" => Ack::Committed,
            "decided" => Ack::Decided,
            _ => {
                self.fault("engine.ack", format!("`{ack}` is not `committed` or `decided`"));
                Ack::Committed
            }
        }
    }

    fn rates(&mut self, rates: RateLimits) -> RateLimits {
        let all = [
            ("limits.bids_per_second", rates.bids_per_second),
            ("limits.sign_ins_per_minute", rates.sign_ins_per_minute),
            ("limits.sign_ups_per_minute", rates.sign_ups_per_minute),
            ("limits.writes_per_second", rates.writes_per_second),
            ("limits.reads_per_second", rates.reads_per_second),
            ("limits.streams_per_minute", rates.streams_per_minute),
            ("limits.streams_per_address", rates.streams_per_address),
        ];
        for (key, rate) in all {
            if rate == 0 {
                self.fault(
                    key,
                    "0 lets nothing through; give at least 1 (limits.enabled = false turns limits off)".to_owned(),
                );
            }
        }
        rates
    }

    fn filter(&mut self, filter: String) -> String {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
            self.fault("log.filter", format!("`{filter}` is not a log filter such as `info,gavel=debug`: {error}"));
        }
        filter
    }
}
