//! Listens to the other nodes: one connection, subscribed to every channel, made anew whenever it is lost or silent.
//!
//! What comes while there is none is gone; nobody here tries to find out what it was.

use std::sync::Arc;

use redis::aio::{MultiplexedConnection, SendError};
use redis::{PushInfo, PushKind, RedisResult, Value};
use tokio::sync::mpsc;

use super::channels::Channels;
use super::connection::{Pauses, Server, ping};
use super::meters::{Meters, level};
use super::pulse::Pulse;
use crate::bus::Publication;
use crate::bus::memory::MemoryBus;
use crate::limits::{BUS_RECEIVED_MAX, REDIS_PING};
use crate::protocol::node::{self, Origin, Word};

/// See the file's head.
pub(super) struct Listener {
    pub(super) server: Server,
    pub(super) origin: Origin,
    pub(super) channels: Arc<Channels>,
    pub(super) local: Arc<MemoryBus>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) meters: Arc<Meters>,
}

impl Listener {
    /// Works as long as its thread.
    pub(super) async fn run(self) {
        let mut pauses = Pauses::new();
        loop {
            match self.subscribe().await {
                Ok((connection, received)) => {
                    pauses = Pauses::new();
                    tracing::info!("other nodes are heard over Redis");
                    self.pulse.subscribed(true);
                    let why = self.listen(connection, received).await;
                    self.pulse.subscribed(false);
                    self.meters.in_reconnects.increment(1);
                    tracing::warn!(why, "other nodes are not heard: the connection to Redis was lost");
                }
                Err(error) if pauses.none_yet() => {
                    tracing::warn!(%error, "other nodes are not heard: no connection to Redis");
                }
                Err(_as_before) => {}
            }
            pauses.pause().await;
        }
    }

    /// A connection on which every subscription is confirmed.
    async fn subscribe(&self) -> RedisResult<(MultiplexedConnection, mpsc::Receiver<Vec<u8>>)> {
        let (queue, received) = mpsc::channel(BUS_RECEIVED_MAX);
        let (pulse, meters) = (Arc::clone(&self.pulse), Arc::clone(&self.meters));
        // Runs where the connection is read. The queue ends with the connection, since only this holds its other side.
        let pushed = move |push: PushInfo| {
            pulse.heard();
            if let Some(message) = message(push)
                && queue.try_send(message).is_err()
            {
                meters.in_dropped.increment(1);
            }
            Ok::<(), SendError>(())
        };
        let mut connection = self.server.connect_listening(pushed).await?;
        connection.subscribe(self.channels.all()).await?;
        Ok((connection, received))
    }

    /// Hands on what comes until the connection is lost; says why it was.
    async fn listen(&self, connection: MultiplexedConnection, mut received: mpsc::Receiver<Vec<u8>>) -> &'static str {
        let silent = self.silence(connection);
        tokio::pin!(silent);
        loop {
            tokio::select! {
                () = &mut silent => return "it does not answer",
                message = received.recv() => match message {
                    Some(message) => self.hand_on(&message),
                    None => return "it was closed",
                },
            }
            self.meters.in_depth.set(level(received.len()));
        }
    }

    /// Resolves when Redis does not answer any more.
    async fn silence(&self, mut connection: MultiplexedConnection) {
        loop {
            tokio::time::sleep(REDIS_PING.into()).await;
            if ping(&mut connection).await.is_err() {
                return;
            }
            self.pulse.heard();
        }
    }

    /// Tells the subscribers of this node what another one said.
    fn hand_on(&self, message: &[u8]) {
        let words = match node::read(message, &self.origin) {
            Ok(words) if words.is_own => return,
            Ok(words) => words,
            Err(error) => return self.unreadable(error),
        };
        self.meters.received.increment(1);
        let mut events: Vec<Publication> = Vec::new();
        for word in words {
            match word {
                Ok(Word::Event(publication)) => events.push(publication),
                Ok(Word::Tick(now)) => self.local.each(|subscriber| subscriber.tick(now)),
                Ok(Word::SignOut(token)) => self.local.each(|subscriber| subscriber.signed_out(token)),
                Err(error) => self.unreadable(error),
            }
        }
        if !events.is_empty() {
            let events: Arc<[Publication]> = events.into();
            self.local.each(|subscriber| subscriber.deliver(&events));
        }
    }

    fn unreadable(&self, error: node::Unreadable) {
        self.meters.unreadable.increment(1);
        tracing::debug!(%error, "a message of another node");
    }
}

/// The bytes of a published message; `None` for what else Redis says by itself.
fn message(push: PushInfo) -> Option<Vec<u8>> {
    if push.kind != PushKind::Message {
        return None;
    }
    match push.data.into_iter().nth(1) {
        Some(Value::BulkString(bytes)) => Some(bytes),
        _ => None,
    }
}
