//! Instants as RFC 3339 text, UTC with milliseconds.

use jiff::fmt::temporal::DateTimePrinter;

use crate::domain::Timestamp;

static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// `2026-11-24T05:46:29.123Z`. An instant outside the years that jiff knows is shown as the epoch.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    PRINTER.timestamp_to_string(&jiff::Timestamp::from_microsecond(at.0).unwrap_or_default())
}

/// Reads RFC 3339 text of any offset; `None` when it is not.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
}
