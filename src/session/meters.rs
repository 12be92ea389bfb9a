//! What this room counts. Handles are made once: a macro on a bid's way hashes its name each time.

use metrics::{Counter, Gauge, counter, gauge};

use super::seats::Kind;

/// Names and explains the metrics; call it once, after the recorder is installed.
pub fn describe() {
    metrics::describe_gauge!("gavel_sessions", "Live sessions by kind");
    metrics::describe_gauge!("gavel_hub_queue_depth", "Publications that wait for a worker's hub");
    metrics::describe_counter!(
        "gavel_sessions_slow_dropped_total",
        "Sessions cut off because they took nothing for too long"
    );
    metrics::describe_counter!(
        "gavel_sessions_lagged_total",
        "Times a session's queue was full, so that a snapshot took the place of events"
    );
    metrics::describe_counter!("gavel_events_received_total", "Events that reached a hub from the bus");
    metrics::describe_counter!("gavel_events_dropped_total", "Events that found a hub's queue full; read again later");
    metrics::describe_counter!("gavel_events_gaps_total", "Reads of the history to fill a gap between events");
    metrics::describe_counter!("gavel_frames_sent_total", "Frames handed to the sockets of sessions");
}

/// The handles.
pub(super) struct Meters {
    pub(super) slow_dropped: Counter,
    pub(super) lagged: Counter,
    pub(super) received: Counter,
    pub(super) dropped: Counter,
    pub(super) gaps: Counter,
    pub(super) frames_sent: Counter,
    websocket: Gauge,
    sse: Gauge,
    clock: Gauge,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            slow_dropped: counter!("gavel_sessions_slow_dropped_total"),
            lagged: counter!("gavel_sessions_lagged_total"),
            received: counter!("gavel_events_received_total"),
            dropped: counter!("gavel_events_dropped_total"),
            gaps: counter!("gavel_events_gaps_total"),
            frames_sent: counter!("gavel_frames_sent_total"),
            websocket: gauge!("gavel_sessions", "kind" => "websocket"),
            sse: gauge!("gavel_sessions", "kind" => "sse"),
            clock: gauge!("gavel_sessions", "kind" => "clock"),
        }
    }

    pub(super) const fn sessions(&self, kind: Kind) -> &Gauge {
        match kind {
            Kind::WebSocket => &self.websocket,
            Kind::Sse => &self.sse,
            Kind::Clock => &self.clock,
        }
    }

    /// The depth of one hub's inbox.
    pub(super) fn hub_depth(hub: usize) -> Gauge {
        gauge!("gavel_hub_queue_depth", "hub" => hub.to_string())
    }
}
