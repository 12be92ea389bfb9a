//! What an answer to a bid means, whichever way it came.

use std::time::Duration;

use crate::wire::KEYS;

/// Wait before a bid that was pushed back is sent again, when the server does not say.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// The server's verdict on one bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// `repeat`: the server says that it had answered this `bid_id` before.
    Accepted { seq: i64, amount: i64, repeat: bool },
    /// Refused by the auction's rules: an honest, final answer.
    Rejected { code: &'a str, min_next: Option<i64> },
    /// No verdict now; the same `bid_id` may be sent again after `after`.
    PushedBack { code: &'a str, after: Duration },
    /// No answer that a good bid should get.
    Fault { code: &'a str },
}

/// Reads an HTTP response to a bid.
pub(crate) fn of_response(status: u16, retry_after_s: Option<u64>, body: &[u8]) -> Verdict<'_> {
    if matches!(status, 200 | 201) {
        return receipt(body, status == 200);
    }
    let after = retry_after_s.map_or(RETRY_AFTER_DEFAULT, Duration::from_secs);
    let verdict = refusal(body, after);
    match (status, verdict) {
        (429 | 503, Verdict::Fault { code }) => Verdict::PushedBack { code, after },
        (400..=499 | 503, verdict) => verdict,
        (_, Verdict::Fault { code } | Verdict::Rejected { code, .. } | Verdict::PushedBack { code, .. }) => {
            Verdict::Fault { code }
        }
        (_, Verdict::Accepted { .. }) => Verdict::Fault { code: "contradiction" },
    }
}

/// Reads a `receipt` frame.
pub(crate) fn of_receipt(frame: &[u8]) -> Verdict<'_> {
    if KEYS.status.text(frame) == Some("accepted") {
        return receipt(frame, false);
    }
    let seconds = KEYS.retry_after.integer(frame).and_then(|seconds| u64::try_from(seconds).ok());
    refusal(frame, seconds.map_or(RETRY_AFTER_DEFAULT, Duration::from_secs))
}

fn receipt(json: &[u8], repeat: bool) -> Verdict<'_> {
    match (KEYS.seq.integer(json), KEYS.amount.integer(json)) {
        (Some(seq), Some(amount)) => Verdict::Accepted { seq, amount, repeat },
        _ => Verdict::Fault { code: "bad_receipt" },
    }
}

fn refusal(json: &[u8], after: Duration) -> Verdict<'_> {
    match KEYS.code.text(json) {
        Some(code @ ("too_low" | "already_leading" | "closed" | "not_started" | "own_auction")) => {
            Verdict::Rejected { code, min_next: KEYS.min_next.integer(json) }
        }
        Some(code @ ("rate_limited" | "overloaded" | "moving" | "outcome_pending")) => {
            Verdict::PushedBack { code, after }
        }
        Some(code) if KEYS.retryable.is_true(json) => Verdict::PushedBack { code, after },
        Some(code) => Verdict::Fault { code },
        None => Verdict::Fault { code: "no_code" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_an_acceptance_and_200_a_repeat() {
        let body = br#"{"status":"accepted","bid_id":"x","auction_id":"1","seq":4,"amount":9,"min_next":10}"#;
        assert_eq!(of_response(201, None, body), Verdict::Accepted { seq: 4, amount: 9, repeat: false });
        assert_eq!(of_response(200, None, body), Verdict::Accepted { seq: 4, amount: 9, repeat: true });
        assert_eq!(of_response(201, None, b"{}"), Verdict::Fault { code: "bad_receipt" });
    }

    #[test]
    fn rules_reject_and_a_full_server_pushes_back() {
        let low = br#"{"type":"about:blank","status":409,"code":"too_low","min_next":12,"top":{"seq":1}}"#;
        assert_eq!(of_response(409, None, low), Verdict::Rejected { code: "too_low", min_next: Some(12) });
        let full = br#"{"code":"overloaded"}"#;
        let after = Duration::from_secs(3);
        assert_eq!(of_response(503, Some(3), full), Verdict::PushedBack { code: "overloaded", after });
        assert_eq!(of_response(503, Some(3), b"busy"), Verdict::PushedBack { code: "no_code", after });
    }

    #[test]
    fn a_code_that_is_not_known_is_sent_again_if_the_server_says_so() {
        let after = Duration::from_secs(1);
        let down = br#"{"type":"receipt","status":"rejected","code":"unavailable","retryable":true}"#;
        assert_eq!(of_receipt(down), Verdict::PushedBack { code: "unavailable", after });
        let wrong = br#"{"type":"receipt","status":"rejected","code":"invalid","retryable":false}"#;
        assert_eq!(of_receipt(wrong), Verdict::Fault { code: "invalid" });
    }

    #[test]
    fn anything_else_is_a_fault() {
        assert_eq!(
            of_response(401, None, br#"{"code":"unauthenticated"}"#),
            Verdict::Fault { code: "unauthenticated" }
        );
        assert_eq!(of_response(500, None, br#"{"code":"too_low"}"#), Verdict::Fault { code: "too_low" });
        assert_eq!(of_response(404, None, b""), Verdict::Fault { code: "no_code" });
    }

    #[test]
    fn frames_say_the_same() {
        let yes = br#"{"type":"receipt","bid_id":"x","status":"accepted","seq":4,"amount":9}"#;
        assert_eq!(of_receipt(yes), Verdict::Accepted { seq: 4, amount: 9, repeat: false });
        let no = br#"{"type":"receipt","bid_id":"x","status":"rejected","code":"overloaded","retry_after":2}"#;
        assert_eq!(of_receipt(no), Verdict::PushedBack { code: "overloaded", after: Duration::from_secs(2) });
    }
}
