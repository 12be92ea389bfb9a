//! The run in a few lines for people, with the conditions that the figures hold under.

use std::fmt::Write;

use serde::Serialize;

use crate::record::Codes;
use crate::report::{Latency, Report};

/// How a value is written in the report.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The lines, the promised one last.
pub(crate) fn text(report: &Report) -> String {
    let mut lines = vec![conditions(report), counts(report)];
    for (name, label) in [("accepted", "accepted"), ("rejected", "refused"), ("delivery", "delivery")] {
        if let Some(latency) = report.latency_us.get(name).filter(|latency| latency.count > 0) {
            lines.push(latency_line(label, latency));
        }
    }
    lines.extend(watchers(report));
    lines.extend(closing(report));
    lines.push(cost(report));
    let checked = report.conditions.run.checked;
    lines.push(if checked { report.check.line() } else { "not checked against the history".to_owned() });
    lines.join("\n")
}

fn conditions(report: &Report) -> String {
    let conditions = &report.conditions;
    let run = &conditions.run;
    let pace = run.rate_per_s.map_or("closed loop".to_owned(), |rate| format!("open loop at {rate} bids/s"));
    let mut text = format!(
        "{} {}: {} connections over {}, {pace}, {} bidders, {} auctions, {} watchers, {:.1} s, {} load threads, {} cores",
        word(&run.scenario),
        word(&run.strategy),
        run.connections,
        word(&run.transport),
        run.bidders,
        run.auctions,
        run.watchers,
        conditions.load_s,
        run.threads,
        conditions.cores,
    );
    if word(&run.transport) == "ws" || word(&run.scenario) == "soak" {
        add(&mut text, format_args!(", up to {} in flight on a WebSocket", run.in_flight));
    }
    if run.leader_may_raise {
        text.push_str(", leader_may_raise");
    }
    if conditions.interrupted {
        text.push_str(", interrupted");
    }
    text
}

fn counts(report: &Report) -> String {
    let (totals, rates) = (&report.totals, &report.per_second);
    let mut text = format!(
        "accepted {} ({:.0}/s), rejected {} ({:.0}/s){}",
        totals.accepted,
        rates.accepted,
        totals.rejected,
        rates.rejected,
        codes(&totals.rejected_by_code)
    );
    add(&mut text, format_args!(", pushed back {}{}", totals.pushed_back, codes(&totals.pushed_back_by_code)));
    add(&mut text, format_args!(", errors {} ({:.0}/s){}", totals.errors, rates.errors, codes(&totals.errors_by_code)));
    for (name, count) in [
        ("unanswered", totals.unanswered),
        ("due but never sent", totals.unsent),
        ("reconnects", totals.reconnects),
        ("sent again", totals.resent),
        ("answered as repeats", totals.repeated),
    ] {
        if count > 0 {
            add(&mut text, format_args!(", {name} {count}"));
        }
    }
    text
}

fn codes(codes: &Codes) -> String {
    if codes.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    format!(" [{}]", parts.join(", "))
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn latency_line(name: &str, latency: &Latency) -> String {
    let ms = |us: u64| us as f64 / 1_000.0;
    format!(
        "latency {name}: p50 {:.3} ms, p90 {:.3}, p99 {:.3}, p99.9 {:.3}, max {:.3}",
        ms(latency.p50),
        ms(latency.p90),
        ms(latency.p99),
        ms(latency.p999),
        ms(latency.max)
    )
}

fn watchers(report: &Report) -> Option<String> {
    let watchers = report.watchers.as_ref()?;
    Some(format!(
        "watchers {}: deliveries {} ({:.0}/s), snapshots instead {}, gaps {}, behind {}, told of the close {}",
        watchers.count,
        report.totals.deliveries,
        report.per_second.deliveries,
        watchers.snapshots,
        watchers.gaps,
        watchers.behind,
        watchers.told_closed
    ))
}

fn closing(report: &Report) -> Option<String> {
    let closing = report.closing.as_ref()?;
    let first = closing.first_closed_answer_ms.map_or("no bid was told".to_owned(), |ms| {
        format!("first told {ms:.1} ms after the end (± {:.1})", closing.clock_error_ms.unwrap_or(0.0))
    });
    Some(format!("closing: {first}, bids stamped at or after the end {}", closing.late))
}

fn cost(report: &Report) -> String {
    let cost = &report.cost;
    let mut text = String::from("cpu:");
    if let Some(seconds) = cost.server_cpu_s {
        let pids: Vec<String> = report.server.iter().map(|server| server.pid.to_string()).collect();
        add(&mut text, format_args!(" server (pid {}) {seconds:.2} s", pids.join(", ")));
        for (figure, of) in [
            (cost.server_us_per_acknowledged, "acknowledged bid"),
            (cost.server_us_per_answer, "answer"),
            (cost.server_us_per_delivery, "delivery"),
        ] {
            if let Some(us) = figure {
                add(&mut text, format_args!(", {us:.2} µs per {of}"));
            }
        }
        text.push(';');
    }
    add(&mut text, format_args!(" generator {:.2} s", cost.generator_cpu_s));
    if let Some(us) = cost.generator_us_per_answer {
        add(&mut text, format_args!(", {us:.2} µs per answer"));
    }
    text
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _written = text.write_fmt(more);
}
