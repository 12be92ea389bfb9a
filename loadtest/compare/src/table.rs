//! The table as Markdown, as README shows it.
//!
//! Pure: results in, text out. A figure that was not measured is a dash; a peer that was skipped says why.

use std::fmt::Write;

use crate::figures::Figures;
use crate::plan::{Load, Peer};
use crate::results::{Conditions, Entry, Results};

/// A column: its head, the figure, and how it is written.
type Column = (&'static str, &'static str, Unit);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Thousands apart, nothing behind the point.
    Whole,
    /// As many digits as tell something.
    Fine,
    /// Bytes, shown as kilobytes.
    Kilobytes,
}

const BIDS: [Column; 6] = [
    ("accepted/s", "accepted_per_s", Unit::Whole),
    ("refused/s", "refused_per_s", Unit::Whole),
    ("p50 ms", "p50_ms", Unit::Fine),
    ("p99 ms", "p99_ms", Unit::Fine),
    ("server CPU µs an answer", "server_us", Unit::Fine),
    ("rows that break a promise", "broken", Unit::Whole),
];
const FAN: [Column; 8] = [
    ("calm: server CPU µs a delivery", "calm_us", Unit::Fine),
    ("calm: p99 ms", "calm_p99_ms", Unit::Fine),
    ("lost", "calm_lost", Unit::Whole),
    ("deliveries/s at saturation", "saturated_per_s", Unit::Whole),
    ("lost", "saturated_lost", Unit::Whole),
    ("at half of that: p50 ms", "half_p50_ms", Unit::Fine),
    ("p99 ms", "half_p99_ms", Unit::Fine),
    ("lost", "half_lost", Unit::Whole),
];
const IDLE: [Column; 1] = [("KB a session", "session_bytes", Unit::Kilobytes)];

/// The whole text.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = conditions(&results.conditions);
    for load in Load::ALL {
        let rows: Vec<_> =
            load.peers().iter().filter_map(|peer| Some((*peer, results.entries.get(&(load, *peer))?))).collect();
        if rows.is_empty() {
            continue;
        }
        add(&mut text, format_args!("\n{}\n\n", title(load)));
        section(&mut text, load, &rows);
    }
    text
}

fn conditions(on: &Conditions) -> String {
    let quick = if on.quick { " **Quick mode: these figures say little.**" } else { "" };
    let Conditions { rounds, seconds, cores, processor, kernel, filesystem, load_average, started_at, .. } = on;
    format!(
        "Medians of {rounds} interleaved rounds, bids {seconds} s each, {started_at}, {cores} cores ({processor}), \
         Linux {kernel}, stores on {filesystem}, load average before the start {load_average}.{quick}\n"
    )
}

const fn title(load: Load) -> &'static str {
    match load {
        Load::Hot => "**One hot auction**, HTTP, 64 connections, rising amounts, everything on all cores",
        Load::Spread => "**Spread over 64 auctions**, HTTP, 64 connections",
        Load::TooLow => "**Too low**: every bid is refused, HTTP, 64 connections",
        Load::TooLowOld => "**Too low, on an auction with 1,000 bids**",
        Load::Socket => "**One hot auction over WebSocket**, 64 connections, 32 bids in flight on each",
        Load::Fan => "**Fan-out to 1,000 watchers**, server on one core, watchers on another; calm is 50 events/s",
        Load::FanLarge => "**Fan-out to 5,000 watchers**, likewise; calm is 10 events/s",
        Load::Idle => "**Memory of an idle WebSocket session**",
    }
}

fn section(text: &mut String, load: Load, rows: &[(Peer, &Entry)]) {
    let columns: &[Column] = match load {
        Load::Hot | Load::Spread | Load::TooLow | Load::TooLowOld | Load::Socket => &BIDS,
        Load::Fan | Load::FanLarge => &FAN,
        Load::Idle => &IDLE,
    };
    let noop = rows.iter().find(|(peer, _)| *peer == Peer::Noop).and_then(|(_, entry)| entry.median.get("server_us"));
    let mut head: Vec<&str> = columns.iter().map(|(head, _, _)| *head).collect();
    if noop.is_some() {
        head.push("× no-op");
    }
    add(text, format_args!("| server | {} |\n|---|{}\n", head.join(" | "), "---:|".repeat(head.len())));
    for (peer, entry) in rows {
        if let Some(why) = &entry.skipped {
            add(text, format_args!("| {} | skipped: {why} |{}\n", peer.title(), " |".repeat(head.len() - 1)));
            continue;
        }
        let mut cells: Vec<String> =
            columns.iter().map(|(_, name, unit)| cell(entry.median.get(*name).copied(), *unit)).collect();
        if let Some(noop) = noop {
            let ratio = entry.median.get("server_us").map(|cost| cost / noop);
            cells.push(cell(ratio, Unit::Fine));
        }
        add(text, format_args!("| {} | {} |\n", peer.title(), cells.join(" | ")));
        for failure in &entry.failures {
            add(text, format_args!("| ↳ a round failed: {} |{}\n", one_line(failure), " |".repeat(head.len())));
        }
    }
}

/// A fault as one cell of a table.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(['\n', '|'], " ")
}

/// A figure as the table writes it; a dash where there is none.
pub(crate) fn cell(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match unit {
        Unit::Fine if value.abs() < 10.0 => format!("{value:.2}"),
        Unit::Fine if value.abs() < 100.0 => format!("{value:.1}"),
        Unit::Whole | Unit::Fine => thousands(value),
        Unit::Kilobytes => format!("{:.1}", value / 1_024.0),
    }
}

/// A whole number with its thousands apart.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digit != '-' && (digits.len() - index).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// All figures of a round on one line, for whoever watches; the steps of a sweep stay out.
pub(crate) fn short(figures: &Figures) -> String {
    let shown = figures.iter().filter(|(name, _)| !name.starts_with("step_"));
    shown.map(|(name, value)| format!("{name} {}", cell(Some(*value), Unit::Fine))).collect::<Vec<_>>().join(", ")
}

/// Adds to the text of a table.
pub(crate) fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _written = text.write_fmt(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let conditions = Conditions {
            started_at: "then".to_owned(),
            rounds: 3,
            seconds: 6.0,
            quick: false,
            cores: 2,
            processor: "some".to_owned(),
            kernel: "6".to_owned(),
            filesystem: "ext4".to_owned(),
            load_average: "0.1".to_owned(),
        };
        Results::new(conditions)
    }

    fn figures(all: &[(&str, f64)]) -> Figures {
        all.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn a_row_shows_medians_and_its_cost_beside_the_ceilings() {
        let mut results = results();
        results.add(Load::Hot, Peer::Noop, figures(&[("accepted_per_s", 90_000.0), ("server_us", 10.0)]));
        for rate in [30_000.0, 36_000.0, 33_000.4] {
            let round = [("accepted_per_s", rate), ("server_us", 23.0), ("broken", 0.0)];
            results.add(Load::Hot, Peer::LuaAlways, figures(&round));
        }
        let text = markdown(&results);
        let row = text.lines().find(|line| line.contains("AOF always")).unwrap();
        assert_eq!(row, "| Redis Lua, AOF always (the durable peer) | 33,000 | – | – | – | 23.0 | 0 | 2.30 |");
        assert!(text.starts_with("Medians of 3 interleaved rounds"), "{text}");
        assert!(!text.contains("Fan-out"), "what was not measured is not in the table");
    }

    #[test]
    fn who_is_skipped_or_fails_says_so() {
        let mut results = results();
        results.skip(Load::Idle, Peer::Nats, "nats-server is not installed".to_owned());
        results.add(Load::Idle, Peer::Nchan, figures(&[("session_bytes", 10_342.4)]));
        results.fail(Load::Idle, Peer::Nchan, "it\nfell".to_owned());
        let text = markdown(&results);
        assert!(text.contains("| nats-server over WebSocket | skipped: nats-server is not installed |"), "{text}");
        assert!(text.contains("| nginx + nchan | 10.1 |") && text.contains("a round failed: it fell"), "{text}");
    }

    #[test]
    fn figures_have_as_many_digits_as_tell_something() {
        assert_eq!(cell(Some(0.123), Unit::Fine), "0.12");
        assert_eq!(cell(Some(1_234.5), Unit::Fine), "1,234");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(-123_456.0), "-123,456");
        assert_eq!(cell(None, Unit::Whole), "–");
    }
}
