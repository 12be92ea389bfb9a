//! What the way to the owner counts.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles of the router's and the link's metrics, made once.
pub(super) struct Metrics {
    /// Bids handed to a link, each attempt.
    pub(super) forwarded: Counter,
    /// Those of them that went through a third node.
    pub(super) relayed: Counter,
    /// From handing a bid to the link to its reply, without the time that the owner took over it.
    pub(super) hop_seconds: Histogram,
    /// Bids that wait for a home.
    pub(super) stashed: Gauge,
    /// Bids that were turned away because too many waited, or had waited long enough.
    pub(super) unplaced: Counter,
    /// Notices of created auctions that were dropped.
    pub(super) notices_dropped: Counter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            forwarded: counter!("gavel_bids_forwarded_total"),
            relayed: counter!("gavel_bids_relayed_total"),
            hop_seconds: histogram!("gavel_link_hop_seconds"),
            stashed: gauge!("gavel_bids_stashed"),
            unplaced: counter!("gavel_bids_unplaced_total"),
            notices_dropped: counter!("gavel_created_notices_dropped_total"),
        }
    }
}

/// Handles of one peer's metrics.
pub(super) struct PeerMetrics {
    /// Forwarded bids without an answer.
    pub(super) in_flight: Gauge,
    /// Streams that broke.
    pub(super) broken: Counter,
    /// Attempts to connect that failed.
    pub(super) failed: Counter,
}

impl PeerMetrics {
    pub(super) fn new(address: &str) -> Self {
        let peer = || address.to_owned();
        Self {
            in_flight: gauge!("gavel_link_bids_in_flight", "peer" => peer()),
            broken: counter!("gavel_link_broken_total", "peer" => peer()),
            failed: counter!("gavel_link_connects_failed_total", "peer" => peer()),
        }
    }
}
