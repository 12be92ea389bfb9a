//! What the keeper of this node's shards counts.

use metrics::{Counter, Gauge, counter, gauge};

use crate::domain::Span;

/// Handles made once.
pub(super) struct Meters {
    shards_owned: Gauge,
    clock_offset: Gauge,
    nodes_alive: Gauge,
    pub(super) taken: Counter,
    pub(super) handed_over: Counter,
    pub(super) lost: Counter,
    pub(super) renewals_failed: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            shards_owned: gauge!("gavel_shards_owned"),
            clock_offset: gauge!("gavel_clock_offset_seconds"),
            nodes_alive: gauge!("gavel_nodes_alive"),
            taken: counter!("gavel_takeovers_total"),
            handed_over: counter!("gavel_shards_handed_over_total"),
            lost: counter!("gavel_shards_lost_total"),
            renewals_failed: counter!("gavel_renewals_failed_total"),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "there are few shards")]
    pub(super) fn owned(&self, shards: usize) {
        self.shards_owned.set(shards as f64);
    }

    #[allow(clippy::cast_precision_loss, reason = "there are few nodes")]
    pub(super) fn alive(&self, nodes: usize) {
        self.nodes_alive.set(nodes as f64);
    }

    #[allow(clippy::cast_precision_loss, reason = "a microsecond more or less is measurement error")]
    pub(super) fn clock_offset(&self, own_minus_stores: Span) {
        self.clock_offset.set(own_minus_stores.0 as f64 / 1e6);
    }
}
