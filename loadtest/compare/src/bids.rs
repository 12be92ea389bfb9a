//! Bids: the load generator against one peer, and what its report says.

use serde_json::Value;

use crate::error::Fault;
use crate::figures::{Figures, float};
use crate::generator::{self, broken, number};
use crate::plan::{Load, Peer};
use crate::server::{EARLIER_BIDS, Stage, Wish};

/// Connections that bid.
const CONNECTIONS: &str = "64";

/// Loads `peer` for `seconds` and reads the figures.
pub(crate) fn measure(stage: &Stage, load: Load, peer: Peer, seconds: f64) -> Result<Figures, Fault> {
    let earlier_bids = if load == Load::TooLowOld { EARLIER_BIDS } else { 0 };
    let running = stage.start(peer, Wish { earlier_bids, ..Wish::default() })?;
    let scenario = if load == Load::Spread { "spread" } else { "hot" };
    let (url, seconds) = (format!("http://{}", running.at), seconds.to_string());
    let mut words = vec![scenario, "--url", &url, "--connections", CONNECTIONS, "--duration", &seconds];
    match load {
        Load::TooLow | Load::TooLowOld => words.extend(["--strategy", "too-low"]),
        Load::Socket => words.extend(["--transport", "ws"]),
        Load::Hot | Load::Spread | Load::Fan | Load::FanLarge | Load::Idle => {}
    }
    if !peer.is_checked() {
        words.push("--no-check");
    }
    let words = words.into_iter().map(str::to_owned).chain(generator::pids(running.pids()));
    let mut figures = of_report(&generator::run(stage, &words.collect::<Vec<_>>())?)?;
    if peer == Peer::Original {
        figures.insert("broken".to_owned(), float(running.broken_rows()?));
    }
    Ok(figures)
}

/// The figures that the table needs, from a `report.json`.
fn of_report(report: &Value) -> Result<Figures, Fault> {
    let number = |path: &str| number(report, path);
    // Of a load of refusals, their latency is the one that is asked for.
    let latency = if number("/totals/accepted")? < 1.0 { "rejected" } else { "accepted" };
    let mut figures = Figures::from([
        ("accepted_per_s".to_owned(), number("/per_second/accepted")?),
        ("refused_per_s".to_owned(), number("/per_second/rejected")?),
        ("errors".to_owned(), number("/totals/errors")? + number("/totals/pushed_back")?),
        ("unanswered".to_owned(), number("/totals/unanswered")?),
        ("p50_ms".to_owned(), number(&format!("/latency_us/{latency}/p50"))? / 1e3),
        ("p99_ms".to_owned(), number(&format!("/latency_us/{latency}/p99"))? / 1e3),
        ("server_us".to_owned(), number("/cost/server_us_per_answer")?),
        ("generator_us".to_owned(), number("/cost/generator_us_per_answer")?),
    ]);
    if report.pointer("/conditions/checked") == Some(&Value::Bool(true)) {
        figures.insert("broken".to_owned(), broken(report)?);
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(accepted: u64, rejected: u64, checked: bool) -> Value {
        json!({
            "conditions": {"checked": checked},
            "totals": {"accepted": accepted, "rejected": rejected, "errors": 0, "pushed_back": 2, "unanswered": 0},
            "per_second": {"accepted": accepted, "rejected": rejected},
            "latency_us": {"accepted": {"p50": 1_500, "p99": 4_000}, "rejected": {"p50": 500, "p99": 900}},
            "cost": {"server_us_per_answer": 40.5, "generator_us_per_answer": 9.0},
            "check": {"missing": 0, "duplicated": 1, "out_of_order": 2, "unexplained": 0, "late": 0},
        })
    }

    #[test]
    fn a_report_is_read_and_broken_promises_are_added_up() {
        let figures = of_report(&report(100, 5, true)).unwrap();
        assert_eq!((figures["p99_ms"], figures["server_us"], figures["errors"]), (4.0, 40.5, 2.0));
        assert_eq!(figures["broken"].to_bits(), 3.0_f64.to_bits());
    }

    #[test]
    fn where_all_is_refused_the_latency_is_of_refusals() {
        let figures = of_report(&report(0, 100, false)).unwrap();
        assert_eq!(figures["p50_ms"].to_bits(), 0.5_f64.to_bits());
        assert!(!figures.contains_key("broken"));
    }
}
