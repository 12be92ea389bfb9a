//! What the engine counts.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::{Answer, BidError};
use crate::domain::Rejection;

/// Handles of the engine's metrics, made once: looking one up by name costs a hash for each bid.
pub(super) struct Metrics {
    pub(super) decision_seconds: Histogram,
    pub(super) ack_seconds: Histogram,
    pub(super) awake: Gauge,
    pub(super) in_flight: Gauge,
    pub(super) extended: Counter,
    pub(super) closed: Counter,
    accepted: Counter,
    repeated: Counter,
    own_auction: Counter,
    not_started: Counter,
    too_late: Counter,
    too_low: Counter,
    already_leading: Counter,
    not_found: Counter,
    reused: Counter,
    overloaded: Counter,
    outcome_pending: Counter,
    moving: Counter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let bids = |outcome: &'static str| counter!("gavel_bids_total", "outcome" => outcome);
        Self {
            decision_seconds: histogram!("gavel_bid_decision_seconds"),
            ack_seconds: histogram!("gavel_bid_ack_seconds"),
            awake: gauge!("gavel_auctions_awake"),
            in_flight: gauge!("gavel_bids_in_flight"),
            extended: counter!("gavel_auctions_extended_total"),
            closed: counter!("gavel_auctions_closed_total"),
            accepted: bids("accepted"),
            repeated: bids("repeated"),
            own_auction: bids("own_auction"),
            not_started: bids("not_started"),
            too_late: bids("closed"),
            too_low: bids("too_low"),
            already_leading: bids("already_leading"),
            not_found: bids("not_found"),
            reused: bids("bid_id_reused"),
            overloaded: bids("overloaded"),
            outcome_pending: bids("outcome_pending"),
            moving: bids("moving"),
        }
    }

    /// Counts one answered bid by its outcome.
    pub(super) fn count(&self, answer: &Result<Answer, BidError>) {
        let counter = match answer {
            Ok(Answer { repeated: true, .. }) => &self.repeated,
            Ok(Answer { outcome: Ok(_), .. }) => &self.accepted,
            Ok(Answer { outcome: Err(rejection), .. }) => match rejection {
                Rejection::OwnAuction => &self.own_auction,
                Rejection::NotStarted { .. } => &self.not_started,
                Rejection::Closed { .. } | Rejection::NotDue { .. } => &self.too_late,
                Rejection::TooLow { .. } => &self.too_low,
                Rejection::AlreadyLeading { .. } => &self.already_leading,
            },
            Err(error) => match error {
                BidError::NotFound => &self.not_found,
                BidError::BidIdReused => &self.reused,
                BidError::Overloaded => &self.overloaded,
                BidError::OutcomePending => &self.outcome_pending,
                BidError::Moving => &self.moving,
            },
        };
        counter.increment(1);
    }
}
