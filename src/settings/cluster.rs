//! What a node of a cluster needs to know: its name, its internal address, the secret that the nodes share.

use std::fmt;
use std::net::SocketAddr;

use serde::Deserialize;

use super::{BusUrl, Check, StoreUrl};
use crate::limits;

/// The section `[cluster]`. Its values count when the store is Postgres; they are there in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The node's name, never empty: 1 to [`limits::NODE_NAME_BYTES_MAX`] letters, digits, `-`, `_`, `.`.
    pub node: String,
    /// Where the node listens for the other nodes; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `HOST:PORT` that the other nodes dial. `None`: the address that was bound for `listen`.
    pub advertise: Option<String>,
    /// What proves to a node that it is spoken to by another one. Empty when the store is not shared.
    pub secret: Secret,
    /// Shards of a cluster that has to be created.
    pub shards: u32,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself: for those who must send it or compare it, never to be written anywhere.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_empty() { "(none)" } else { "***" })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCluster {
    node: String,
    listen: String,
    advertise: String,
    secret: String,
    shards: u32,
}

impl Check<'_> {
    /// The section `[cluster]` beside what it must fit to.
    pub(super) fn cluster(&mut self, raw: RawCluster, public: SocketAddr, store: &StoreUrl) -> ClusterSettings {
        let shared = matches!(store, StoreUrl::Postgres(_));
        let listen = self
            .parsed("cluster.listen", &raw.listen, "an address with a port, such as 10.0.0.1:7000")
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        if overlap(listen, public) && !self.is_at_fault("http.listen") {
            self.fault(
                "cluster.listen",
                format!("{listen} is the public address (http.listen); the nodes speak on one of their own"),
            );
        }
        ClusterSettings {
            node: self.node(raw.node),
            advertise: self.advertise(raw.advertise, listen, shared),
            listen,
            secret: self.secret(raw.secret, shared),
            shards: self.shards(raw.shards),
        }
    }

    /// A bus between processes needs a store that they share.
    pub(super) fn bus_fits(&mut self, store: &StoreUrl, bus: &BusUrl) {
        let apart = matches!((store, bus), (StoreUrl::Sqlite(_), BusUrl::Redis(_)));
        if apart && !self.is_at_fault("store.url") {
            let problem = "Redis carries events between nodes, and an SQLite store has only one: set `memory:`, or \
                           store.url to `postgres://…`";
            self.fault("bus.url", problem.to_owned());
        }
    }

    fn node(&mut self, name: String) -> String {
        if name.is_empty() {
            return derived_name(&host());
        }
        let fits = name.len() <= limits::NODE_NAME_BYTES_MAX && name.chars().all(in_a_name);
        if !fits {
            let most = limits::NODE_NAME_BYTES_MAX;
            self.fault(
                "cluster.node",
                format!("`{name}` is not a name of 1 to {most} letters, digits, `-`, `_` and `.`"),
            );
        }
        name
    }

    fn advertise(&mut self, given: String, listen: SocketAddr, shared: bool) -> Option<String> {
        if given.is_empty() {
            if shared && listen.ip().is_unspecified() {
                let problem = format!("{listen} is no address that other nodes can dial: give HOST:PORT");
                self.fault("cluster.advertise", problem);
            }
            return None;
        }
        let fits = given.rsplit_once(':').is_some_and(|(host, port)| {
            let host_fits = !host.is_empty() && !host.contains(|letter: char| letter.is_whitespace() || letter == '/');
            host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !fits {
            self.fault("cluster.advertise", format!("`{given}` is not HOST:PORT, such as node1.internal:7000"));
        }
        Some(given)
    }

    fn secret(&mut self, secret: String, shared: bool) -> Secret {
        if shared && secret.len() < limits::CLUSTER_SECRET_CHARS_MIN {
            let least = limits::CLUSTER_SECRET_CHARS_MIN;
            let problem = format!(
                "a Postgres store needs a secret of at least {least} characters, the same on every node (openssl rand -hex 32)"
            );
            self.fault("cluster.secret", problem);
        }
        Secret(secret)
    }

    fn shards(&mut self, shards: u32) -> u32 {
        if !(1..=limits::SHARDS_MAX).contains(&shards) {
            self.fault("cluster.shards", format!("{shards} is not a number from 1 to {}", limits::SHARDS_MAX));
        }
        shards
    }
}

/// Whether both cannot be listened on.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_ip
}

fn in_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.".contains(letter)
}

/// Four letters and digits that another process on the same host will not have.
fn suffix() -> String {
    format!("{:04x}", rand::random::<u16>())
}

/// As much of the host's name as fits, and something that tells processes on it apart.
fn derived_name(host: &str) -> String {
    let suffix = suffix();
    let room = limits::NODE_NAME_BYTES_MAX - suffix.len() - 1;
    let host: String = host.chars().filter(|letter| in_a_name(*letter)).take(room).collect();
    let host = if host.is_empty() { "node" } else { &host };
    format!("{host}-{suffix}")
}

fn host() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_name_fits_and_differs() {
        for host in ["", "auction-house-number-one.example.org", "büro", "a"] {
            let names: std::collections::HashSet<String> = (0..50).map(|_| derived_name(host)).collect();
            assert!(names.len() > 40, "{host}");
            for name in names {
                assert!(
                    (6..=limits::NODE_NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(in_a_name),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn addresses_overlap_when_both_cannot_be_bound() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(overlap(at("127.0.0.1:80"), at("127.0.0.1:80")));
        assert!(overlap(at("0.0.0.0:80"), at("127.0.0.1:80")));
        assert!(!overlap(at("10.0.0.1:80"), at("127.0.0.1:80")));
        assert!(!overlap(at("127.0.0.1:0"), at("127.0.0.1:0")));
        assert!(!overlap(at("0.0.0.0:80"), at("127.0.0.1:81")));
    }

    #[test]
    fn a_secret_does_not_show() {
        assert_eq!(format!("{:?}", Secret("hunter2hunter2hunter2".to_owned())), "***");
    }
}
