//! The time of day: the only file of the peers that reads a clock.

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_after_the_second() {
        assert_eq!(rfc3339(1_000), "1970-01-01T00:00:01.000Z");
    }
}
