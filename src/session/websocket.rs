//! The actor of one WebSocket connection.
//!
//! It turns frames into calls of the hub and the bid desk, and empties its queue in as few writes as
//! possible. While its peer does not read it does nothing else, so nothing here keeps time: pings,
//! time-outs and ends come from the hub.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::ws::{self, CloseCode, CloseReason, Frame, HandshakeError, Item, ProtocolError};
use actix_web::rt::time::{Sleep, sleep};
use actix_web::{HttpRequest, HttpResponse};
use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::connection::{Incoming, Outgoing};
use super::ending::Ending;
use super::frames;
use super::hub::{LocalHub, Session, Ticket, TooManySubscriptions};
use super::hubs::Hubs;
use super::pace::Pace;
use super::position::Position;
use super::requests::{self, Malformed, Request};
use super::seats::{Kind, Refused};
use super::upgrade::Upgrade;
use super::{BidFrame, Refusal, Why};
use crate::account::{HeldStream, SignedIn};
use crate::domain::{AuctionId, Bidder};
use crate::limits::{BIDS_IN_FLIGHT_PER_SESSION, FRAME_BYTES_MAX, INVALID_FRAMES_MAX, RECEIPTS_AWAITED};
use crate::protocol::bid::Offer;

/// Why a connection did not become a session.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The request is no WebSocket handshake.
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
}

/// Answers the handshake; the session begins once that is answered. `place` goes with the session.
///
/// # Errors
/// When the node has no room, or the request is no handshake.
pub fn open(
    hubs: &Arc<Hubs>,
    request: &HttpRequest,
    signed_in: Option<&SignedIn>,
    place: Option<HeldStream>,
) -> Result<HttpResponse, OpenError> {
    let mut response = ws::handshake(request.head())?;
    let upgrade = Upgrade::of(request).ok_or(HandshakeError::NoWebsocketUpgrade)?;
    let hub = hubs.local();
    let ticket = signed_in.map(|signed_in| Ticket { token: signed_in.token, expires_at: signed_in.expires_at });
    upgrade.give(WebsocketSession {
        session: hub.join(Kind::WebSocket, ticket)?,
        pace: Pace::new(hub.now()),
        hub,
        bidder: signed_in.map(|signed_in| signed_in.user.bidder()),
        bids: FuturesUnordered::new(),
        fragments: None,
        invalid_frames: 0,
        receipts_awaited: None,
        _place: place,
    });
    Ok(response.finish().map_into_boxed_body().into())
}

/// See the file's head.
pub(super) struct WebsocketSession {
    hub: LocalHub,
    session: Rc<Session>,
    bidder: Option<Bidder>,
    /// Bids without an answer yet; bounded by `limits::BIDS_IN_FLIGHT_PER_SESSION`.
    bids: FuturesUnordered<Pin<Box<dyn Future<Output = String>>>>,
    /// A message that comes in several frames.
    fragments: Option<BytesMut>,
    invalid_frames: u32,
    pace: Pace,
    receipts_awaited: Option<Pin<Box<Sleep>>>,
    _place: Option<HeldStream>,
}

impl Drop for WebsocketSession {
    fn drop(&mut self) {
        self.hub.leave(&self.session);
    }
}

impl WebsocketSession {
    /// Serves the client until one of both has had enough.
    pub(super) async fn run(mut self, incoming: &mut Incoming, wire: Rc<Outgoing>) {
        wire.text(frames::welcome(self.bidder.as_ref(), self.hub.now()));
        self.take_frames(incoming, &wire);
        self.session.send_through(Rc::clone(&wire));
        poll_fn(|task| self.poll(incoming, &wire, task)).await;
    }

    fn poll(&mut self, incoming: &mut Incoming, wire: &Outgoing, task: &mut Context<'_>) -> Poll<()> {
        let mut is_done = false;
        loop {
            // While the peer does not read, it is not served.
            if ready!(wire.poll_sent(task)).is_err() || wire.is_closing() {
                return Poll::Ready(());
            }
            if is_done {
                return Poll::Pending;
            }
            let received = match incoming.poll_received(task) {
                Poll::Ready(Ok(true)) => true,
                Poll::Ready(Ok(false) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => false,
            };
            if received {
                self.take_frames(incoming, wire);
            }
            // After the client's frames, so that bids that were just placed are polled in the same turn.
            self.pump(wire, task);
            is_done = !received && self.session.queue.is_empty();
        }
    }

    fn take_frames(&mut self, incoming: &mut Incoming, wire: &Outgoing) {
        while !wire.is_closing() {
            match incoming.frame() {
                Ok(Some(frame)) => self.take_frame(frame, wire),
                Ok(None) => return,
                Err(error) => end(wire, fault(&error)),
            }
        }
    }

    fn take_frame(&mut self, frame: Frame, wire: &Outgoing) {
        self.session.heard_at.set(self.hub.now());
        match frame {
            Frame::Text(text) => match std::str::from_utf8(&text) {
                Ok(text) => self.take_text(text, wire),
                Err(_) => end(wire, Ending::NotUtf8),
            },
            Frame::Continuation(item) => self.take_fragment(item, wire),
            Frame::Binary(_) => end(wire, Ending::NotText),
            Frame::Ping(payload) => wire.pong(payload),
            Frame::Pong(_) => {}
            Frame::Close(reason) => wire.close(reason),
        }
    }

    /// Puts on the wire what waits: receipts, then what the hub has, then the end.
    fn pump(&mut self, wire: &Outgoing, task: &mut Context<'_>) {
        self.session.queue.register(task.waker());
        while let Poll::Ready(Some(receipt)) = self.bids.poll_next_unpin(task) {
            wire.text(receipt);
        }
        self.hub.take(&self.session, |frame| wire.text(frame));
        if self.session.queue.take_ping() {
            wire.ping();
        }
        if let Some(ending) = self.session.queue.ending_due()
            && !self.awaits_receipts(ending, task)
        {
            end(wire, ending);
        }
    }

    /// A shutdown waits a moment for the answers to bids under way.
    fn awaits_receipts(&mut self, ending: Ending, task: &mut Context<'_>) -> bool {
        if ending != Ending::Shutdown || self.bids.is_empty() {
            return false;
        }
        self.receipts_awaited
            .get_or_insert_with(|| Box::pin(sleep(RECEIPTS_AWAITED.into())))
            .as_mut()
            .poll(task)
            .is_pending()
    }

    fn take_text(&mut self, text: &str, wire: &Outgoing) {
        let request = requests::parse(text);
        if let Ok(request) = &request
            && !matches!(request, Request::Bid { .. })
            && !self.pace.take(self.hub.now())
        {
            return self.slow_down(request, wire);
        }
        match request {
            Ok(Request::Subscribe { auction_id, after }) => {
                let position = after.map(Position::after);
                if let Err(TooManySubscriptions) = self.hub.subscribe(&self.session, auction_id, position) {
                    self.refuse(about(Some(auction_id), Why::TooManySubscriptions), wire);
                }
            }
            Ok(Request::Unsubscribe { auction_id }) => self.hub.unsubscribe(&self.session, auction_id),
            Ok(Request::Bid { auction_id, offer }) => self.take_bid(auction_id, offer, wire),
            Ok(Request::Ping { t }) => wire.text(frames::pong(t.as_ref(), self.hub.now())),
            Err(malformed) => self.set_right(malformed, wire),
        }
    }

    fn take_bid(&mut self, auction_id: AuctionId, offer: Offer, wire: &Outgoing) {
        let bid_id = Some(offer.bid_id);
        let refusal = |why| Refusal { is_bid: true, bid_id, ..about(Some(auction_id), why) };
        let Some(bidder) = self.bidder.clone() else {
            return self.refuse(refusal(Why::Unauthenticated), wire);
        };
        if self.session.queue.is_ending() {
            return self.refuse(refusal(Why::Stopping), wire);
        }
        if self.bids.len() >= BIDS_IN_FLIGHT_PER_SESSION {
            return self.refuse(refusal(Why::Overloaded), wire);
        }
        let desk = Arc::clone(&self.hub.node().desk);
        let frame = BidFrame { auction_id, bid: offer.by(bidder) };
        self.bids.push(Box::pin(async move { desk.place(frame).await }));
    }

    fn refuse(&self, refusal: Refusal, wire: &Outgoing) {
        wire.text(self.hub.node().desk.refuse(refusal));
    }

    /// Counts a frame that should not have come. True when it was one too many.
    fn is_one_too_many(&mut self, wire: &Outgoing) -> bool {
        self.invalid_frames += 1;
        let too_many = self.invalid_frames > INVALID_FRAMES_MAX;
        if too_many {
            end(wire, Ending::TooManyErrors);
        }
        too_many
    }

    fn slow_down(&mut self, request: &Request, wire: &Outgoing) {
        if !self.is_one_too_many(wire) {
            self.refuse(about(request.auction_id(), Why::TooFast), wire);
        }
    }

    fn set_right(&mut self, malformed: Malformed, wire: &Outgoing) {
        if !self.is_one_too_many(wire) {
            let Malformed { faults, is_bid, auction_id, bid_id } = malformed;
            self.refuse(Refusal { why: Why::Invalid(faults), is_bid, auction_id, bid_id }, wire);
        }
    }

    /// Puts together a message that comes in several frames, within the bound of one.
    fn take_fragment(&mut self, item: Item, wire: &Outgoing) {
        let (part, last) = match item {
            Item::FirstBinary(_) => return end(wire, Ending::NotText),
            Item::FirstText(part) => {
                self.fragments = Some(BytesMut::new());
                (part, false)
            }
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        let Some(fragments) = &mut self.fragments else { return end(wire, Ending::ProtocolError) };
        if fragments.len() + part.len() > FRAME_BYTES_MAX {
            return end(wire, Ending::TooLarge);
        }
        fragments.extend_from_slice(&part);
        if let Some(whole) = self.fragments.take_if(|_| last) {
            match std::str::from_utf8(&whole) {
                Ok(text) => self.take_text(text, wire),
                Err(_) => end(wire, Ending::NotUtf8),
            }
        }
    }
}

const fn fault(error: &ProtocolError) -> Ending {
    match error {
        ProtocolError::Overflow => Ending::TooLarge,
        ProtocolError::Io(_)
        | ProtocolError::UnmaskedFrame
        | ProtocolError::MaskedFrame
        | ProtocolError::InvalidOpcode(_)
        | ProtocolError::InvalidLength(_)
        | ProtocolError::BadOpCode
        | ProtocolError::ContinuationNotStarted
        | ProtocolError::ContinuationStarted
        | ProtocolError::ContinuationFragment(_) => Ending::ProtocolError,
    }
}

fn about(auction_id: Option<AuctionId>, why: Why) -> Refusal {
    Refusal { why, is_bid: false, auction_id, bid_id: None }
}

fn end(wire: &Outgoing, ending: Ending) {
    wire.close(Some(CloseReason {
        code: CloseCode::from(ending.code()),
        description: Some(ending.words().to_owned()),
    }));
}
