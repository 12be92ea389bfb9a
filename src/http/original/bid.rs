//! `POST /good/{id}/bid`: a bid in the original's form, `{bid, msg}`, answered with `ok` or a Korean text.
//!
//! A bid that is refused for what it says gets 403, as in the original; a body that cannot be read at all, 400.
//! `bid` is in the major unit, as the original's form and ours show it. Without a `bid_id` each request is
//! its own bid; our pages send one.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::body::read;
use super::texts::{self, with_note};
use crate::account::{Limited, SignedIn, Who};
use crate::auction::BidError;
use crate::domain::{BidId, Currency, Money};
use crate::http::auth::Caller;
use crate::http::pages::{redirect, wants_page};
use crate::http::problem::Code;
use crate::http::{Door, HttpError, counts, problem_of};
use crate::limits::MESSAGE_CHARS_MAX;
use crate::protocol::bid::{Offer, message};
use crate::protocol::given::{Member as _, auction_id};
use crate::web::money::{AmountError, parse_major};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    bid: Option<Amount>,
    msg: Option<String>,
    bid_id: Option<String>,
}

/// Forms carry text, JSON a number or text; a number's own text is exact.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(serde_json::Number),
    Text(String),
    Other(IgnoredAny),
}

/// A refusal: status and text.
type Refusal = (StatusCode, &'static str);

/// Takes the bid.
pub async fn place(
    door: web::Data<Door>,
    caller: Caller,
    request: HttpRequest,
    id: web::Path<String>,
    payload: Option<web::Bytes>,
) -> HttpResponse {
    let fields = read::<Fields>(&request, payload.as_deref());
    let outcome = take(&door, caller.signed_in.as_deref(), &id, fields).await;
    if wants_page(&request) {
        return back_to_room(&id, outcome);
    }
    let (status, text) = outcome.err().unwrap_or((StatusCode::OK, "ok"));
    let mut response = HttpResponse::build(status);
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.insert_header((header::RETRY_AFTER, "1"));
    }
    response.insert_header((header::CACHE_CONTROL, "no-store")).content_type("text/plain; charset=utf-8").body(text)
}

fn back_to_room(id: &str, outcome: Result<(), Refusal>) -> HttpResponse {
    if auction_id(id).is_none() {
        return redirect(&with_note("/", "auctionError", texts::NO_ITEM));
    }
    let room = format!("/good/{id}");
    match outcome {
        Ok(()) => redirect(&room),
        Err((StatusCode::NOT_FOUND, text)) => redirect(&with_note("/", "auctionError", text)),
        Err((_, text)) => redirect(&with_note(&room, "auctionError", text)),
    }
}

/// The bidder's rate, before anything is read; the checks in the original's order; then the engine's word.
async fn take(door: &Door, caller: Option<&SignedIn>, id: &str, fields: Option<Fields>) -> Result<(), Refusal> {
    let stranger = (StatusCode::FORBIDDEN, texts::SIGN_IN_NEEDED);
    let signed_in = caller.ok_or_else(|| early(Code::Unauthenticated, stranger))?;
    let nothing = || early(Code::NotFound, (StatusCode::NOT_FOUND, texts::NO_ITEM));
    let id = auction_id(id).ok_or_else(nothing)?;
    door.limit(Limited::Bid, Who::User(signed_in.user.id)).map_err(|error| of_error(&error))?;
    let stored = door.store.auction(id).await.map_err(|error| of_error(&HttpError::Store(error)))?;
    let terms = stored.ok_or_else(nothing)?.terms;
    let offer = offer_of(fields, terms.currency).map_err(|refusal| early(Code::Invalid, refusal))?;
    let amount = offer.amount;
    let placed = door.router.place_bid(id, offer.by(signed_in.user.bidder())).await;
    let answer = placed.map_err(|error| of_error(&error.into()))?;
    match answer.outcome {
        Ok(_receipt) => Ok(()),
        Err(rejection) => Err((StatusCode::FORBIDDEN, texts::of_rejection(&rejection, amount, terms.start_price))),
    }
}

/// A refusal of which the engine never hears.
fn early(code: Code, refusal: Refusal) -> Refusal {
    counts::refused(code);
    refusal
}

fn offer_of(fields: Option<Fields>, currency: Currency) -> Result<Offer, Refusal> {
    let fields = fields.ok_or((StatusCode::BAD_REQUEST, texts::INVALID))?;
    Ok(Offer {
        bid_id: bid_id_of(fields.bid_id.as_deref())?,
        amount: amount_of(fields.bid.as_ref(), currency)?,
        message: message_of(fields.msg.as_deref())?,
    })
}

/// The status is the API's own.
fn of_error(error: &HttpError) -> Refusal {
    counts::ended(error);
    let status = problem_of(error).code.status();
    let text = match status {
        StatusCode::NOT_FOUND => texts::NO_ITEM,
        StatusCode::TOO_MANY_REQUESTS => texts::RATE_LIMITED,
        StatusCode::UNPROCESSABLE_ENTITY if matches!(error, HttpError::Bid(BidError::BidIdReused)) => {
            texts::BID_ID_REUSED
        }
        StatusCode::UNPROCESSABLE_ENTITY => texts::INVALID,
        _ => texts::TRY_LATER,
    };
    (status, text)
}

fn bid_id_of(text: Option<&str>) -> Result<BidId, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(BidId(Uuid::new_v4().as_u128())) };
    let id = Uuid::from_text(text).ok_or((StatusCode::FORBIDDEN, texts::INVALID))?;
    Ok(BidId(id.as_u128()))
}

/// The original took a missing or unreadable `bid` for 0, and rounded fractions to ties (its faults 3 and 4).
fn amount_of(bid: Option<&Amount>, currency: Currency) -> Result<Money, Refusal> {
    let parsed = match bid {
        None | Some(Amount::Other(_)) => Err(AmountError::NotANumber),
        Some(Amount::Number(number)) => parse_major(&number.to_string(), currency),
        Some(Amount::Text(text)) => parse_major(text, currency),
    };
    parsed.map_err(|error| {
        let text = match error {
            AmountError::NotANumber => texts::NOT_A_NUMBER,
            AmountError::TooFine => texts::TOO_FINE,
            AmountError::TooLarge => texts::TOO_LARGE,
        };
        (StatusCode::FORBIDDEN, text)
    })
}

fn message_of(msg: Option<&str>) -> Result<Option<Arc<str>>, Refusal> {
    let msg = msg.unwrap_or_default();
    let long = msg.trim().chars().count() > MESSAGE_CHARS_MAX;
    message(msg).map_err(|_wrong| (StatusCode::FORBIDDEN, if long { texts::MESSAGE_TOO_LONG } else { texts::INVALID }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(body: &str, code: &str) -> Result<i64, &'static str> {
        let fields: Fields = serde_json::from_str(body).unwrap();
        let currency = Currency::from_code(code).unwrap();
        amount_of(fields.bid.as_ref(), currency).map(Money::minor).map_err(|(_, text)| text)
    }

    /// Fault 3 of the original.
    #[test]
    fn a_body_without_a_bid_or_with_text_in_it_is_refused() {
        assert_eq!(amount("{}", "KRW"), Err(texts::NOT_A_NUMBER));
        assert_eq!(amount(r#"{"bid":null}"#, "KRW"), Err(texts::NOT_A_NUMBER));
        assert_eq!(amount(r#"{"bid":"abc"}"#, "KRW"), Err(texts::NOT_A_NUMBER));
        assert_eq!(amount(r#"{"bid":""}"#, "KRW"), Err(texts::NOT_A_NUMBER));
        assert_eq!(amount(r#"{"bid":-5}"#, "KRW"), Err(texts::NOT_A_NUMBER));
        assert_eq!(amount(r#"{"bid":[1]}"#, "KRW"), Err(texts::NOT_A_NUMBER));
    }

    /// Fault 4 of the original.
    #[test]
    fn a_fraction_of_the_smallest_unit_is_refused() {
        assert_eq!(amount(r#"{"bid":1000.4}"#, "KRW"), Err(texts::TOO_FINE));
        assert_eq!(amount(r#"{"bid":"1000.4"}"#, "KRW"), Err(texts::TOO_FINE));
        assert_eq!(amount(r#"{"bid":10.005}"#, "USD"), Err(texts::TOO_FINE));
    }

    #[test]
    fn numbers_and_their_text_are_the_same_bid() {
        assert_eq!(amount(r#"{"bid":12000}"#, "KRW"), Ok(12_000));
        assert_eq!(amount(r#"{"bid":"12000"}"#, "KRW"), Ok(12_000));
        assert_eq!(amount(r#"{"bid":12.5}"#, "USD"), Ok(1_250));
        assert_eq!(amount(r#"{"bid":0.29}"#, "USD"), Ok(29));
        assert_eq!(amount(r#"{"bid":1e300}"#, "KRW"), Err(texts::NOT_A_NUMBER));
        assert_eq!(amount(r#"{"bid":9007199254740993}"#, "KRW"), Err(texts::TOO_LARGE));
    }

    #[test]
    fn a_message_has_at_most_a_hundred_characters() {
        assert_eq!(message_of(Some("  ")).unwrap(), None);
        assert_eq!(message_of(Some(&"가".repeat(100))).unwrap().unwrap().chars().count(), 100);
        assert_eq!(message_of(Some(&"가".repeat(101))).unwrap_err().1, texts::MESSAGE_TOO_LONG);
    }

    #[test]
    fn each_bid_without_an_id_gets_its_own() {
        assert_ne!(bid_id_of(None).unwrap(), bid_id_of(Some("")).unwrap());
        let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert_eq!(bid_id_of(Some(id)).unwrap(), bid_id_of(Some(id)).unwrap());
        assert_eq!(bid_id_of(Some("7")).unwrap_err().0, StatusCode::FORBIDDEN);
    }
}
