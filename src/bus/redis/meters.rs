//! What this bus counts. Handles are made once.

use metrics::{Counter, Gauge, counter, gauge};

/// Names and explains the metrics; call it once, after the recorder is installed.
pub fn describe() {
    metrics::describe_gauge!("gavel_bus_connected", "1 while this node is subscribed to Redis, else 0");
    metrics::describe_gauge!("gavel_bus_queue_depth", "What waits to be sent to Redis, or was received and waits");
    metrics::describe_counter!("gavel_bus_sent_total", "Publications, ticks and sign-outs that Redis took");
    metrics::describe_counter!("gavel_bus_received_total", "Messages of other nodes that came from Redis");
    metrics::describe_counter!(
        "gavel_bus_dropped_total",
        "What did not get through: a queue was full, or Redis took it neither the first time nor the second"
    );
    metrics::describe_counter!("gavel_bus_reconnects_total", "Connections to Redis that were lost and made anew");
    metrics::describe_counter!("gavel_bus_unreadable_total", "Messages, or words in them, that could not be read");
}

/// The handles.
pub(super) struct Meters {
    pub(super) out_depth: Gauge,
    pub(super) in_depth: Gauge,
    pub(super) sent: Counter,
    pub(super) received: Counter,
    pub(super) out_dropped: Counter,
    pub(super) in_dropped: Counter,
    pub(super) out_reconnects: Counter,
    pub(super) in_reconnects: Counter,
    pub(super) unreadable: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            out_depth: gauge!("gavel_bus_queue_depth", "direction" => "out"),
            in_depth: gauge!("gavel_bus_queue_depth", "direction" => "in"),
            sent: counter!("gavel_bus_sent_total"),
            received: counter!("gavel_bus_received_total"),
            out_dropped: counter!("gavel_bus_dropped_total", "direction" => "out"),
            in_dropped: counter!("gavel_bus_dropped_total", "direction" => "in"),
            out_reconnects: counter!("gavel_bus_reconnects_total", "direction" => "out"),
            in_reconnects: counter!("gavel_bus_reconnects_total", "direction" => "in"),
            unreadable: counter!("gavel_bus_unreadable_total"),
        }
    }
}

/// As a gauge takes it.
pub(super) fn level(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// As a counter takes it.
pub(super) fn amount(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
