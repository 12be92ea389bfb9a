//! The live streams' routes: the server clock, SSE and WebSocket.
//!
//! Only what HTTP has to say about them (who asks, from where, for what); the streams themselves are
//! `session`'s.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{Error, HttpRequest, HttpResponse, web};

use super::Door;
use crate::account::{Limited, SignedIn, Who};
use crate::domain::{AuctionId, Seq};
use crate::limits::SUBSCRIPTIONS_PER_SESSION_MAX;
use crate::session::websocket::{self, OpenError};
use crate::session::{EventId, Hubs, Position, Refused, sse};
use crate::settings::Settings;

/// Adds the routes. They are plain resources: register them before any scope that covers `/api/v1`.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/sse", web::get().to(server_clock))
        .route("/api/v1/ws", web::get().to(web_socket))
        .route("/api/v1/events", web::get().to(many_auctions))
        .route("/api/v1/auctions/{id}/events", web::get().to(one_auction));
}

type Answer = Result<HttpResponse, Error>;
type Query = web::Query<HashMap<String, String>>;

async fn server_clock(request: HttpRequest, hubs: web::Data<Arc<Hubs>>, door: web::Data<Door>) -> Answer {
    admit(&request, &door)?;
    sse::open_clock(&hubs).map_err(refused)
}

async fn web_socket(
    request: HttpRequest,
    payload: web::Payload,
    hubs: web::Data<Arc<Hubs>>,
    door: web::Data<Door>,
) -> Answer {
    admit(&request, &door)?;
    let caller = caller(&request, &door).await?;
    if caller.by_cookie && !is_own_origin(&request, &door.settings) {
        return Err(problem(StatusCode::FORBIDDEN, "forbidden_origin", "The request came from another site."));
    }
    websocket::open(&hubs, &request, payload, caller.signed_in.as_deref()).map_err(|error| match error {
        OpenError::Refused(why) => refused(why),
        OpenError::Handshake(error) => error,
    })
}

async fn one_auction(
    request: HttpRequest,
    id: web::Path<String>,
    query: Query,
    hubs: web::Data<Arc<Hubs>>,
    door: web::Data<Door>,
) -> Answer {
    admit(&request, &door)?;
    let not_found = || problem(StatusCode::NOT_FOUND, "not_found", "There is no such auction.");
    let auction_id = auction_id(&id).ok_or_else(not_found)?;
    let after = match last_event_id(&request) {
        Some(last) if last.auction_id == auction_id => Some(Position::from(last)),
        _ => after_seq(&query)?.map(Position::after),
    };
    let caller = caller(&request, &door).await?;
    match hubs.knows(auction_id).await {
        Ok(true) => sse::open(&hubs, &[(auction_id, after)], caller.signed_in.as_deref()).map_err(refused),
        Ok(false) => Err(not_found()),
        Err(_) => Err(unavailable("The auction cannot be read just now.")),
    }
}

async fn many_auctions(
    request: HttpRequest,
    query: Query,
    hubs: web::Data<Arc<Hubs>>,
    door: web::Data<Door>,
) -> Answer {
    admit(&request, &door)?;
    let last = last_event_id(&request);
    let auctions: Vec<_> = auction_ids(query.get("auctions").map_or("", String::as_str))
        .ok_or_else(|| {
            let detail = format!("auctions: name 1 to {SUBSCRIPTIONS_PER_SESSION_MAX} ids, separated by commas.");
            problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid", &detail)
        })?
        .into_iter()
        .map(|id| (id, last.filter(|last| last.auction_id == id).map(Position::from)))
        .collect();
    let caller = caller(&request, &door).await?;
    sse::open(&hubs, &auctions, caller.signed_in.as_deref()).map_err(refused)
}

fn auction_id(text: &str) -> Option<AuctionId> {
    text.parse().ok().filter(|id| *id > 0).map(AuctionId)
}

/// A list of auctions, each once, in ascending order; `None` when it is empty, too long or no list.
fn auction_ids(text: &str) -> Option<Vec<AuctionId>> {
    let mut ids = text.split(',').map(|id| auction_id(id.trim())).collect::<Option<Vec<_>>>()?;
    ids.sort_unstable();
    ids.dedup();
    (ids.len() <= SUBSCRIPTIONS_PER_SESSION_MAX).then_some(ids)
}

fn after_seq(query: &HashMap<String, String>) -> Result<Option<Seq>, Error> {
    let Some(text) = query.get("after_seq") else { return Ok(None) };
    match text.parse() {
        Ok(seq) if seq >= 0 => Ok(Some(Seq(seq))),
        _ => Err(problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "after_seq: a whole number, not negative.")),
    }
}

/// What a browser had last; anything else in the header is as good as none.
fn last_event_id(request: &HttpRequest) -> Option<EventId> {
    text(request.headers(), "last-event-id")?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Who asks, if anyone is signed in.
struct Caller {
    signed_in: Option<Arc<SignedIn>>,
    by_cookie: bool,
}

/// A stale cookie leaves a watcher anonymous; a stale bearer token is told.
async fn caller(request: &HttpRequest, door: &Door) -> Result<Caller, Error> {
    let bearer = text(request.headers(), header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim().to_owned());
    let cookie = request.cookie("gavel_session").map(|cookie| cookie.value().to_owned());
    let (token, by_cookie) = match (bearer, cookie) {
        (Some(token), _) => (token, false),
        (None, Some(token)) => (token, true),
        (None, None) => return Ok(Caller { signed_in: None, by_cookie: false }),
    };
    let signed_in = door.accounts.authenticate(&token).await.map_err(|error| {
        tracing::warn!(%error, "cannot look up a sign-in");
        unavailable("Sign-ins cannot be read just now.")
    })?;
    if signed_in.is_none() && !by_cookie {
        return Err(problem(StatusCode::UNAUTHORIZED, "unauthenticated", "The token is not valid."));
    }
    Ok(Caller { signed_in, by_cookie })
}

/// Whether the page that opens the stream is ours. Browsers always say where it came from; whoever
/// says nothing is no browser and carries nobody else's cookie.
fn is_own_origin(request: &HttpRequest, settings: &Settings) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = text(request.headers(), header::HOST.as_str()).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
    own || settings.allowed_origins.iter().any(|allowed| allowed == origin)
}

/// Takes one new stream from the allowance of the caller's address.
fn admit(request: &HttpRequest, door: &Door) -> Result<(), Error> {
    let connection = request.connection_info();
    let forwarded = if door.settings.trust_forwarded { connection.realip_remote_addr() } else { None };
    let address = forwarded
        .and_then(|address| address.parse::<IpAddr>().ok())
        .or_else(|| request.peer_addr().map(|address| address.ip()));
    let Some(address) = address else { return Ok(()) };
    door.limiter
        .check(Limited::Stream, Who::Address(address))
        .map_err(|wait| try_later(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many new streams.", wait))
}

fn refused(why: Refused) -> Error {
    match why {
        Refused::Full => overloaded("overloaded", "Too many live streams."),
        Refused::Stopping => overloaded("moving", "The server is stopping."),
    }
}

fn unavailable(detail: &str) -> Error {
    overloaded("overloaded", detail)
}

fn overloaded(code: &str, detail: &str) -> Error {
    try_later(StatusCode::SERVICE_UNAVAILABLE, code, detail, Duration::from_secs(1))
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Error {
    InternalError::from_response(code.to_owned(), problem_response(status, code, detail)).into()
}

fn try_later(status: StatusCode, code: &str, detail: &str, wait: Duration) -> Error {
    let mut response = problem_response(status, code, detail);
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(wait.as_secs().max(1)));
    InternalError::from_response(code.to_owned(), response).into()
}

fn problem_response(status: StatusCode, code: &str, detail: &str) -> HttpResponse {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "retryable": status.as_u16() == 503 || status.as_u16() == 429,
    });
    HttpResponse::build(status).content_type("application/problem+json").body(body.to_string())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_page_of_another_site_is_told_from_ours() {
        let mut settings = Settings::load(None).unwrap();
        settings.allowed_origins = vec!["https://auction.example".to_owned()];
        let from = |origin: &'static str| {
            let request = TestRequest::default().insert_header((header::HOST, "localhost:8080"));
            request.insert_header((header::ORIGIN, origin)).to_http_request()
        };
        for origin in ["http://localhost:8080", "https://LOCALHOST:8080", "https://auction.example"] {
            assert!(is_own_origin(&from(origin), &settings), "{origin}");
        }
        for origin in ["null", "", "http://localhost", "http://localhost:8080.evil.example", "http://auction.example"] {
            assert!(!is_own_origin(&from(origin), &settings), "{origin}");
        }
        assert!(is_own_origin(&TestRequest::default().to_http_request(), &settings));
    }

    #[test]
    fn only_a_well_formed_last_event_id_counts() {
        let with = |value: &'static str| {
            last_event_id(&TestRequest::default().insert_header(("last-event-id", value)).to_http_request())
        };
        assert_eq!(with("1-2-3").map(|id| id.to_string()), Some("1-2-3".to_owned()));
        assert_eq!(with("1-2"), None);
    }

    #[test]
    fn a_list_of_auctions_is_sorted_and_each_named_once() {
        assert_eq!(auction_ids("3, 1,3"), Some(vec![AuctionId(1), AuctionId(3)]));
        for text in ["", ",", "1,", "x", "0", "-1", "1;2", "99999999999999999999"] {
            assert_eq!(auction_ids(text), None, "{text}");
        }
        let many = (1..=SUBSCRIPTIONS_PER_SESSION_MAX).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(auction_ids(&many).map(|ids| ids.len()), Some(SUBSCRIPTIONS_PER_SESSION_MAX));
        assert_eq!(auction_ids(&format!("{many},999")), None);
    }
}
