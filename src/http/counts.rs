//! Counts bids that are answered before the engine hears of them, under the code of their answer. The engine counts its own
//! answers, so that each bid is counted once.

use metrics::counter;

use super::HttpError;
use super::problem::Code;

/// Counts a bid that was refused with `code` on this side of the engine.
pub(super) fn refused(code: Code) {
    counter!("gavel_bids_total", "outcome" => code.text()).increment(1);
}

/// Counts a bid that ended in `error`, unless that is the engine's answer.
pub(super) fn ended(error: &HttpError) {
    if !matches!(error, HttpError::Bid(_) | HttpError::Rejected(_)) {
        refused(error.code());
    }
}
