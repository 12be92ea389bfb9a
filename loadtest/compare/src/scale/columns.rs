//! The four parts: their steps, the columns of their tables, and what their plots show.

use clap::ValueEnum;

use crate::table::Unit;

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Auctions,
    Watchers,
    History,
    Nodes,
}

/// A column: its head, the figure, and how it is written.
pub(super) type Column = (&'static str, &'static str, Unit);

/// What one of many takes: its figure, from which figure in MiB, and below which step it says nothing.
pub(super) type Growth = (&'static str, &'static str, u64);

/// A plot: its title, its y axis, and for each line a name and the figure.
pub(super) type Chart = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const AUCTIONS: [Column; 14] = [
    ("created/s", "created_per_s", Unit::Whole),
    ("ready after a crash, ms", "ready_ms", Unit::Whole),
    ("server memory then, MiB", "memory_open_mib", Unit::Fine),
    ("KiB an auction asleep", "open_bytes", Unit::Kilobytes),
    ("first bids/s", "waking_per_s", Unit::Whole),
    ("server CPU µs a first bid", "waking_us", Unit::Fine),
    ("answers/s", "answered_per_s", Unit::Whole),
    ("of these accepted/s", "accepted_per_s", Unit::Whole),
    ("p50 ms", "p50_ms", Unit::Fine),
    ("p99 ms", "p99_ms", Unit::Fine),
    ("server CPU µs an answer", "server_us", Unit::Fine),
    ("auctions awake then", "awake", Unit::Whole),
    ("server memory, MiB", "memory_awake_mib", Unit::Fine),
    ("KiB an auction awake", "awake_bytes", Unit::Kilobytes),
];
const WATCHERS: [Column; 8] = [
    ("deliveries/s", "delivered_per_s", Unit::Whole),
    ("server CPU µs a delivery", "delivery_us", Unit::Fine),
    ("server CPU, % of a core", "core_percent", Unit::Fine),
    ("p50 ms", "p50_ms", Unit::Fine),
    ("p99 ms", "p99_ms", Unit::Fine),
    ("lost", "lost", Unit::Whole),
    ("server memory, MiB", "memory_mib", Unit::Fine),
    ("KiB a session", "session_bytes", Unit::Kilobytes),
];
const HISTORY: [Column; 15] = [
    ("events", "events", Unit::Whole),
    ("made/s", "made_per_s", Unit::Whole),
    ("store on disk, MiB", "store_mib", Unit::Fine),
    ("bytes an event", "event_bytes", Unit::Whole),
    ("server memory before the crash, MiB", "memory_before_mib", Unit::Fine),
    ("ready after it, ms", "ready_ms", Unit::Whole),
    ("memory then, MiB", "memory_restarted_mib", Unit::Fine),
    ("first bid answered, ms", "first_bid_ms", Unit::Fine),
    ("next bid, ms", "next_bid_ms", Unit::Fine),
    ("memory then, MiB", "memory_after_mib", Unit::Fine),
    ("of it bytes an event", "event_memory_bytes", Unit::Whole),
    ("GET of the auction, ms", "auction_ms", Unit::Fine),
    ("last page, ms", "last_page_ms", Unit::Fine),
    ("page in the middle, ms", "middle_page_ms", Unit::Fine),
    ("gavel verify, s", "verify_s", Unit::Fine),
];
const NODES: [Column; 11] = [
    ("answers/s", "answered_per_s", Unit::Whole),
    ("of these accepted/s", "accepted_per_s", Unit::Whole),
    ("p50 ms", "p50_ms", Unit::Fine),
    ("p99 ms", "p99_ms", Unit::Fine),
    ("CPU µs an answer: all nodes", "nodes_us", Unit::Fine),
    ("Postgres", "postgres_us", Unit::Fine),
    ("Redis", "redis_us", Unit::Fine),
    ("generator", "generator_us", Unit::Fine),
    ("CPU of all in cores", "cores_used", Unit::Fine),
    ("memory of a node, MiB", "node_mib", Unit::Fine),
    ("rows that break a promise", "broken", Unit::Whole),
];

const AUCTION_CHARTS: [Chart; 4] = [
    (
        "Memory by open auctions",
        "MiB",
        &[("all open", "memory_open_mib"), ("all that were bid on awake", "memory_awake_mib")],
    ),
    ("Bids spread over all auctions", "a second", &[("answers", "answered_per_s"), ("first bids", "waking_per_s")]),
    (
        "What a bid costs, and how long it takes",
        "µs of CPU, ms",
        &[("server CPU µs an answer", "server_us"), ("p99 ms", "p99_ms")],
    ),
    ("From the start to ready, after a crash", "ms", &[("ready", "ready_ms")]),
];
const WATCHER_CHARTS: [Chart; 3] = [
    ("What a delivery costs", "µs of CPU", &[("a delivery", "delivery_us")]),
    ("From when an event was due to its delivery", "ms", &[("p50", "p50_ms"), ("p99", "p99_ms")]),
    ("Server memory by watchers", "MiB", &[("all of it", "memory_mib")]),
];
const HISTORY_CHARTS: [Chart; 3] = [
    (
        "Size by events of one auction",
        "MiB",
        &[
            ("store on disk", "store_mib"),
            ("memory before the crash", "memory_before_mib"),
            ("memory after the first bid", "memory_after_mib"),
        ],
    ),
    (
        "After a crash",
        "ms",
        &[("ready", "ready_ms"), ("first bid answered", "first_bid_ms"), ("next bid", "next_bid_ms")],
    ),
    (
        "Reading",
        "ms",
        &[("the auction", "auction_ms"), ("last page", "last_page_ms"), ("page in the middle", "middle_page_ms")],
    ),
];
const NODE_CHARTS: [Chart; 2] = [
    ("Bids spread over all nodes", "a second", &[("answers", "answered_per_s")]),
    (
        "What a bid costs",
        "µs of CPU an answer",
        &[("all nodes", "nodes_us"), ("Postgres", "postgres_us"), ("Redis", "redis_us")],
    ),
];

impl Part {
    /// All, in the order in which they are measured.
    pub(super) const ALL: [Self; 4] = [Self::Auctions, Self::Watchers, Self::History, Self::Nodes];

    /// What its table is called where it is pasted.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auctions => "auctions",
            Self::Watchers => "watchers",
            Self::History => "history",
            Self::Nodes => "nodes",
        }
    }

    /// What is counted.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Auctions => "open auctions",
            Self::Watchers => "watchers",
            Self::History => "bids on one auction",
            Self::Nodes => "nodes",
        }
    }

    /// With the conditions that hold for this part alone.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Auctions => {
                "Open auctions: one node, embedded store, bids over HTTP from 64 connections in turn over all of them"
            }
            Self::Watchers => {
                "Watchers of one auction over WebSocket, 10 events/s; server on one core, watchers on another"
            }
            Self::History => {
                "Bids in one auction's history: made over one WebSocket with 200 in flight, embedded store; then the \
                 server is killed and started again, files still in the kernel's cache; pages of 1,000 rows"
            }
            Self::Nodes => {
                "Nodes: Postgres and Redis beside them, all and the generator on this one machine; bids over HTTP from 64 \
                 connections to all nodes in turn, over 300 auctions"
            }
        }
    }

    /// How far it goes.
    pub(super) const fn steps(self, quick: bool) -> &'static [u64] {
        match (self, quick) {
            (Self::Auctions, false) => &[1, 10, 100, 1_000, 10_000, 100_000],
            (Self::Auctions, true) => &[1, 100, 1_000],
            (Self::Watchers, false) => &[1, 10, 100, 1_000, 10_000],
            (Self::Watchers, true) => &[1, 10, 100],
            (Self::History, false) => &[1, 1_000, 10_000, 100_000, 1_000_000],
            (Self::History, true) => &[1, 1_000, 10_000],
            (Self::Nodes, false) => &[1, 2, 3],
            (Self::Nodes, true) => &[1, 2],
        }
    }

    /// What one more takes. Server memory differs by some MiB from run to run: many make a difference that is theirs.
    pub(super) const fn growth(self) -> &'static [Growth] {
        match self {
            Self::Auctions => &[("open_bytes", "memory_open_mib", 10_000), ("awake_bytes", "memory_awake_mib", 10_000)],
            Self::Watchers => &[("session_bytes", "memory_mib", 1_000)],
            Self::History => &[("event_memory_bytes", "memory_after_mib", 100_000)],
            Self::Nodes => &[],
        }
    }

    pub(super) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Auctions => &AUCTIONS,
            Self::Watchers => &WATCHERS,
            Self::History => &HISTORY,
            Self::Nodes => &NODES,
        }
    }

    pub(super) const fn charts(self) -> &'static [Chart] {
        match self {
            Self::Auctions => &AUCTION_CHARTS,
            Self::Watchers => &WATCHER_CHARTS,
            Self::History => &HISTORY_CHARTS,
            Self::Nodes => &NODE_CHARTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_plot_is_a_column_of_the_table() {
        for part in Part::ALL {
            for (title, _, lines) in part.charts() {
                for (_, figure) in *lines {
                    let known = part.columns().iter().any(|(_, name, _)| name == figure);
                    assert!(known, "{title}: {figure} is in no column");
                }
            }
        }
    }

    #[test]
    fn what_one_takes_comes_from_a_column_and_goes_into_one() {
        for part in Part::ALL {
            for (to, from, _) in part.growth() {
                let known = |figure: &str| part.columns().iter().any(|(_, name, _)| *name == figure);
                assert!(known(to) && known(from), "{to} from {from}");
            }
        }
    }

    #[test]
    fn quick_steps_are_some_of_all_steps_and_not_the_last() {
        for part in Part::ALL {
            let (quick, all) = (part.steps(true), part.steps(false));
            assert!(quick.iter().all(|step| all.contains(step)), "{}", part.name());
            assert!(quick.first() == all.first() && quick.last() < all.last(), "{}", part.name());
        }
    }
}
