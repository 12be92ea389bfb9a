//! Times as a page shows them before its script has run.

use crate::domain::{Span, Timestamp};

use super::Lang;
use super::texts::text_with;

/// The time left, as `static/countdown.js` draws it on.
#[must_use]
pub(super) fn remaining(left: Span, lang: Lang) -> String {
    let millis = left.0.max(0) / 1_000;
    let (seconds, tenths) = (millis / 1_000, millis % 1_000 / 100);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let second = seconds % 60;
    if days > 0 {
        let time = format!("{hours:02}:{minutes:02}:{second:02}");
        return text_with(lang, "live.days", &[("days", &days.to_string()), ("time", &time)]);
    }
    if hours > 0 {
        return format!("{hours}:{minutes:02}:{second:02}");
    }
    if minutes > 0 {
        return format!("{minutes}:{second:02}");
    }
    format!("0:{second:02}.{tenths}")
}

/// `2026-11-24 05:46 UTC`: the script replaces it with the reader's own time zone.
#[must_use]
pub(super) fn utc(at: Timestamp) -> String {
    let text = crate::protocol::time::rfc3339(at);
    match (text.get(..10), text.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_minute_shows_tenths_and_days_are_named() {
        let left = |millis| remaining(Span::from_millis(millis), Lang::En);
        assert_eq!(left(-5), "0:00.0");
        assert_eq!(left(9_499), "0:09.4");
        assert_eq!(left(60_000), "1:00");
        assert_eq!(left(3_599_999), "59:59");
        assert_eq!(left(3_600_000), "1:00:00");
        assert_eq!(left(86_400_000 * 2 + 3_661_000), "2d 01:01:01");
        assert_eq!(remaining(Span::from_secs(86_400), Lang::Ko), "1일 00:00:00");
    }

    #[test]
    fn an_instant_is_shown_in_utc_to_the_minute() {
        assert_eq!(utc(Timestamp(0)), "1970-01-01 00:00 UTC");
    }
}
