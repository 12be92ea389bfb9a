//! Bids over one kept-alive HTTP connection, one at a time: one write and one read a bid.
//!
//! A bid without an answer is sent again under its `bid_id` on a new connection, for as long as it takes;
//! whoever runs this decides when to stop.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::{Verdict, of_response};
use crate::desk::{Bid, Desk, Next};
use crate::record::Ack;
use crate::target::Target;
use crate::template::Template;
use crate::wire::{Framing, parse_head};

/// Largest answer to a bid that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// First and longest wait between attempts to connect.
const RECONNECT_AFTER: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// One connection and its prepared request.
pub(crate) struct HttpBidder {
    target: Target,
    template: Template,
    stream: TcpStream,
    received: Box<[u8]>,
    accepted: usize,
}

/// A response, still in the connection's buffer.
struct Exchanged {
    status: u16,
    retry_after_s: Option<u64>,
    body: std::ops::Range<usize>,
    closes: bool,
}

impl HttpBidder {
    /// Connects to `target`.
    pub(crate) async fn connect(target: &Target) -> io::Result<Self> {
        Ok(Self {
            template: Template::new(target),
            stream: dial(target).await?,
            target: target.clone(),
            received: vec![0; ANSWER_BYTES_MAX].into_boxed_slice(),
            accepted: 0,
        })
    }

    /// Bids at the desk's pace until it ends.
    pub(crate) async fn run(mut self, desk: &Desk) {
        while let Some(intended) = desk.pace.next().await {
            let bid = desk.draw(intended);
            let Some(ack) = self.place(desk, &bid).await else { continue };
            self.accepted += 1;
            if desk.repeat_every.is_some_and(|every| self.accepted.is_multiple_of(every)) {
                self.repeat(desk, &bid, ack).await;
            }
        }
    }

    /// Sends `bid` until it has its answer.
    async fn place(&mut self, desk: &Desk, bid: &Bid) -> Option<Ack> {
        loop {
            let next = match self.exchange(desk, bid).await {
                Ok(exchanged) => {
                    let body = &self.received[exchanged.body.clone()];
                    let next = desk.settle(bid, of_response(exchanged.status, exchanged.retry_after_s, body));
                    if exchanged.closes {
                        self.reconnect(desk).await;
                    }
                    next
                }
                Err(_lost) => {
                    self.reconnect(desk).await;
                    desk.tally.borrow_mut().resent += 1;
                    continue;
                }
            };
            match next {
                Next::Done(ack) => return ack,
                Next::Again(after) => {
                    tokio::time::sleep(after).await;
                    desk.tally.borrow_mut().resent += 1;
                }
            }
        }
    }

    /// Sends an answered bid once more: the receipt must be the same.
    async fn repeat(&mut self, desk: &Desk, bid: &Bid, first: Ack) {
        match self.exchange(desk, bid).await {
            Ok(exchanged) => {
                let body = &self.received[exchanged.body.clone()];
                let verdict: Verdict<'_> = of_response(exchanged.status, exchanged.retry_after_s, body);
                desk.compare_repeat(first, verdict);
                if exchanged.closes {
                    self.reconnect(desk).await;
                }
            }
            Err(_lost) => self.reconnect(desk).await,
        }
    }

    async fn exchange(&mut self, desk: &Desk, bid: &Bid) -> io::Result<Exchanged> {
        let auction = &desk.market.auctions[bid.draw.auction];
        let token = &desk.bidder(bid).token;
        let request = self.template.fill(&auction.id, token, bid.id, bid.draw.amount);
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.received[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            let Some(head) = parse_head(&self.received[..filled]).map_err(io::Error::other)? else { continue };
            let Framing::Length(length) = head.framing else {
                return Err(io::Error::other("an answer to a bid in chunks"));
            };
            let end = head.body_at + length;
            if end > self.received.len() {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if filled >= end {
                return Ok(Exchanged {
                    status: head.status,
                    retry_after_s: head.retry_after_s,
                    body: head.body_at..end,
                    closes: head.closes,
                });
            }
        }
    }

    async fn reconnect(&mut self, desk: &Desk) {
        let mut wait = RECONNECT_AFTER.0;
        desk.tally.borrow_mut().reconnects += 1;
        loop {
            match dial(&self.target).await {
                Ok(stream) => {
                    self.stream = stream;
                    return;
                }
                Err(_refused) => {
                    desk.tally.borrow_mut().error("connection_refused");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RECONNECT_AFTER.1);
                }
            }
        }
    }
}

/// A TCP connection that sends at once.
pub(crate) async fn dial(target: &Target) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
