//! The live streams as the `OpenAPI` document describes them: what a schema cannot say, in words.
//!
//! Only descriptions; the streams themselves are in `http/streams.rs` and the session room.
#![allow(dead_code, reason = "each function stands for an operation that is served elsewhere")]

use super::problems;

/// Follows one auction by server-sent events.
///
/// Event names: `hello`, `snapshot`, `bid`, `extended`, `closed`, `tick`. `extended {auction_id, seq, at, ends_at}`: the
/// server could not take bids for a while, so the auction ends later. Every event of the auction has
/// the id `<auction>-<epoch>-<seq>`; `Last-Event-ID` or `after_seq` replays what was missed, completely
/// or not at all: `hello` says `recovered` true or false, and after false a `snapshot` follows.
#[utoipa::path(get, path = "/api/v1/auctions/{id}/events", tag = "streams",
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$"),
        ("after_seq" = Option<i64>, Query, description = "The newest seq that the client has", minimum = 0),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received")),
    responses((status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        problems::Unauthenticated, problems::NotFound, problems::Invalid),
    security((), ("bearer" = []), ("cookie" = [])))]
pub(super) fn auction_events() {}

/// Follows many auctions by server-sent events on one connection.
#[utoipa::path(get, path = "/api/v1/events", tag = "streams",
    params(("auctions" = String, Query, description = "Up to 100 ids with commas between them", pattern = "^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17}){0,99}$"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received")),
    responses((status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        problems::Unauthenticated, problems::NotFound, problems::Invalid),
    security((), ("bearer" = []), ("cookie" = [])))]
pub(super) fn events() {}

/// Follows auctions and bids over a WebSocket: text frames, one JSON object each, `type` first.
///
/// From the client: `subscribe {auction_id, after_seq?}`, `unsubscribe {auction_id}`,
/// `bid {auction_id, bid_id, amount, message?}`, `ping {t}`. From the server: `hello`, `snapshot`, `bid`,
/// `extended {auction_id, seq, at, ends_at}`, `closed`, `receipt`, `tick`, `pong`, `error`.
#[utoipa::path(get, path = "/api/v1/ws", tag = "streams",
    responses((status = 101, description = "The connection is now a WebSocket"),
        problems::UpgradeRequired, problems::Unauthenticated, problems::ForbiddenOrigin),
    security((), ("bearer" = []), ("cookie" = [])))]
pub(super) fn websocket() {}

/// The server clock: an unnamed event every second, its data the time in Unix milliseconds.
#[utoipa::path(get, path = "/sse", tag = "streams",
    responses((status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        problems::RateLimited, problems::Unavailable))]
pub(super) fn server_clock() {}
