//! The actor of one SSE connection: the server clock, or the events of some auctions.
//!
//! The only file that names actix-web-actors. Like the WebSocket's actor it keeps no
//! time; unlike it, it is never spoken to.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext};
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use actix_web_actors::HttpContext;

use super::frames::{self, Wire};
use super::hub::{LocalHub, Session, Ticket};
use super::hubs::Hubs;
use super::position::Position;
use super::seats::{Kind, Refused};
use crate::account::SignedIn;
use crate::domain::AuctionId;

/// How long a client waits before it connects again: spread, so that a restart is no stampede.
const RETRY_MS_MIN: u64 = 1_000;
const RETRY_MS_SPREAD: u64 = 2_000;

/// An auction to follow, and the newest event of it that the client has.
pub type Followed = (AuctionId, Option<Position>);

/// Starts a stream of the events of `auctions`, at most `limits::SUBSCRIPTIONS_PER_SESSION_MAX`;
/// further ones are left out.
///
/// # Errors
/// When the node has no room.
pub fn open(hubs: &Arc<Hubs>, auctions: &[Followed], signed_in: Option<&SignedIn>) -> Result<HttpResponse, Refused> {
    let ticket = signed_in.map(|signed_in| Ticket { token: signed_in.token, expires_at: signed_in.expires_at });
    let hub = hubs.local();
    let session = hub.join(Kind::Sse, ticket)?;
    session.push(frames::retry(RETRY_MS_MIN + session.id.0 % RETRY_MS_SPREAD), hub.now());
    let actor = SseSession { hub, session };
    for (auction_id, after) in auctions {
        if actor.hub.subscribe(&actor.session, *auction_id, *after).is_err() {
            break;
        }
    }
    Ok(actor.respond())
}

/// Starts a stream of the server clock: its messages are a second apart from the first on.
///
/// # Errors
/// When the node has no room.
pub fn open_clock(hubs: &Arc<Hubs>) -> Result<HttpResponse, Refused> {
    let hub = hubs.local();
    let session = hub.join(Kind::Clock, None)?;
    Ok(SseSession { hub, session }.respond())
}

/// See the file's head.
struct SseSession {
    hub: LocalHub,
    session: Rc<Session>,
}

impl SseSession {
    fn respond(self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/event-stream"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header(("X-Accel-Buffering", "no"))
            .streaming(HttpContext::create(self))
    }

    fn pump(&mut self, wire: &mut HttpContext<Self>, task: &mut Context<'_>) -> Poll<()> {
        self.session.queue.register(task.waker());
        let mut chunk = web::BytesMut::new();
        self.hub.take(&self.session, |frame| chunk.extend_from_slice(frame.as_bytes()));
        if !chunk.is_empty() {
            wire.write(chunk.freeze());
        }
        if let Some(ending) = self.session.queue.ending_due() {
            // The server clock says nothing but the time.
            if self.session.kind == Kind::Sse {
                wire.write(frames::end(ending).form(Wire::Sse).into_bytes());
            }
            wire.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Actor for SseSession {
    type Context = HttpContext<Self>;

    fn started(&mut self, wire: &mut Self::Context) {
        wire.spawn(Pump);
    }
}

impl Drop for SseSession {
    fn drop(&mut self) {
        self.hub.leave(&self.session);
    }
}

/// Sends what waits each time the actor is woken.
struct Pump;

impl ActorFuture<SseSession> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut SseSession,
        wire: &mut HttpContext<SseSession>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        actor.pump(wire, task)
    }
}
