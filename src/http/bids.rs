//! Placing a bid, over HTTP and from a WebSocket frame alike.
//!
//! The hot path: a cached sign-in, one small body, one call of the engine, one struct written out.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::SignedInUser;
use super::extract::AuctionRef;
use super::given::{Faults, Given};
use super::object::Object;
use super::openapi::problems;
use super::problem::{Code, FieldFault};
use super::{Door, HttpError, problem_of};
use crate::account::{Limited, Limiter, Who, fields};
use crate::auction::Answer;
use crate::cluster::Router;
use crate::domain::{AuctionId, BidId, Bidder, Money, PlaceBid, UserId};
use crate::limits::MESSAGE_CHARS_MAX;
use crate::protocol::client::{ReceiptView, RejectionFacts, bid_id_text};

/// A bid as its bidder sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BidBody {
    /// The client's own name for this bid: the same id gets the same answer.
    #[serde(default)]
    #[schema(value_type = String, required, format = "uuid")]
    bid_id: Given<Uuid>,
    /// Minor units.
    #[serde(default)]
    #[schema(value_type = i64, required, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    amount: Given<i64>,
    /// A word to the room, one line.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*$")]
    message: Given<String>,
}

impl BidBody {
    fn check(self, bidder: Bidder) -> Result<PlaceBid, HttpError> {
        let mut faults = Faults::default();
        let bid_id = faults.required("bid_id", self.bid_id);
        let amount = faults.required("amount", self.amount);
        let amount = amount.and_then(|minor| faults.checked("amount", amount_of(minor)));
        let text = faults.optional("message", self.message);
        let message = text.and_then(|text| faults.checked("message", message(&text))).flatten();
        let bid = bid_id.zip(amount).map(|(bid_id, amount)| PlaceBid {
            bid_id: BidId(bid_id.as_u128()),
            bidder,
            amount,
            message,
        });
        faults.or(bid)
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

/// Places a bid, at `bidder`'s rate: over HTTP, from the page's form and from a WebSocket frame alike.
///
/// # Errors
/// The bidder's rate is used up, the message is not of the right form, or the engine gave no answer. A
/// refusal is no error but an [`Answer`].
pub async fn place_bid_checked(
    router: &Router,
    limiter: &Limiter,
    bidder: UserId,
    auction_id: AuctionId,
    bid: PlaceBid,
) -> Result<Answer, HttpError> {
    limiter.check(Limited::Bid, Who::User(bidder)).map_err(HttpError::RateLimited)?;
    place_bid_counted(router, auction_id, bid).await
}

/// Places a bid that its bidder's rate has let through.
///
/// # Errors
/// See [`place_bid_checked`].
pub(super) async fn place_bid_counted(
    router: &Router,
    auction_id: AuctionId,
    bid: PlaceBid,
) -> Result<Answer, HttpError> {
    let kept = match bid.message.as_deref() {
        Some(text) => message(text).map_err(|problem| HttpError::invalid("message", problem))?,
        None => None,
    };
    Ok(router.place_bid(auction_id, PlaceBid { message: kept, ..bid }).await?)
}

/// Places a bid.
#[utoipa::path(post, path = "/api/v1/auctions/{id}/bids", tag = "bids", request_body = BidBody,
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$")),
    responses((status = 201, description = "Accepted: the receipt", body = ReceiptView),
        (status = 200, description = "Accepted before under this `bid_id`: the same receipt", body = ReceiptView),
        problems::Unauthenticated, problems::BidForbidden, problems::NotFound, problems::BidRefused,
        problems::TooLarge, problems::UnsupportedMedia, problems::Invalid),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn place(
    door: web::Data<Door>,
    user: SignedInUser,
    AuctionRef(auction_id): AuctionRef,
    web::Json(Object(body)): web::Json<Object<BidBody>>,
) -> Result<HttpResponse, HttpError> {
    // Its form is checked here, all members at once: not again as on the other ways in.
    let bid = body.check(user.0.user.bidder())?;
    door.limit(Limited::Bid, user.who())?;
    let answer = door.router.place_bid(auction_id, bid).await?;
    let receipt = answer.outcome.map_err(HttpError::Rejected)?;
    let mut response = if answer.repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response.json(ReceiptView::from(&receipt)))
}

/// The answer to a bid that came in a WebSocket frame.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    #[serde(rename = "receipt")]
    Accepted(ReceiptView),
    #[serde(rename = "receipt")]
    Rejected(Refusal),
}

/// What a refused bidder is told in a frame: as over HTTP.
#[derive(Debug, Serialize)]
struct Refusal {
    /// Always `rejected`.
    status: &'static str,
    bid_id: String,
    auction_id: String,
    code: Code,
    detail: Cow<'static, str>,
    retryable: bool,
    /// Whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(flatten)]
    facts: RejectionFacts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldFault>,
}

/// Places a bid that came in a WebSocket frame and returns the whole `receipt` frame.
pub async fn receipt_frame(
    router: &Router,
    limiter: &Limiter,
    bidder: UserId,
    auction_id: AuctionId,
    bid: PlaceBid,
) -> String {
    let bid_id = bid.bid_id;
    let answer = place_bid_checked(router, limiter, bidder, auction_id, bid).await;
    let frame = match answer.and_then(|answer| answer.outcome.map_err(HttpError::Rejected)) {
        Ok(receipt) => Frame::Accepted(ReceiptView::from(&receipt)),
        Err(error) => Frame::Rejected(refusal(auction_id, bid_id, &error)),
    };
    serde_json::to_string(&frame).unwrap_or_else(|error| {
        tracing::error!(%error, "a receipt could not be written out");
        String::new()
    })
}

fn refusal(auction_id: AuctionId, bid_id: BidId, error: &HttpError) -> Refusal {
    let problem = problem_of(error);
    Refusal {
        status: "rejected",
        bid_id: bid_id_text(bid_id),
        auction_id: auction_id.to_string(),
        code: problem.code,
        detail: problem.detail,
        retryable: problem.code.retryable(),
        retry_after: problem.retry_after_s,
        facts: problem.facts,
        errors: problem.errors,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::domain::Rejection;
    use crate::http::given::faulty_fields;

    const ID: &str = r#""bid_id": "0199d5a0-7c1e-7000-8000-5b1f3c1d2e4f""#;

    fn check(json: &str) -> Result<PlaceBid, Vec<&'static str>> {
        let body: BidBody = serde_json::from_str(json).unwrap();
        body.check(Bidder { id: UserId(1), nick: "ann".into() }).map_err(|error| faulty_fields(&error))
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

    #[test]
    fn a_refusal_in_a_frame_says_what_it_would_say_over_http() {
        let low = Rejection::TooLow { min_next: Money::new(12).unwrap(), top: None };
        let frame = |error| serde_json::to_value(Frame::Rejected(refusal(AuctionId(7), BidId(1), &error))).unwrap();
        assert_eq!(
            frame(HttpError::Rejected(low)),
            json!({
                "type": "receipt", "status": "rejected", "bid_id": "00000000-0000-0000-0000-000000000001",
                "auction_id": "7", "code": "too_low", "detail": "The bid must be at least `min_next`.",
                "retryable": false, "min_next": 12, "top": null,
            })
        );
        let limited = frame(HttpError::RateLimited(Duration::from_millis(1_500)));
        assert_eq!((&limited["code"], &limited["retry_after"]), (&json!("rate_limited"), &json!(2)));
    }
}
