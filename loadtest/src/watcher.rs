//! One WebSocket session that watches one auction, as cheaply as the framing library allows.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rand::RngExt;
use tokio_tungstenite::tungstenite::Message;

use crate::clock;
use crate::desk::Desk;
use crate::error::LoadError;
use crate::follow::{Follow, Seen};
use crate::socket::{Socket, open, open_patiently};
use crate::target::Target;

/// Bytes read at once when there are few watchers.
const READ_BUFFER_FEW: usize = 32 * 1_024;
/// The same when there are many: held by each of them.
const READ_BUFFER_MANY: usize = 4 * 1_024;
/// From how many watchers on memory counts more than reads.
const MANY: usize = 500;
/// How long a subscription may take until its first frame.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(20);
/// First and longest wait between attempts to connect.
const RECONNECT_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long a watcher of a soak stays before it leaves and comes back, seconds.
const STAY_S: std::ops::Range<u64> = 10..60;

/// A subscribed session.
pub(crate) struct Watcher {
    target: Target,
    auction: usize,
    auction_id: String,
    read_buffer: usize,
    socket: Socket,
    follow: Rc<RefCell<Follow>>,
}

impl Watcher {
    /// Connects and subscribes; returns when the auction's state has arrived. `crowd` is how many watch.
    pub(crate) async fn connect(
        target: &Target,
        (auction, auction_id): (usize, &str),
        crowd: usize,
    ) -> Result<Self, LoadError> {
        let read_buffer = if crowd < MANY { READ_BUFFER_FEW } else { READ_BUFFER_MANY };
        let opening = open_patiently(target, None, read_buffer);
        let socket = opening.await.map_err(LoadError::doing("connecting a watcher"))?;
        let mut watcher = Self {
            target: target.clone(),
            auction,
            auction_id: auction_id.to_owned(),
            read_buffer,
            socket,
            follow: Rc::default(),
        };
        watcher.subscribe().await.map_err(LoadError::doing("subscribing a watcher"))?;
        let started = async {
            while !watcher.follow.borrow().has_started() {
                match watcher.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        watcher.follow.borrow_mut().see(text.as_bytes());
                    }
                    Some(Ok(_other)) => {}
                    Some(Err(cause)) => return Err(LoadError::failed(format!("subscribing a watcher: {cause}"))),
                    None => return Err(LoadError::failed("subscribing a watcher: the server hung up")),
                }
            }
            Ok(())
        };
        match tokio::time::timeout(SUBSCRIBED_WITHIN, started).await {
            Ok(outcome) => outcome.map(|()| watcher),
            Err(_elapsed) => Err(LoadError::failed("subscribing a watcher: no snapshot came")),
        }
    }

    /// What this watcher sees, to be read at the end.
    pub(crate) fn follow(&self) -> (usize, Rc<RefCell<Follow>>) {
        (self.auction, Rc::clone(&self.follow))
    }

    /// Watches for ever; `restless` leaves now and then and comes back for what was missed.
    pub(crate) async fn run(mut self, desk: &Desk, restless: bool) {
        let mut leave_at = restless.then(|| stay(desk));
        loop {
            let Some(Ok(message)) = self.socket.next().await else {
                self.come_back(desk).await;
                continue;
            };
            let now = clock::now();
            match message {
                Message::Text(text) => self.note(desk, text.as_bytes(), now),
                Message::Close(_) => self.come_back(desk).await,
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
            if leave_at.is_some_and(|at| at <= now) {
                leave_at = Some(stay(desk));
                self.come_back(desk).await;
            }
        }
    }

    fn note(&self, desk: &Desk, frame: &[u8], now: Instant) {
        if let Seen::Bid { amount } = self.follow.borrow_mut().see(frame) {
            let now_us = clock::micros(now.saturating_duration_since(desk.window.start));
            let due_us = desk.market.auctions[self.auction].sent_at_us(amount);
            desk.tally.borrow_mut().deliver(due_us.map(|due_us| now_us.saturating_sub(due_us)));
        }
    }

    async fn come_back(&mut self, desk: &Desk) {
        let mut wait = RECONNECT_AFTER.0;
        desk.tally.borrow_mut().reconnects += 1;
        loop {
            if let Ok(socket) = open(&self.target, None, self.read_buffer).await {
                self.socket = socket;
                if self.subscribe().await.is_ok() {
                    return;
                }
            }
            desk.tally.borrow_mut().error("watcher_refused");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RECONNECT_AFTER.1);
        }
    }

    async fn subscribe(&mut self) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let after = self.follow.borrow().last_seq.map_or(String::new(), |seq| format!(",\"after_seq\":{seq}"));
        let frame = format!("{{\"type\":\"subscribe\",\"auction_id\":\"{}\"{after}}}", self.auction_id);
        self.socket.send(Message::text(frame)).await
    }
}

fn stay(desk: &Desk) -> Instant {
    clock::now() + Duration::from_secs(desk.random.borrow_mut().random_range(STAY_S))
}
