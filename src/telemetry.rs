//! Logs to stderr, metrics for Prometheus. Never a token, a password or a message of a bid.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Upper bounds of latency buckets, seconds.
const SECONDS: [f64; 17] =
    [1e-6, 5e-6, 2e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Upper bounds of batch sizes, rows.
const ROWS: [f64; 13] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0];

/// Starts logging to stderr under `filter`, which the settings have checked.
pub fn init_log(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for people: a file or a collector gets plain text.
    let colours = std::io::stderr().is_terminal();
    let subscriber =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(colours).with_env_filter(filter).finish();
    // Set already when several servers run in one process, as in tests.
    let _already_set = tracing::subscriber::set_global_default(subscriber);
}

/// Starts recording metrics; at most once in a process.
///
/// # Errors
/// When a recorder is installed already.
pub fn init_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), &ROWS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!("gavel_bids_total", "Bids answered, by outcome");
    describe_histogram!("gavel_bid_decision_seconds", Unit::Seconds, "Time an auction takes to decide a bid");
    describe_histogram!("gavel_bid_ack_seconds", Unit::Seconds, "Time from a bid read whole to its answer");
    describe_gauge!("gavel_bids_in_flight", "Bids that wait for a decision or its commit");
    describe_gauge!("gavel_auctions_awake", "Auctions that have an actor");
    describe_counter!("gavel_auctions_closed_total", "Auctions closed");
    describe_gauge!("gavel_committer_queue_depth", "Decided entries that wait for the next commit");
    describe_gauge!(
        "gavel_committer_oldest_age_seconds",
        Unit::Seconds,
        "Age of the oldest entry of the batch under way"
    );
    describe_histogram!("gavel_commit_batch_rows", "Events and rejections of one commit");
    describe_histogram!("gavel_commit_seconds", Unit::Seconds, "Time of one commit");
    describe_counter!("gavel_commit_failures_total", "Commits or parts of commits that were not written");
    describe_counter!("gavel_events_published_total", "Committed events handed to the bus");
    describe_gauge!("gavel_shards_owned", "Shards whose auctions this node decides");
    describe_counter!("gavel_takeovers_total", "Shards that this node became the owner of");
    describe_counter!("gavel_shards_handed_over_total", "Shards that this node gave up of its own accord");
    describe_counter!("gavel_shards_lost_total", "Shards that this node was found to own no more");
    describe_counter!("gavel_renewals_failed_total", "Times that this node could not renew in the store");
    describe_gauge!("gavel_nodes_alive", "Nodes that this one holds for alive, itself included");
    describe_gauge!("gavel_clock_offset_seconds", Unit::Seconds, "Own clock minus the store's");
    crate::session::describe();
    crate::bus::describe();
}
