//! Placing a bid, over HTTP and from a WebSocket frame alike.
//!
//! The hot path: a cached sign-in, one small body, one call of the engine, one struct written out.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::auth::SignedInUser;
use super::extract::AuctionRef;
use super::openapi::problems;
use super::params::NoParams;
use super::problem::Code;
use super::{Door, HttpError, counts, problem_of};
use crate::account::{Limited, Limiter, Who};
use crate::auction::BidError;
use crate::cluster::Router;
use crate::domain::{AuctionId, BidId, PlaceBid};
use crate::protocol::bid::BidBody;
use crate::protocol::client::{ReceiptView, RejectionFacts, bid_id_text};
use crate::protocol::given::FieldFault;
use crate::protocol::object::Object;
use crate::session::{Refusal, Why};

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
    _: NoParams,
    web::Json(Object(body, faults)): web::Json<Object<BidBody>>,
) -> Result<HttpResponse, HttpError> {
    let bid = body.check(faults)?.by(user.0.user.bidder());
    door.limit(Limited::Bid, user.who())?;
    let answer = door.router.place_bid(auction_id, bid).await?;
    let receipt = answer.outcome.map_err(HttpError::Rejected)?;
    let mut response = if answer.repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response.json(ReceiptView::from(&receipt)))
}

/// A WebSocket frame that says what became of a request.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    #[serde(rename = "receipt")]
    Accepted(ReceiptView),
    #[serde(rename = "receipt")]
    Rejected(Told),
    Error(Told),
}

/// What is told of a refusal in a frame: as over HTTP.
#[derive(Debug, Serialize)]
struct Told {
    /// Always `rejected`, in the receipt of a bid.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auction_id: Option<String>,
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

/// Places a bid that came in a WebSocket frame, at its bidder's rate, and returns the whole `receipt` frame.
pub async fn receipt_frame(router: &Router, limiter: &Limiter, auction_id: AuctionId, bid: PlaceBid) -> String {
    let bid_id = bid.bid_id;
    let placed = match limiter.check(Limited::Bid, Who::User(bid.bidder.id)) {
        Ok(()) => router.place_bid(auction_id, bid).await.map_err(HttpError::from),
        Err(wait) => Err(HttpError::RateLimited(wait)),
    };
    let frame = match placed.and_then(|answer| answer.outcome.map_err(HttpError::Rejected)) {
        Ok(receipt) => Frame::Accepted(ReceiptView::from(&receipt)),
        Err(error) => {
            counts::ended(&error);
            Frame::Rejected(told(&error, Some(auction_id), Some(bid_id)))
        }
    };
    json(&frame)
}

/// The frame for a request that the session itself refused: the `receipt` of a bid that is known by name and bidder,
/// else an `error`.
#[must_use]
pub fn refusal_frame(Refusal { why, is_bid, auction_id, bid_id }: Refusal) -> String {
    let is_receipt = is_bid && bid_id.is_some() && !matches!(why, Why::Unauthenticated);
    let error = match why {
        Why::Unauthenticated => HttpError::Unauthenticated,
        Why::Stopping => HttpError::Bid(BidError::Moving),
        Why::Overloaded => HttpError::Overloaded,
        Why::TooFast => HttpError::RateLimited(Duration::from_secs(1)),
        Why::TooManySubscriptions => HttpError::TooManySubscriptions,
        Why::Invalid(faults) => HttpError::Invalid(faults),
    };
    if is_bid {
        counts::refused(error.code());
    }
    let told = told(&error, auction_id, bid_id);
    json(&if is_receipt { Frame::Rejected(told) } else { Frame::Error(Told { status: None, ..told }) })
}

fn told(error: &HttpError, auction_id: Option<AuctionId>, bid_id: Option<BidId>) -> Told {
    let problem = problem_of(error);
    Told {
        status: Some("rejected"),
        bid_id: bid_id.map(bid_id_text),
        auction_id: auction_id.map(|id| id.to_string()),
        code: problem.code,
        detail: problem.detail,
        retryable: problem.code.retryable(),
        retry_after: problem.retry_after_s,
        facts: problem.facts,
        errors: problem.errors,
    }
}

fn json(frame: &Frame) -> String {
    serde_json::to_string(frame).unwrap_or_else(|error| {
        tracing::error!(%error, "a frame could not be written out");
        String::new()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Money, Rejection};

    #[test]
    fn a_refusal_in_a_frame_says_what_it_would_say_over_http() {
        let low = HttpError::Rejected(Rejection::TooLow { min_next: Money::new(12).unwrap(), top: None });
        assert_eq!(
            serde_json::to_value(Frame::Rejected(told(&low, Some(AuctionId(7)), Some(BidId(1))))).unwrap(),
            json!({
                "type": "receipt", "status": "rejected", "bid_id": "00000000-0000-0000-0000-000000000001",
                "auction_id": "7", "code": "too_low", "detail": "The bid must be at least `min_next`.",
                "retryable": false, "min_next": 12, "top": null,
            })
        );
        let limited = told(&HttpError::RateLimited(Duration::from_millis(1_500)), None, None);
        assert_eq!((limited.code, limited.retry_after), (Code::RateLimited, Some(2)));
    }

    fn frame(why: Why, is_bid: bool) -> Value {
        let bid_id = is_bid.then_some(BidId(1));
        serde_json::from_str(&refusal_frame(Refusal { why, is_bid, auction_id: Some(AuctionId(7)), bid_id })).unwrap()
    }

    #[test]
    fn what_a_session_refuses_says_when_to_try_again() {
        for (why, code) in [(Why::Stopping, "moving"), (Why::Overloaded, "overloaded"), (Why::TooFast, "rate_limited")]
        {
            let told = frame(why, true);
            assert_eq!((&told["type"], &told["status"]), (&json!("receipt"), &json!("rejected")), "{told}");
            assert_eq!((&told["code"], &told["retryable"]), (&json!(code), &json!(true)), "{told}");
            assert!(told["detail"].is_string() && told["retry_after"].as_u64().unwrap() >= 1, "{told}");
        }
        for (why, code) in
            [(Why::Unauthenticated, "unauthenticated"), (Why::TooManySubscriptions, "too_many_subscriptions")]
        {
            let told = frame(why, code == "unauthenticated");
            assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!(code)), "{told}");
            assert_eq!((&told["retryable"], &told["auction_id"]), (&json!(false), &json!("7")), "{told}");
            assert!(told["detail"].is_string() && told.get("status").is_none(), "{told}");
        }
    }
}
