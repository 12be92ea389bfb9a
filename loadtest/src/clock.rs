//! The only reader of time in this crate.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock: latencies and schedules.
#[allow(clippy::disallowed_methods, reason = "the one place where time is read")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, to compare with the server's and to date a report. Milliseconds since the Unix epoch.
#[allow(clippy::disallowed_methods, reason = "the one place where time is read")]
pub(crate) fn unix_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Whole microseconds, as histograms count.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// RFC 3339 text of an instant, UTC with milliseconds.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    jiff::fmt::temporal::DateTimePrinter::new().precision(Some(3)).timestamp_to_string(&at)
}

/// Reads RFC 3339 text of any offset, to the millisecond; `None` when it is not.
pub(crate) fn parse_rfc3339_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_the_way_through_text() {
        let text = rfc3339(1_795_500_389_123);
        assert!(text.contains(".123"), "{text}");
        assert_eq!(parse_rfc3339_ms(&text), Some(1_795_500_389_123));
        assert_eq!(parse_rfc3339_ms("yesterday"), None);
    }
}
