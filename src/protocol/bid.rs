//! A bid as its bidder sends it, in a request's body or in a WebSocket frame: the same members, the same checks.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::given::{Faults, FieldFault, Given};
use crate::account::fields;
use crate::domain::{BidId, Bidder, Money, PlaceBid};
use crate::limits::MESSAGE_CHARS_MAX;

/// A bid as its bidder sends it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BidBody {
    /// The client's own name for this bid: the same id gets the same answer.
    #[serde(default)]
    #[schema(value_type = String, required, format = "uuid")]
    pub bid_id: Given<Uuid>,
    /// Minor units.
    #[serde(default)]
    #[schema(value_type = i64, required, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    pub amount: Given<i64>,
    /// A word to the room, one line.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*$")]
    pub message: Given<String>,
}

/// A bid of the right form, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub bid_id: BidId,
    pub amount: Money,
    pub message: Option<Arc<str>>,
}

impl Offer {
    /// The bid of `bidder`.
    #[must_use]
    pub fn by(self, bidder: Bidder) -> PlaceBid {
        let Self { bid_id, amount, message } = self;
        PlaceBid { bid_id, bidder, amount, message }
    }
}

impl BidBody {
    /// The bid, if nothing is wrong with it and there are no `faults` already.
    ///
    /// # Errors
    /// All faults.
    pub fn check(self, mut faults: Faults) -> Result<Offer, Vec<FieldFault>> {
        let bid_id = faults.required("bid_id", self.bid_id);
        let amount = faults.required("amount", self.amount);
        let amount = amount.and_then(|minor| faults.checked("amount", amount_of(minor)));
        let text = faults.optional("message", self.message);
        let message = text.and_then(|text| faults.checked("message", message(&text))).flatten();
        let both = bid_id.zip(amount);
        faults.or(both.map(|(bid_id, amount)| Offer { bid_id: BidId(bid_id.as_u128()), amount, message }))
    }
}

fn amount_of(minor: i64) -> Result<Money, String> {
    Money::new(minor).ok_or_else(|| format!("must be from 0 to {} minor units", Money::MAX))
}

/// A bid's message as it is kept: trimmed, one line; nothing when it is empty.
///
/// # Errors
/// What would be right.
pub fn message(text: &str) -> Result<Option<Arc<str>>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    fields::line(text, MESSAGE_CHARS_MAX).map(|line| Some(line.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::given::faulty_fields;
    use crate::protocol::object::Object;

    const ID: &str = r#""bid_id": "0199d5a0-7c1e-7000-8000-5b1f3c1d2e4f""#;

    fn check(json: &str) -> Result<Offer, Vec<&'static str>> {
        let Object(body, faults) = serde_json::from_str::<Object<BidBody>>(json).unwrap();
        body.check(faults).map_err(|faults| faulty_fields(&faults))
    }

    #[test]
    fn a_bid_without_an_amount_or_with_text_or_a_fraction_in_it_is_invalid() {
        for amount in ["null", "\"1000\"", "1000.0", "1000.4", "1e3", "-1", "1000000000000001", "[]", "true"] {
            assert_eq!(check(&format!(r#"{{{ID}, "amount": {amount}}}"#)).unwrap_err(), ["amount"], "{amount}");
        }
        assert_eq!(check("{}").unwrap_err(), ["bid_id", "amount"]);
        assert_eq!(check(&format!(r#"{{{ID}, "amount": 1000}}"#)).unwrap().amount, Money::new(1_000).unwrap());
    }

    #[test]
    fn what_nobody_knows_is_named_beside_what_is_wrong() {
        let faults = check(r#"{"note": 1, "bid_id": 7, "amount": 1, "extra": {}}"#).unwrap_err();
        assert_eq!(faults, ["note", "extra", "bid_id"]);
    }

    #[test]
    fn a_message_is_kept_trimmed_and_an_empty_one_not_at_all() {
        let sent = |text: &str| check(&format!(r#"{{{ID}, "amount": 1, "message": {text}}}"#)).map(|bid| bid.message);
        assert_eq!(sent(r#"" hello ""#), Ok(Some("hello".into())));
        assert_eq!(sent(r#""  ""#), Ok(None));
        assert_eq!(sent("null"), Ok(None));
        assert_eq!(sent(r#""a\u0000b""#), Err(vec!["message"]));
        assert_eq!(sent("7"), Err(vec!["message"]));
        assert!(sent(&format!("\"{}\"", "가".repeat(100))).is_ok());
        assert_eq!(sent(&format!("\"{}\"", "가".repeat(101))), Err(vec!["message"]));
    }
}
