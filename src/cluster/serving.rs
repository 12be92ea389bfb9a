//! The owner's end of one stream: reads bids, has them taken, writes replies as they come.
//!
//! It is the response's body, polled only while the other side reads; so nothing piles up. Bids in flight are bounded,
//! bytes that are not the protocol or silence end the stream, and with the stream all that it had under way here.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, Stream};
use tokio::sync::watch;
use tokio::time::Sleep;

use super::arrivals::Arrivals;
use crate::auction::BidError;
use crate::clock::Stopwatch;
use crate::limits;
use crate::protocol::link::{ForwardedBid, Frame, Frames, Malformed, Reply, VERSION};

/// See the file's head.
pub(super) struct Serving {
    input: Payload,
    frames: Frames,
    greeted: bool,
    under_way: FuturesUnordered<LocalBoxFuture<'static, Frame>>,
    out: BytesMut,
    arrivals: Arc<Arrivals>,
    /// Resolves when this node stops taking bids from others.
    closing: LocalBoxFuture<'static, ()>,
    closed: bool,
    /// The input is over: what is written goes out, then the stream ends.
    over: bool,
    quarter: Pin<Box<Sleep>>,
    /// Quarters of `limits::LINK_SILENCE` since something came.
    quiet: u32,
}

/// What reading came to.
enum Input {
    /// Nothing more for now.
    Read,
    /// More may be there.
    Behind,
    Over,
}

impl Serving {
    pub(super) fn new(input: Payload, arrivals: Arc<Arrivals>, mut closing: watch::Receiver<bool>) -> Self {
        let mut out = BytesMut::new();
        Frame::Hello { version: VERSION }.encode(&mut out);
        Self {
            input,
            frames: Frames::default(),
            greeted: false,
            under_way: FuturesUnordered::new(),
            out,
            arrivals,
            closing: async move { drop(closing.wait_for(|closing| *closing).await) }.boxed_local(),
            closed: false,
            over: false,
            quarter: Box::pin(tokio::time::sleep(quarter())),
            quiet: 0,
        }
    }

    fn read(&mut self, context: &mut Context<'_>) -> Input {
        for _ in 0..limits::LINK_READS_PER_TURN {
            if self.out.len() >= limits::LINK_WRITE_BYTES {
                return Input::Behind;
            }
            match Pin::new(&mut self.input).poll_next(context) {
                Poll::Pending => return Input::Read,
                Poll::Ready(Some(Ok(bytes))) => {
                    if let Err(Malformed) = self.take(&bytes) {
                        tracing::warn!("a stream from another node was not understood and is ended");
                        return Input::Over;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.note(&error);
                    return Input::Over;
                }
                Poll::Ready(None) => return Input::Over,
            }
        }
        Input::Behind
    }

    fn note(&self, error: &PayloadError) {
        tracing::debug!(%error, under_way = self.under_way.len(), "a stream from another node broke");
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.quiet = 0;
        self.frames.feed(bytes);
        while let Some(frame) = self.frames.next_frame()? {
            match frame {
                Frame::Hello { version: VERSION } if !self.greeted => self.greeted = true,
                Frame::Ping if self.greeted => Frame::Pong.encode(&mut self.out),
                Frame::Bid { number, bid } if self.greeted => self.take_bid(number, bid),
                Frame::Hello { .. } | Frame::Ping | Frame::Bid { .. } | Frame::Pong | Frame::Reply { .. } => {
                    return Err(Malformed);
                }
            }
        }
        Ok(())
    }

    fn take_bid(&mut self, number: u64, bid: ForwardedBid) {
        if self.under_way.len() >= limits::LINK_BIDS_IN_FLIGHT_PER_PEER {
            let reply = Reply::Failed(BidError::Overloaded);
            return Frame::Reply { number, took_us: 0, reply }.encode(&mut self.out);
        }
        let arrivals = Arc::clone(&self.arrivals);
        let stopwatch = Stopwatch::start();
        let taken = async move {
            let reply = arrivals.take(bid).await;
            let took_us = u32::try_from(stopwatch.elapsed().as_micros()).unwrap_or(u32::MAX);
            Frame::Reply { number, took_us, reply }
        };
        self.under_way.push(taken.boxed_local());
    }

    /// Whether the other side has said nothing for too long.
    fn is_silent(&mut self, context: &mut Context<'_>) -> bool {
        while self.quarter.as_mut().poll(context).is_ready() {
            self.quiet += 1;
            self.quarter = Box::pin(tokio::time::sleep(quarter()));
        }
        self.quiet >= 4
    }
}

fn quarter() -> Duration {
    Duration::from(limits::LINK_SILENCE) / 4
}

impl Stream for Serving {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.closed && this.closing.poll_unpin(context).is_ready() {
            this.closed = true;
        }
        let input = if this.closed || this.over { Input::Read } else { this.read(context) };
        if matches!(input, Input::Over) || this.is_silent(context) {
            this.over = true;
            this.under_way.clear();
        }
        let mut all_waiting = false;
        while this.out.len() < limits::LINK_WRITE_BYTES && !all_waiting {
            match Pin::new(&mut this.under_way).poll_next(context) {
                Poll::Ready(Some(frame)) => frame.encode(&mut this.out),
                Poll::Ready(None) | Poll::Pending => all_waiting = true,
            }
        }
        if !this.out.is_empty() {
            return Poll::Ready(Some(Ok(this.out.split().freeze())));
        }
        if this.over || (this.closed && this.under_way.is_empty()) {
            return Poll::Ready(None);
        }
        if matches!(input, Input::Behind) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
