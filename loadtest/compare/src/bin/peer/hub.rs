//! A naive fan-out hub: one actor knows every session and sends each of them every event.
//!
//! What the chat examples do: one message and one frame for each session and event, nothing bounded,
//! nothing shared between events. Bids are accepted unseen.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use actix_web_actors::ws::{self, ProtocolError, WebsocketContext};
use bytestring::ByteString;
use serde_json::json;

use crate::clock::rfc3339;
use crate::house::{Bid, Decision, Fault, House, Stored};

/// An event as its frame.
#[derive(Clone)]
struct Event(ByteString);

impl Message for Event {
    type Result = ();
}

struct Join(Recipient<Event>);

impl Message for Join {
    type Result = ();
}

/// Knows every session; those that are gone fall out at the next event.
#[derive(Default)]
pub(crate) struct Crowd {
    sessions: Vec<Recipient<Event>>,
}

impl Actor for Crowd {
    type Context = Context<Self>;
}

impl Handler<Join> for Crowd {
    type Result = ();

    fn handle(&mut self, join: Join, _context: &mut Self::Context) {
        self.sessions.push(join.0);
    }
}

impl Handler<Event> for Crowd {
    type Result = ();

    fn handle(&mut self, event: Event, _context: &mut Self::Context) {
        self.sessions.retain(Recipient::connected);
        for session in &self.sessions {
            session.do_send(event.clone());
        }
    }
}

struct Session(Addr<Crowd>);

#[allow(clippy::disallowed_methods, reason = "naive on purpose: this peer bounds nothing")]
impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.0.do_send(Join(context.address().recipient()));
    }
}

impl Handler<Event> for Session {
    type Result = ();

    fn handle(&mut self, event: Event, context: &mut Self::Context) {
        context.text(event.0);
    }
}

impl StreamHandler<Result<ws::Message, ProtocolError>> for Session {
    fn handle(&mut self, message: Result<ws::Message, ProtocolError>, context: &mut Self::Context) {
        match message {
            Ok(ws::Message::Text(_subscribe)) => context.text(r#"{"type":"snapshot","seq":0}"#),
            Ok(ws::Message::Ping(payload)) => context.pong(&payload),
            Ok(ws::Message::Close(_)) | Err(_) => context.stop(),
            Ok(ws::Message::Binary(_) | ws::Message::Continuation(_) | ws::Message::Pong(_) | ws::Message::Nop) => {}
        }
    }
}

/// `GET /api/v1/ws`: every session is told of every auction.
pub(crate) async fn watch(
    request: HttpRequest,
    payload: Payload,
    hub: Data<Hub>,
) -> Result<HttpResponse, actix_web::Error> {
    ws::start(Session(hub.crowd.clone()), &request, payload)
}

/// The event as Gavel words it, `type` first.
fn frame(bid: &Bid, seq: i64) -> String {
    let bidder = json!({"id": bid.bidder.to_string(), "nick": "load"});
    let at = rfc3339(bid.at_ms);
    format!(
        r#"{{"type":"bid","auction_id":"{}","seq":{seq},"amount":{},"bidder":{bidder},"message":null,"at":"{at}","min_next":{},"ends_at":"{at}"}}"#,
        bid.auction,
        bid.amount,
        bid.amount + 1
    )
}

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    crowd: Addr<Crowd>,
    seq: Arc<AtomicI64>,
}

impl Shared {
    /// Starts the crowd on this thread.
    pub(crate) fn start() -> Self {
        Self { crowd: Crowd::default().start(), seq: Arc::default() }
    }
}

/// The house in front of the crowd.
pub(crate) struct Hub {
    crowd: Addr<Crowd>,
    seq: Arc<AtomicI64>,
}

#[allow(clippy::disallowed_methods, reason = "naive on purpose: this peer bounds nothing")]
impl House for Hub {
    type Shared = Shared;

    async fn connect(shared: Self::Shared) -> Result<Self, Fault> {
        Ok(Self { crowd: shared.crowd, seq: shared.seq })
    }

    async fn open(&self, _auction: i64, _start_price: i64) -> Result<(), Fault> {
        Ok(())
    }

    async fn place(&self, bid: Bid) -> Result<Decision, Fault> {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        self.crowd.do_send(Event(frame(&bid, seq).into()));
        Ok(Decision::Accepted { seq })
    }

    async fn history(&self, _auction: i64, _after: i64, _limit: i64) -> Result<Vec<Stored>, Fault> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_frame_of_the_contract_with_its_type_first() {
        let bid = Bid { auction: 3, bidder: 4, id: uuid::Uuid::nil(), amount: 1_500, at_ms: 0 };
        let frame = frame(&bid, 9);
        assert!(frame.starts_with("{\"type\":\"bid\""), "{frame}");
        let json: serde_json::Value = serde_json::from_str(&frame).unwrap();
        assert_eq!((&json["seq"], &json["amount"], &json["min_next"]), (&9.into(), &1_500.into(), &1_501.into()));
    }
}
