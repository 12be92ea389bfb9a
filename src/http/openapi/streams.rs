//! The live streams as the `OpenAPI` document describes them: what a schema cannot say, in words.
//!
//! Only descriptions; the streams themselves are in `http/streams.rs` and the session room.
#![allow(dead_code, reason = "each function stands for an operation that is served elsewhere")]

use super::problems;

/// Follows one auction by server-sent events.
///
/// Event names: `hello`, `snapshot`, `bid`, `extended`, `closed`, `tick`, `error`, `end`; the data of each is the JSON of
/// the WebSocket frame of that name (see `/api/v1/ws`). Every event of the auction has the id
/// `<auction>-<epoch>-<seq>`; `Last-Event-ID` or `after_seq` replays what was missed, completely or not at all: `hello`
/// says `recovered` true or false, and after false a `snapshot` follows.
///
/// A stream that the server ends closes with `end {code, reason}`: 1001 `shutdown` (connect again), 4000 `slow reader`
/// (connect again for a replay), 4001 `signed out` (the sign-in that it was opened with is over). A stream that breaks
/// off without it lost its connection.
#[utoipa::path(get, path = "/api/v1/auctions/{id}/events", tag = "streams",
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$"),
        ("after_seq" = Option<i64>, Query, description = "The newest seq that the client has", minimum = 0),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received")),
    responses((status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        problems::Unauthenticated, problems::NotFound, problems::Invalid),
    security((), ("bearer" = []), ("cookie" = [])))]
pub(super) fn auction_events() {}

/// Follows many auctions by server-sent events on one connection.
///
/// The events are those of `/api/v1/auctions/{id}/events`, each with its `auction_id`. An auction that is not there is
/// told by an `error` event with the code `not_found`; the others go on. `Last-Event-ID` replays what was missed of the
/// auction that it names, the others begin with a `snapshot`.
#[utoipa::path(get, path = "/api/v1/events", tag = "streams",
    params(("auctions" = String, Query, description = "Up to 100 ids with commas between them", pattern = "^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17}){0,99}$"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received")),
    responses((status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        problems::Unauthenticated, problems::Invalid),
    security((), ("bearer" = []), ("cookie" = [])))]
pub(super) fn events() {}

/// Follows auctions and bids over a WebSocket: text frames, one JSON object each, `type` first.
///
/// Ids are texts, amounts whole minor units, instants RFC 3339 in UTC with milliseconds. Clients ignore members and types
/// that they do not know.
///
/// **From the client**
///
/// - `subscribe {auction_id, after_seq?}`: at most 100 at a time
/// - `unsubscribe {auction_id}`
/// - `bid {auction_id, bid_id, amount, message?}`: as `POST /api/v1/auctions/{id}/bids`; needs a signed-in connection
/// - `ping {t?}`: `t` is a number that comes back
///
/// **From the server**
///
/// - `hello {server_time, epoch, user}`, once, first: the connection's own; `epoch` is null, `user {id, nick}` or null
/// - `hello {auction_id, epoch, head, recovered, server_time}`: an auction's, after `subscribe`. `head` is its newest seq.
///   With `recovered` true every event after `after_seq` follows, with false a `snapshot`
/// - `snapshot {auction_id, auction, seq}`: `auction` as `GET /api/v1/auctions/{id}` gives it
/// - `bid {auction_id, seq, bid_id, amount, bidder {id, nick}, message, at, min_next, ends_at}`
/// - `extended {auction_id, seq, at, ends_at}`: the server could not take bids for a while, so the auction ends later
/// - `closed {auction_id, seq, winner {id, nick} or null, amount or null, at}`
/// - `tick {server_time, heads, ends_at}`, once a second: `heads` is the newest seq of each followed auction by its id,
///   `ends_at` its closing instant. A head above the last event received, in two ticks, means that something was lost:
///   subscribe again with `after_seq`
/// - `receipt {bid_id, auction_id, status, …}`: `accepted` with the members of the receipt over HTTP, or `rejected` with
///   `code`, `detail`, `retryable`, `retry_after` (whole seconds, when trying again is of use), `errors` (with `invalid`)
///   and the facts of the problem over HTTP. Repeat a retryable bid under the same `bid_id`
/// - `pong {t, server_time}`
/// - `error {code, detail, retryable, retry_after?, auction_id?, bid_id?, errors?}`: `invalid`, `rate_limited`,
///   `unauthenticated` (a bid on a connection that is not signed in), `not_found` (no such auction),
///   `too_many_subscriptions`
///
/// **Close codes** (with the reason in words)
///
/// 1001 `shutdown`: connect again, here or elsewhere · 1002 `protocol error` · 1003 `text frames only` · 1007 `not UTF-8`
/// · 1008 `too many errors`: too many frames that made no sense or came too fast · 1009 `frame too large` · 4000 `slow
/// reader`: connect again for a replay · 4001 `signed out`: the sign-in that the connection came with is over · 4002
/// `silent`: not even a pong came for a minute.
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

#[cfg(test)]
mod tests {
    use crate::session::Ending;

    #[test]
    fn every_close_code_is_described_with_its_words() {
        let document = include_str!("streams.rs").replace("\n///", "");
        for ending in [
            Ending::Shutdown,
            Ending::ProtocolError,
            Ending::NotText,
            Ending::NotUtf8,
            Ending::TooManyErrors,
            Ending::TooLarge,
            Ending::SlowReader,
            Ending::SignedOut,
            Ending::Silent,
        ] {
            let told = format!("{} `{}`", ending.code(), ending.words());
            assert!(document.contains(&told), "{told}");
        }
    }
}
