//! The live streams' routes: the server clock, SSE and WebSocket.
//!
//! Only what HTTP has to say about them (who asks, from where, for what); the streams themselves are
//! `session`'s. A stream's place among those of its address is given back with its body, a WebSocket's with
//! its session.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;

use super::address::ClientAddress;
use super::auth::{Caller, bearer, token};
use super::extract::AuctionRef;
use super::params::{NoParams, Params};
use super::{Door, HttpError, origin_allowed};
use crate::account::{HeldStream, Limited, SignOutListener as _, SignedIn};
use crate::auction::BidError;
use crate::domain::{AuctionId, Seq};
use crate::limits::SUBSCRIPTIONS_PER_SESSION_MAX;
use crate::protocol::given::{Given, auction_id, digits};
use crate::session::websocket::{self, OpenError};
use crate::session::{EventId, HistoryUnavailable, Hubs, Position, Refused, sse};
use crate::store::StoreError;

/// Of one auction's events.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OneParams {
    after_seq: Given<String>,
}

/// Of the events of several auctions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ManyParams {
    auctions: Given<String>,
}

impl From<Refused> for HttpError {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Full => Self::Overloaded,
            Refused::Stopping => Self::Bid(BidError::Moving),
        }
    }
}

impl From<HistoryUnavailable> for HttpError {
    fn from(error: HistoryUnavailable) -> Self {
        Self::Store(StoreError::Unavailable(error.to_string()))
    }
}

/// The server's time, once a second, for everyone.
pub(super) async fn server_clock(
    address: ClientAddress,
    hubs: web::Data<Hubs>,
    door: web::Data<Door>,
) -> Result<HttpResponse, HttpError> {
    let place = place_for(&door, address)?;
    Ok(holding(place, sse::open_clock(&hubs)?))
}

/// A WebSocket. Browsers let any page open one, so the page must be ours when the cookie speaks.
pub(super) async fn web_socket(
    request: HttpRequest,
    _: NoParams,
    Watcher { place, by_cookie, asker }: Watcher,
) -> Result<HttpResponse, HttpError> {
    if by_cookie && !origin_allowed(&request, &asker.door.settings) {
        return Err(HttpError::ForbiddenOrigin);
    }
    let opened = websocket::open(&asker.hubs, &request, asker.signed_in.as_deref(), Some(place));
    let response = opened.map_err(|error| match error {
        OpenError::Refused(why) => HttpError::from(why),
        OpenError::Handshake(_error) => HttpError::UpgradeRequired,
    })?;
    asker.still_signed_in().await?;
    Ok(response)
}

/// One auction's events.
pub(super) async fn one_auction(
    request: HttpRequest,
    AuctionRef(id): AuctionRef,
    Params(params, mut faults): Params<OneParams>,
    watcher: Watcher,
) -> Result<HttpResponse, HttpError> {
    let from = params.after_seq.value().and_then(|text| {
        let problem = || "must be a whole number, not negative".to_owned();
        faults.checked("after_seq", digits(text).map(Seq).ok_or_else(problem))
    });
    faults.or(Some(()))?;
    let after = match last_event_id(&request) {
        Some(last) if last.auction_id == id => Some(Position::from(last)),
        _ => from.map(Position::after),
    };
    if !watcher.asker.hubs.knows(id).await? {
        return Err(HttpError::NotFound);
    }
    watcher.follow(&[(id, after)]).await
}

/// The events of several auctions, for a page that shows many.
pub(super) async fn many_auctions(
    request: HttpRequest,
    Params(params, mut faults): Params<ManyParams>,
    watcher: Watcher,
) -> Result<HttpResponse, HttpError> {
    let last = last_event_id(&request);
    let ids = auction_ids(params.auctions.value().map_or("", String::as_str));
    let problem = || format!("must be 1 to {SUBSCRIPTIONS_PER_SESSION_MAX} ids, separated by commas");
    let ids = faults.checked("auctions", ids.ok_or_else(problem));
    let ids = faults.or(ids)?;
    let from = |id| (id, last.filter(|last| last.auction_id == id).map(Position::from));
    watcher.follow(&ids.into_iter().map(from).collect::<Vec<_>>()).await
}

/// Who opens a stream: anyone may watch. A stale cookie leaves a watcher anonymous; a stale bearer token is told.
pub(super) struct Watcher {
    asker: Asker,
    by_cookie: bool,
    place: HeldStream,
}

struct Asker {
    signed_in: Option<Arc<SignedIn>>,
    token: Option<String>,
    hubs: web::Data<Hubs>,
    door: web::Data<Door>,
}

impl FromRequest for Watcher {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let parts = Door::of(request).cloned();
        let hubs = request.app_data::<web::Data<Hubs>>().cloned();
        let (address, caller) = (ClientAddress::extract(request), Caller::from_request(request, payload));
        let (with_bearer, (token, _)) = (bearer(request).is_some(), token(request));
        Box::pin(async move {
            let door = parts?;
            let hubs = hubs.ok_or(HttpError::Overloaded)?;
            let place = place_for(&door, address.await?)?;
            let Caller { signed_in, by_cookie } = caller.await?;
            if with_bearer && signed_in.is_none() {
                return Err(HttpError::Unauthenticated);
            }
            Ok(Self { asker: Asker { signed_in, token, hubs, door }, by_cookie, place })
        })
    }
}

impl Watcher {
    async fn follow(self, auctions: &[(AuctionId, Option<Position>)]) -> Result<HttpResponse, HttpError> {
        let response = sse::open(&self.asker.hubs, auctions, self.asker.signed_in.as_deref())?;
        self.asker.still_signed_in().await?;
        Ok(holding(self.place, response))
    }
}

impl Asker {
    /// A sign-out between the look-up and the registration of the stream found no stream to end: ends it now.
    async fn still_signed_in(&self) -> Result<(), HttpError> {
        if let (Some(signed_in), Some(token)) = (&self.signed_in, &self.token)
            && self.door.accounts.authenticate(token).await?.is_none()
        {
            self.hubs.signed_out(signed_in.token);
        }
        Ok(())
    }
}

/// Counts the stream among those of its address.
fn place_for(door: &Door, address: ClientAddress) -> Result<HeldStream, HttpError> {
    door.limit(Limited::Stream, address.who())?;
    door.limiter.hold_stream(address.who()).map_err(HttpError::RateLimited)
}

/// A stream's body with its place, which goes with it.
struct Holding {
    body: BoxBody,
    _place: HeldStream,
}

fn holding(place: HeldStream, response: HttpResponse) -> HttpResponse {
    response.map_body(|_, body| BoxBody::new(Holding { body, _place: place }))
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(task)
    }
}

/// A list of auctions, each once, in ascending order; `None` when it is empty, too long or no list.
fn auction_ids(text: &str) -> Option<Vec<AuctionId>> {
    let mut ids = text.split(',').map(|id| auction_id(id.trim())).collect::<Option<Vec<_>>>()?;
    ids.sort_unstable();
    ids.dedup();
    (ids.len() <= SUBSCRIPTIONS_PER_SESSION_MAX).then_some(ids)
}

/// What a browser had last; anything else in the header is as good as none.
fn last_event_id(request: &HttpRequest) -> Option<EventId> {
    request.headers().get("last-event-id")?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

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
