//! Bids over one WebSocket connection, many in flight: all that are due go out in one write.
//!
//! After a lost connection every bid without an answer is sent again under its `bid_id`; whoever runs
//! this decides when to stop.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::answer::of_receipt;
use crate::clock;
use crate::desk::{Bid, Desk, Next};
use crate::socket::{DialError, Socket, open, open_patiently};
use crate::target::Target;
use crate::template::bid_frame;
use crate::wire::KEYS;

/// Bytes of answers read at once.
const READ_BUFFER: usize = 32 * 1_024;
/// First and longest wait between attempts to connect.
const RECONNECT_AFTER: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// One connection, signed in as one bidder.
pub(crate) struct WsBidder {
    target: Target,
    token: std::sync::Arc<str>,
    socket: Socket,
    in_flight_max: usize,
    /// Sent and not answered, oldest first.
    pending: VecDeque<Bid>,
    /// Pushed back: to be sent again at the instant.
    again: VecDeque<(Instant, Bid)>,
    over: bool,
}

enum Event {
    Frame(Option<Result<Message, WsError>>),
    Turn(Option<Instant>),
    AgainDue,
}

impl WsBidder {
    /// Connects to `target` as the bidder with `token`.
    pub(crate) async fn connect(
        target: &Target,
        token: &std::sync::Arc<str>,
        in_flight_max: usize,
    ) -> Result<Self, DialError> {
        Ok(Self {
            socket: open_patiently(target, Some(token), READ_BUFFER).await?,
            target: target.clone(),
            token: std::sync::Arc::clone(token),
            in_flight_max,
            pending: VecDeque::with_capacity(in_flight_max),
            again: VecDeque::new(),
            over: false,
        })
    }

    /// Bids at the desk's pace until it ends and every bid has its answer.
    pub(crate) async fn run(mut self, desk: &Desk) {
        while self.step(desk).await {}
        // The run is over either way.
        let _closed = self.socket.close(None).await;
    }

    /// Sends what is due, waits for something to happen, and notes it. False when there is no more to do.
    async fn step(&mut self, desk: &Desk) -> bool {
        if self.fill(desk).await.is_err() {
            self.reconnect(desk).await;
        }
        if self.over && self.pending.is_empty() && self.again.is_empty() {
            return false;
        }
        let alive = match self.wait(desk).await {
            Event::Frame(frame) => self.note(desk, frame) && self.note_all_received(desk),
            Event::Turn(Some(intended)) => self.place(desk, desk.draw(intended)).await.is_ok(),
            Event::Turn(None) => {
                self.over = true;
                true
            }
            Event::AgainDue => true,
        };
        if !alive {
            self.reconnect(desk).await;
        }
        true
    }

    fn has_room(&self) -> bool {
        self.pending.len() + self.again.len() < self.in_flight_max
    }

    /// Puts every bid that is due into one write.
    async fn fill(&mut self, desk: &Desk) -> Result<(), WsError> {
        let now = clock::now();
        while self.again.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, bid)) = self.again.pop_front() {
                desk.tally.borrow_mut().resent += 1;
                self.place(desk, bid).await?;
            }
        }
        while !self.over && self.has_room() {
            match desk.pace.try_next() {
                Some(Some(intended)) => self.place(desk, desk.draw(intended)).await?,
                Some(None) => self.over = true,
                None => break,
            }
        }
        self.socket.flush().await
    }

    async fn place(&mut self, desk: &Desk, bid: Bid) -> Result<(), WsError> {
        // Pending first: if the connection is gone, it is sent again with the others.
        self.pending.push_back(bid);
        self.socket.feed(frame_of(desk, &bid)).await
    }

    async fn wait(&mut self, desk: &Desk) -> Event {
        let open_loop = matches!(desk.pace, crate::pace::Pace::Open(_));
        let may_bid = open_loop && !self.over && self.has_room();
        let again_after = self.again.front().map(|(at, _)| at.saturating_duration_since(clock::now()));
        if !may_bid && again_after.is_none() {
            return Event::Frame(self.socket.next().await);
        }
        tokio::select! {
            biased;
            frame = self.socket.next() => Event::Frame(frame),
            turn = desk.pace.next(), if may_bid => Event::Turn(turn),
            () = tokio::time::sleep(again_after.unwrap_or_default()), if again_after.is_some() => Event::AgainDue,
        }
    }

    /// Notes frames that are here already, so that their successors go out together.
    fn note_all_received(&mut self, desk: &Desk) -> bool {
        while let Some(frame) = self.socket.next().now_or_never() {
            if !self.note(desk, frame) {
                return false;
            }
        }
        true
    }

    /// Notes one frame; false when the connection is gone.
    fn note(&mut self, desk: &Desk, frame: Option<Result<Message, WsError>>) -> bool {
        let text = match frame {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return true,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
        };
        let json = text.as_bytes();
        match KEYS.kind.text(json) {
            Some("receipt") => self.note_receipt(desk, json),
            Some("error") => desk.tally.borrow_mut().error(KEYS.code.text(json).unwrap_or("no_code")),
            _ => {}
        }
        true
    }

    fn note_receipt(&mut self, desk: &Desk, json: &[u8]) {
        let id = KEYS.bid_id.text(json).and_then(|text| uuid::Uuid::try_parse(text).ok());
        // Receipts mostly come in the order of the bids: the first look finds it.
        let place = id.and_then(|id| self.pending.iter().position(|bid| bid.id == id.as_u128()));
        let Some(bid) = place.and_then(|place| self.pending.remove(place)) else { return };
        if let Next::Again(after) = desk.settle(&bid, of_receipt(json)) {
            self.again.push_back((clock::now() + after, bid));
        }
    }

    async fn reconnect(&mut self, desk: &Desk) {
        let mut wait = RECONNECT_AFTER.0;
        desk.tally.borrow_mut().reconnects += 1;
        loop {
            match open(&self.target, Some(&self.token), READ_BUFFER).await {
                Ok(socket) => {
                    self.socket = socket;
                    if self.resend(desk).await.is_ok() {
                        return;
                    }
                }
                Err(_refused) => desk.tally.borrow_mut().error("connection_refused"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RECONNECT_AFTER.1);
        }
    }

    async fn resend(&mut self, desk: &Desk) -> Result<(), WsError> {
        for bid in &self.pending {
            self.socket.feed(frame_of(desk, bid)).await?;
            desk.tally.borrow_mut().resent += 1;
        }
        self.socket.flush().await
    }
}

fn frame_of(desk: &Desk, bid: &Bid) -> Message {
    Message::text(bid_frame(&desk.market.auctions[bid.draw.auction].id, bid.id, bid.draw.amount))
}
