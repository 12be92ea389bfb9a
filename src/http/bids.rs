//! Bids: placing one, and an auction's history.
//!
//! Placing is the hot path: a cached sign-in, one small body, one call of the engine, one struct
//! written out.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::SignedInUser;
use super::extract::{AuctionRef, digits, limit};
use super::given::{Faults, Given};
use super::openapi::problems;
use super::{Door, HttpError};
use crate::account::{Limited, Who, fields};
use crate::auction::Answer;
use crate::domain::{AuctionId, BidId, Bidder, Money, PlaceBid, Seq};
use crate::limits::MESSAGE_CHARS_MAX;
use crate::protocol::client::{BidView, ReceiptView};

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
    #[schema(value_type = Option<String>, max_length = 100, pattern = "^[^\\p{C}]*$")]
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

/// Places a bid for its bidder: over HTTP, from the page's form and from a WebSocket frame alike.
///
/// # Errors
/// The bidder's rate is used up, the message is not of the right form, or the engine gave no answer. A
/// refusal is no error but an [`Answer`].
pub async fn place_bid_checked(door: &Door, auction_id: AuctionId, bid: PlaceBid) -> Result<Answer, HttpError> {
    door.limit(Limited::Bid, Who::User(bid.bidder.id))?;
    let kept = match bid.message.as_deref() {
        Some(text) => message(text).map_err(|problem| HttpError::invalid("message", problem))?,
        None => None,
    };
    Ok(door.engine.place_bid(auction_id, PlaceBid { message: kept, ..bid }).await?)
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
    body: web::Json<BidBody>,
) -> Result<HttpResponse, HttpError> {
    let bid = body.into_inner().check(user.0.user.bidder())?;
    let answer = place_bid_checked(&door, auction_id, bid).await?;
    let receipt = answer.outcome.map_err(HttpError::Rejected)?;
    let mut response = if answer.repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response.json(ReceiptView::from(&receipt)))
}

/// Which part of the history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// Bids with a higher seq; from the first when left out.
    #[param(value_type = Option<i64>, minimum = 0)]
    after_seq: Option<String>,
    /// Items on a page; 50 when left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

impl HistoryParams {
    fn check(&self) -> Result<(Seq, u32), HttpError> {
        let mut faults = Faults::default();
        let after = match self.after_seq.as_deref() {
            Some(text) => {
                let problem = || "must be a seq: a number from 0".to_owned();
                faults.checked("after_seq", digits(text).map(Seq).ok_or_else(problem))
            }
            None => Some(Seq::ZERO),
        };
        let limit = limit(&mut faults, self.limit.as_deref());
        faults.or(after.map(|after| (after, limit)))
    }
}

/// A page of an auction's accepted bids.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BidsPage {
    /// In seq order. May hold fewer than asked for before the end, where other events lie between bids.
    items: Vec<BidView>,
    /// For the next page; null on the last.
    next_after_seq: Option<i64>,
}

/// Lists an auction's accepted bids in seq order.
#[utoipa::path(get, path = "/api/v1/auctions/{id}/bids", tag = "bids",
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$")),
    responses((status = 200, description = "A page of bids", body = BidsPage), problems::NotFound, problems::Invalid))]
pub(super) async fn history(
    door: web::Data<Door>,
    AuctionRef(auction_id): AuctionRef,
    params: web::Query<HistoryParams>,
) -> Result<HttpResponse, HttpError> {
    let (after, limit) = params.check()?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let events = door.store.events_after(auction_id, after, limit.saturating_add(1)).await?;
    if events.is_empty() {
        door.store.auction(auction_id).await?.ok_or(HttpError::NotFound)?;
    }
    let shown = &events[..events.len().min(wanted)];
    let items = shown.iter().filter_map(BidView::new).collect();
    let goes_on = events[shown.len()..].iter().any(|stored| BidView::new(stored).is_some());
    let next_after_seq = shown.last().filter(|_| goes_on).map(|last| last.event.seq.0);
    Ok(HttpResponse::Ok().json(BidsPage { items, next_after_seq }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;
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
    fn a_history_is_read_from_a_seq_on() {
        let check = |query: &str| web::Query::<HistoryParams>::from_query(query).unwrap().check();
        assert_eq!(check("after_seq=41&limit=2").unwrap(), (Seq(41), 2));
        for wrong in ["after_seq=-1", "after_seq=", "after_seq=x", "limit=0", "after_seq=9223372036854775808"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
