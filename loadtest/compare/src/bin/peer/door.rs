//! The door that all Rust peers share: the addresses and bodies of Gavel's API that the load generator uses.
//!
//! A bid costs here what it must cost anywhere: HTTP, JSON in, the session check, JSON out. It never decides.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::clock::{now_ms, rfc3339};
use crate::house::{Bid, Decision, Fault, House};
use crate::sessions::{Sessions, Terms};

/// Rows on a page of a history, at most.
const PAGE_MAX: i64 = 1_000;

#[derive(Deserialize)]
struct BidBody {
    bid_id: Uuid,
    amount: i64,
    #[allow(dead_code, reason = "read because it is part of the body, kept by no peer")]
    message: Option<String>,
}

#[derive(Serialize)]
struct Receipt<'a> {
    status: &'static str,
    bid_id: Uuid,
    auction_id: &'a str,
    seq: i64,
    amount: i64,
    at: String,
    min_next: i64,
    ends_at: &'a str,
}

#[derive(Deserialize)]
struct NewAuction {
    start_price: i64,
    ends_at: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    after_seq: i64,
    limit: Option<i64>,
}

/// The routes of a peer with the house `H`.
pub(crate) fn routes<H: House>(config: &mut web::ServiceConfig) {
    config
        .route("/api/v1/auctions/{id}/bids", web::post().to(place::<H>))
        .route("/api/v1/auctions/{id}/bids", web::get().to(history::<H>))
        .route("/api/v1/auctions", web::post().to(open::<H>))
        .route("/api/v1/users", web::post().to(sign_up))
        .route("/api/v1/sessions", web::post().to(sign_in))
        .route("/api/v1/time", web::get().to(time));
}

async fn place<H: House>(
    request: HttpRequest,
    path: Path<String>,
    body: Json<BidBody>,
    (house, sessions): (Data<H>, Data<Arc<Sessions>>),
) -> HttpResponse {
    let Some(bidder) = bearer(&request).and_then(|token| sessions.user(token)) else {
        return refused(StatusCode::UNAUTHORIZED, "unauthenticated");
    };
    let id = path.into_inner();
    let Some((auction, terms)) = id.parse().ok().and_then(|number| Some((number, sessions.terms(number)?))) else {
        return refused(StatusCode::NOT_FOUND, "not_found");
    };
    let at_ms = now_ms();
    let bid = Bid { auction, bidder, id: body.bid_id, amount: body.amount, at_ms };
    match house.place(bid).await {
        Ok(Decision::Accepted { seq }) => HttpResponse::Created().json(Receipt {
            status: "accepted",
            bid_id: bid.id,
            auction_id: &id,
            seq,
            amount: bid.amount,
            at: rfc3339(at_ms),
            min_next: bid.amount + 1,
            ends_at: &terms.ends_at,
        }),
        Ok(Decision::TooLow { top }) => HttpResponse::Conflict().json(json!({
            "type": "about:blank", "title": "Too low", "status": 409, "code": "too_low", "retryable": false,
            "min_next": top.max(terms.start_price) + 1,
        })),
        Err(fault) => failed(&fault),
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn refused(status: StatusCode, code: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"type": "about:blank", "status": status.as_u16(), "code": code}))
}

fn failed(fault: &Fault) -> HttpResponse {
    let detail = fault.to_string();
    HttpResponse::InternalServerError().json(json!({"status": 500, "code": "peer_failed", "detail": detail}))
}

async fn history<H: House>(path: Path<i64>, page: Query<Page>, house: Data<H>) -> HttpResponse {
    let limit = page.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    match house.history(*path, page.after_seq, limit).await {
        Ok(rows) => {
            let full = i64::try_from(rows.len()).is_ok_and(|length| length == limit);
            let next = rows.last().filter(|_| full).map(|row| row.seq);
            let items: Vec<_> = rows
                .iter()
                .map(|row| {
                    let bidder = json!({"id": row.bidder.to_string()});
                    json!({"seq": row.seq, "bid_id": row.id, "amount": row.amount, "bidder": bidder,
                        "at": rfc3339(row.at_ms)})
                })
                .collect();
            HttpResponse::Ok().json(json!({"items": items, "next_after_seq": next}))
        }
        Err(fault) => failed(&fault),
    }
}

async fn open<H: House>(body: Json<NewAuction>, house: Data<H>, sessions: Data<Arc<Sessions>>) -> HttpResponse {
    let NewAuction { start_price, ends_at } = body.into_inner();
    let id = sessions.open(Terms { start_price, ends_at: ends_at.clone() });
    match house.open(id, start_price).await {
        Ok(()) => HttpResponse::Created().json(json!({
            "id": id.to_string(), "start_price": start_price, "min_next": start_price + 1, "ends_at": ends_at,
        })),
        Err(fault) => failed(&fault),
    }
}

async fn sign_up(sessions: Data<Arc<Sessions>>) -> HttpResponse {
    HttpResponse::Created().json(json!({"id": sessions.sign_up().to_string()}))
}

async fn sign_in(sessions: Data<Arc<Sessions>>) -> HttpResponse {
    HttpResponse::Created().json(json!({"token": sessions.sign_in()}))
}

async fn time() -> HttpResponse {
    HttpResponse::Ok().json(json!({"server_time": rfc3339(now_ms())}))
}
