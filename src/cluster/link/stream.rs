//! One stream to one peer, from its first word until it breaks: bids go out in the request's body, replies come back in
//! the response's.
//!
//! Whatever waits when the connection can take more goes out in one write; no timer gathers anything.

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use reqwest::header::AUTHORIZATION;
use reqwest::{Body, Client, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::pending::{Pending, Waiter};
use crate::cluster::token::Token;
use crate::limits;
use crate::protocol::link::{ForwardedBid, Frame, Frames, Malformed, VERSION};

/// What goes out.
#[derive(Debug)]
pub(super) enum Order {
    Say(Frame),
    Bid(ForwardedBid, Waiter),
}

/// Why there is no stream, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody listens at the address.
    #[error("the connection was refused")]
    Refused,
    #[error("it did not answer in time")]
    Late,
    #[error("it does not know the secret")]
    Secret,
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("it speaks version {0} of the link, this node {VERSION}")]
    Version(u8),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("nothing was heard of it")]
    Silent,
    #[error("it ended the stream")]
    Ended,
    #[error("the connection broke: {0}")]
    Broken(#[source] reqwest::Error),
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if inner.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
                return Self::Refused;
            }
            cause = inner.source();
        }
        Self::Broken(error)
    }
}

/// A connection to one peer. HTTP/2 without an upgrade, no proxy, nothing sent twice behind our back.
///
/// # Errors
/// When the system denies it.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(limits::LINK_WINDOW_BYTES)
        .http2_initial_connection_window_size(limits::LINK_WINDOW_BYTES)
        .connect_timeout(limits::LINK_CONNECT.into())
        .tcp_user_timeout(Duration::from(limits::LINK_SILENCE))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
}

/// The end of a stream on which replies come.
pub(super) struct Inbound {
    response: Response,
    frames: Frames,
    orders: mpsc::Sender<Order>,
    /// Shared with [`Outbound`], so that what did not go out is let go when the stream is over.
    waiting: Arc<Mutex<mpsc::Receiver<Order>>>,
    pending: Arc<Pending>,
}

/// Opens a stream; it is there once the peer has said its first word. Call within `limits::LINK_CONNECT`.
pub(super) async fn open(client: &Client, address: &str, token: &Token) -> Result<Inbound, Fault> {
    // One place for each bid in flight, which its permit bounds, and some for pings.
    let (orders, waiting) = mpsc::channel(limits::LINK_BIDS_IN_FLIGHT_PER_PEER + 8);
    let pending = Arc::<Pending>::default();
    let waiting = Arc::new(Mutex::new(waiting));
    let outbound = Outbound { waiting: Arc::clone(&waiting), taken: Vec::new(), pending: Arc::clone(&pending) };
    // An empty channel takes it.
    drop(orders.try_send(Order::Say(Frame::Hello { version: VERSION })));
    let response = client
        .post(format!("http://{address}/node/link"))
        .header(AUTHORIZATION, token.text())
        .body(Body::wrap_stream(outbound))
        .send()
        .await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(Fault::Secret),
        other => return Err(Fault::Status(other)),
    }
    let mut inbound = Inbound { response, frames: Frames::default(), orders, waiting, pending };
    match inbound.first_frame().await? {
        Frame::Hello { version: VERSION } => Ok(inbound),
        Frame::Hello { version } => Err(Fault::Version(version)),
        Frame::Ping | Frame::Pong | Frame::Bid { .. } | Frame::Reply { .. } => Err(Fault::Malformed(Malformed)),
    }
}

impl Inbound {
    /// Where to put what is to go out.
    pub(super) fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    async fn first_frame(&mut self) -> Result<Frame, Fault> {
        loop {
            if let Some(frame) = self.frames.next_frame()? {
                return Ok(frame);
            }
            let bytes = self.response.chunk().await?.ok_or(Fault::Ended)?;
            self.frames.feed(&bytes);
        }
    }

    /// Hands replies to those who wait, until the stream breaks; `on_ping` is called with each ping.
    pub(super) async fn run(mut self, on_ping: impl Fn()) -> Fault {
        let mut pings = tokio::time::interval(limits::LINK_PING.into());
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        loop {
            tokio::select! {
                piece = self.response.chunk() => {
                    unanswered = 0;
                    match piece {
                        Ok(Some(bytes)) => if let Err(fault) = self.take(&bytes) { return fault },
                        Ok(None) => return Fault::Ended,
                        Err(error) => return error.into(),
                    }
                }
                _ = pings.tick() => {
                    if unanswered >= limits::LINK_PINGS_UNANSWERED {
                        return Fault::Silent;
                    }
                    unanswered += 1;
                    // A full queue is a peer that takes nothing: its silence will show.
                    drop(self.orders.try_send(Order::Say(Frame::Ping)));
                    self.pending.table().pinged();
                    on_ping();
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.frames.feed(bytes);
        let mut table = self.pending.table();
        while let Some(frame) = self.frames.next_frame()? {
            match frame {
                Frame::Reply { number, took_us, reply } => table.answer(number, (reply, took_us)),
                Frame::Pong => {}
                Frame::Hello { .. } | Frame::Ping | Frame::Bid { .. } => return Err(Fault::Malformed(Malformed)),
            }
        }
        Ok(())
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.pending.table().end();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.close();
        while waiting.try_recv().is_ok() {}
    }
}

/// The request's body: all that is to go out, as it comes.
struct Outbound {
    waiting: Arc<Mutex<mpsc::Receiver<Order>>>,
    taken: Vec<Order>,
    pending: Arc<Pending>,
}

impl Stream for Outbound {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { waiting, taken, pending } = self.get_mut();
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if ready!(waiting.poll_recv_many(context, taken, limits::LINK_BIDS_PER_WRITE)) == 0 {
            return Poll::Ready(None);
        }
        drop(waiting);
        let mut out = BytesMut::with_capacity(taken.len() * 96);
        let mut table = pending.table();
        for order in taken.drain(..) {
            let frame = match order {
                Order::Say(frame) => frame,
                Order::Bid(bid, waiter) => match table.enter(waiter) {
                    Some(number) => Frame::Bid { number, bid },
                    None => return Poll::Ready(None),
                },
            };
            frame.encode(&mut out);
        }
        Poll::Ready(Some(Ok(out.freeze())))
    }
}
