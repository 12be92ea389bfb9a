//! Queue depths and the like from a node's `/metrics`.
//!
//! A server without that page is loaded all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Client, Request};
use crate::target::Target;

/// A page later than this is skipped.
const ANSWER_WITHIN: Duration = Duration::from_millis(800);
/// Series that are kept; more would not be read in a plot.
const SERIES_MAX: usize = 24;
/// Names that speak of something waiting.
const WANTED: [&str; 5] = ["queue", "depth", "in_flight", "pending", "oldest_age"];
/// Parts of a histogram, and counters: not levels.
const UNWANTED: [&str; 5] = ["_bucket", "_sum", "_count", "_total", "_created"];

/// The levels of one page, by name and labels.
pub(crate) type Levels = BTreeMap<String, f64>;

/// Reads one node's levels; empty when it has none to give.
pub(crate) async fn levels(target: &Target) -> Levels {
    let request = Request::get("/metrics");
    let mut client = Client::new(target.clone());
    match tokio::time::timeout(ANSWER_WITHIN, client.request(&request)).await {
        Ok(Ok(answer)) if answer.status == 200 => parse(&String::from_utf8_lossy(&answer.body)),
        Ok(Ok(_) | Err(_)) | Err(_) => Levels::new(),
    }
}

fn parse(page: &str) -> Levels {
    page.lines().filter_map(level).take(SERIES_MAX).collect()
}

fn level(line: &str) -> Option<(String, f64)> {
    let name_end = line.find(['{', ' '])?;
    let name = &line[..name_end];
    let wanted = WANTED.iter().any(|part| name.contains(part)) && !UNWANTED.iter().any(|end| name.ends_with(end));
    if line.starts_with('#') || !wanted {
        return None;
    }
    // Label values may hold spaces; the value follows the last brace.
    let series_end = line.rfind('}').map_or(name_end, |brace| brace + 1);
    let (series, rest) = line.split_at(series_end);
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((series.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_picked_out_of_the_page() {
        let page = "# TYPE gavel_committer_queue_depth gauge\n\
                    gavel_committer_queue_depth 12\n\
                    gavel_hub_queue{worker=\"a b\"} 3.5 1700000000\n\
                    gavel_queue_wait_seconds_bucket{le=\"1\"} 9\n\
                    gavel_bids_total{outcome=\"accepted\"} 7\n\
                    broken_queue\n";
        let levels = parse(page);
        assert_eq!(levels.len(), 2);
        assert_eq!(levels["gavel_committer_queue_depth"].to_bits(), 12.0_f64.to_bits());
        assert_eq!(levels["gavel_hub_queue{worker=\"a b\"}"].to_bits(), 3.5_f64.to_bits());
    }
}
