//! The actor of one WebSocket connection.
//!
//! The only file that names actix-web-actors' `ws`. It turns frames into calls of the hub and the bid
//! desk, and empties its queue in as few writes as possible. The actor is run only while its peer
//! reads, so nothing here keeps time: pings, time-outs and ends come from the hub.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, StreamHandler};
use actix_http::ws::Item;
use actix_web::rt::time::{Sleep, sleep};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, CloseCode, CloseReason, Message, ProtocolError, WebsocketContext};
use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::ending::Ending;
use super::frame_guard::FrameGuard;
use super::frames;
use super::hub::{LocalHub, Session, Ticket, TooManySubscriptions};
use super::hubs::Hubs;
use super::pace::Pace;
use super::position::Position;
use super::requests::{self, Malformed, Request};
use super::seats::{Kind, Refused};
use super::{BidFrame, Refusal, Why};
use crate::account::SignedIn;
use crate::domain::{AuctionId, Bidder};
use crate::limits::{BIDS_IN_FLIGHT_PER_SESSION, FRAME_BYTES_MAX, INVALID_FRAMES_MAX, RECEIPTS_AWAITED};
use crate::protocol::bid::Offer;

/// Why a connection did not become a session.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The request is no WebSocket handshake; the error says why.
    #[error("{0}")]
    Handshake(actix_web::Error),
}

/// Answers the handshake and starts the session's actor.
///
/// # Errors
/// When the node has no room, or the request is no handshake.
pub fn open(
    hubs: &Arc<Hubs>,
    request: &HttpRequest,
    payload: web::Payload,
    signed_in: Option<&SignedIn>,
) -> Result<HttpResponse, OpenError> {
    let hub = hubs.local();
    let ticket = signed_in.map(|signed_in| Ticket { token: signed_in.token, expires_at: signed_in.expires_at });
    let too_large = Rc::new(Cell::new(false));
    let actor = WebsocketSession {
        session: hub.join(Kind::WebSocket, ticket)?,
        pace: Pace::new(hub.now()),
        hub,
        bidder: signed_in.map(|signed_in| signed_in.user.bidder()),
        bids: FuturesUnordered::new(),
        fragments: None,
        too_large: Rc::clone(&too_large),
        invalid_frames: 0,
        receipts_awaited: None,
    };
    ws::WsResponseBuilder::new(actor, request, FrameGuard::new(payload, too_large))
        .frame_size(FRAME_BYTES_MAX)
        .start()
        .map_err(OpenError::Handshake)
}

/// See the file's head.
struct WebsocketSession {
    hub: LocalHub,
    session: Rc<Session>,
    bidder: Option<Bidder>,
    /// Bids without an answer yet; bounded by `limits::BIDS_IN_FLIGHT_PER_SESSION`.
    bids: FuturesUnordered<Pin<Box<dyn Future<Output = String>>>>,
    /// A message that comes in several frames.
    fragments: Option<BytesMut>,
    too_large: Rc<Cell<bool>>,
    invalid_frames: u32,
    pace: Pace,
    receipts_awaited: Option<Pin<Box<Sleep>>>,
}

type Wire = WebsocketContext<WebsocketSession>;

impl Actor for WebsocketSession {
    type Context = Wire;

    fn started(&mut self, wire: &mut Wire) {
        wire.text(frames::welcome(self.bidder.as_ref(), self.hub.now()));
        wire.spawn(Pump);
    }
}

impl Drop for WebsocketSession {
    fn drop(&mut self) {
        self.hub.leave(&self.session);
    }
}

/// Sends what waits each time the actor is woken. It comes after the client's frames in the actor's
/// list, so bids that were just placed are polled in the same turn.
struct Pump;

impl ActorFuture<WebsocketSession> for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, actor: &mut WebsocketSession, wire: &mut Wire, task: &mut Context<'_>) -> Poll<()> {
        actor.pump(wire, task)
    }
}

impl WebsocketSession {
    fn pump(&mut self, wire: &mut Wire, task: &mut Context<'_>) -> Poll<()> {
        self.session.queue.register(task.waker());
        while let Poll::Ready(Some(receipt)) = self.bids.poll_next_unpin(task) {
            wire.text(receipt);
        }
        self.hub.take(&self.session, |frame| wire.text(frame));
        if self.session.queue.take_ping() {
            wire.ping(b"");
        }
        match self.session.queue.ending_due() {
            Some(ending) if !self.awaits_receipts(ending, task) => {
                end(wire, ending);
                Poll::Ready(())
            }
            _ => Poll::Pending,
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

    fn take_text(&mut self, text: &str, wire: &mut Wire) {
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

    fn take_bid(&mut self, auction_id: AuctionId, offer: Offer, wire: &mut Wire) {
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

    fn refuse(&self, refusal: Refusal, wire: &mut Wire) {
        wire.text(self.hub.node().desk.refuse(refusal));
    }

    /// Counts a frame that should not have come. True when it was one too many.
    fn is_one_too_many(&mut self, wire: &mut Wire) -> bool {
        self.invalid_frames += 1;
        let too_many = self.invalid_frames > INVALID_FRAMES_MAX;
        if too_many {
            end(wire, Ending::TooManyErrors);
        }
        too_many
    }

    fn slow_down(&mut self, request: &Request, wire: &mut Wire) {
        if !self.is_one_too_many(wire) {
            self.refuse(about(request.auction_id(), Why::TooFast), wire);
        }
    }

    fn set_right(&mut self, malformed: Malformed, wire: &mut Wire) {
        if !self.is_one_too_many(wire) {
            let Malformed { faults, is_bid, auction_id, bid_id } = malformed;
            self.refuse(Refusal { why: Why::Invalid(faults), is_bid, auction_id, bid_id }, wire);
        }
    }

    /// Puts together a message that comes in several frames, within the bound of one.
    fn take_fragment(&mut self, item: Item, wire: &mut Wire) {
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

    /// Why the client's stream failed; `None` when the client is just gone.
    fn fault(&self, error: &ProtocolError) -> Option<Ending> {
        if self.too_large.get() || matches!(error, ProtocolError::Overflow) {
            return Some(Ending::TooLarge);
        }
        match error {
            // The decoder has no error of its own for text that is not UTF-8.
            ProtocolError::Io(io) if io.to_string().contains("utf-8") => Some(Ending::NotUtf8),
            ProtocolError::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => Some(Ending::ProtocolError),
            ProtocolError::Io(_) => None,
            ProtocolError::UnmaskedFrame
            | ProtocolError::MaskedFrame
            | ProtocolError::InvalidOpcode(_)
            | ProtocolError::InvalidLength(_)
            | ProtocolError::BadOpCode
            | ProtocolError::Overflow
            | ProtocolError::ContinuationNotStarted
            | ProtocolError::ContinuationStarted
            | ProtocolError::ContinuationFragment(_) => Some(Ending::ProtocolError),
        }
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for WebsocketSession {
    fn handle(&mut self, message: Result<Message, ProtocolError>, wire: &mut Wire) {
        self.session.heard_at.set(self.hub.now());
        match message {
            Ok(Message::Text(text)) => self.take_text(&text, wire),
            Ok(Message::Continuation(item)) => self.take_fragment(item, wire),
            Ok(Message::Binary(_)) => end(wire, Ending::NotText),
            Ok(Message::Ping(payload)) => wire.pong(&payload),
            Ok(Message::Pong(_) | Message::Nop) => {}
            Ok(Message::Close(reason)) => {
                wire.close(reason);
                wire.stop();
            }
            Err(error) => match self.fault(&error) {
                Some(ending) => end(wire, ending),
                None => wire.stop(),
            },
        }
    }
}

fn about(auction_id: Option<AuctionId>, why: Why) -> Refusal {
    Refusal { why, is_bid: false, auction_id, bid_id: None }
}

fn end(wire: &mut Wire, ending: Ending) {
    wire.close(Some(CloseReason {
        code: CloseCode::from(ending.code()),
        description: Some(ending.words().to_owned()),
    }));
    wire.stop();
}
