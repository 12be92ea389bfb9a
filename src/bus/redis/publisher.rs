//! Sends what waits to Redis: one connection, one round trip for all that has gathered meanwhile.
//!
//! What was handed in first is sent first. A batch that fails is sent once more on a new connection and then given up:
//! a second copy of an event does no harm, a missing one is found by seq.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;

use super::channels::Channels;
use super::connection::{Pauses, Server, ping};
use super::meters::amount;
use super::outbox::{Outgoing, Outlet};
use crate::domain::Timestamp;
use crate::limits::{BUS_MESSAGE_BYTES, BUS_PUBLICATIONS_AT_ONCE, REDIS_PING};
use crate::protocol::node::{Message, Origin};

/// See the file's head.
pub(super) struct Publisher {
    server: Server,
    origin: Origin,
    channels: Arc<Channels>,
    outlet: Outlet,
    connection: Option<MultiplexedConnection>,
}

/// Messages in the making: at most one open for each channel.
struct Batch {
    /// By the channel's place.
    open: Vec<Option<Message>>,
    words: Option<Message>,
    /// Only the newest counts.
    tick: Option<Timestamp>,
    commands: redis::Pipeline,
    weight: usize,
}

impl Publisher {
    pub(super) fn new(server: Server, (origin, channels): (Origin, Arc<Channels>), outlet: Outlet) -> Self {
        Self { server, origin, channels, outlet, connection: None }
    }

    /// Works until nobody can publish any more.
    pub(super) async fn run(mut self) {
        loop {
            match tokio::time::timeout(REDIS_PING.into(), self.outlet.next()).await {
                Ok(Some(first)) => {
                    let batch = self.gather(first);
                    self.send(&batch).await;
                    self.outlet.done(batch.weight);
                }
                Ok(None) => return,
                Err(_idle) => self.keep_awake().await,
            }
        }
    }

    /// Finds out on an idle connection whether it is one, before something has to be sent.
    async fn keep_awake(&mut self) {
        match &mut self.connection {
            Some(connection) => {
                if let Err(error) = ping(connection).await {
                    self.lose(&error);
                }
            }
            None => self.connection = self.server.connect().await.ok(),
        }
    }

    /// Takes `first` and what else waits, up to a round trip's worth.
    fn gather(&mut self, first: Outgoing) -> Batch {
        let mut batch = Batch {
            open: (0..self.channels.count()).map(|_| None).collect(),
            words: None,
            tick: None,
            commands: redis::pipe(),
            weight: 0,
        };
        let mut next = Some(first);
        while let Some(outgoing) = next {
            batch.weight += outgoing.weight();
            self.add(outgoing, &mut batch);
            next = if batch.weight < BUS_PUBLICATIONS_AT_ONCE { self.outlet.next_now() } else { None };
        }
        self.close(&mut batch);
        batch
    }

    fn add(&self, outgoing: Outgoing, batch: &mut Batch) {
        match outgoing {
            Outgoing::Tick(now) => batch.tick = batch.tick.max(Some(now)),
            Outgoing::SignOut(token) => {
                batch.words.get_or_insert_with(|| Message::by(&self.origin)).sign_out(&token);
            }
            Outgoing::Events(publications) => {
                for publication in publications.iter() {
                    let place = self.channels.place(publication.auction_id);
                    let Some(open) = batch.open.get_mut(place) else { continue };
                    let message = open.get_or_insert_with(|| Message::by(&self.origin));
                    message.event(publication);
                    if message.size() >= BUS_MESSAGE_BYTES
                        && let Some(full) = open.take()
                    {
                        publish(&mut batch.commands, self.channels.events(place), full);
                    }
                }
            }
        }
    }

    fn close(&self, batch: &mut Batch) {
        if let Some(now) = batch.tick {
            batch.words.get_or_insert_with(|| Message::by(&self.origin)).tick(now);
        }
        if let Some(words) = batch.words.take() {
            publish(&mut batch.commands, self.channels.words(), words);
        }
        for (place, open) in batch.open.iter_mut().enumerate() {
            if let Some(message) = open.take() {
                publish(&mut batch.commands, self.channels.events(place), message);
            }
        }
    }

    async fn send(&mut self, batch: &Batch) {
        for _first_then_once_more in 0..2 {
            let mut connection = self.connected().await;
            match batch.commands.query_async::<()>(&mut connection).await {
                Ok(()) => {
                    self.outlet.meters.sent.increment(amount(batch.weight));
                    return;
                }
                Err(error) => self.lose(&error),
            }
        }
        self.outlet.meters.out_dropped.increment(amount(batch.weight));
    }

    /// The connection; waits for Redis when there is none. Meanwhile the outbox fills, and then drops.
    async fn connected(&mut self) -> MultiplexedConnection {
        let mut pauses = Pauses::new();
        loop {
            if let Some(connection) = &self.connection {
                return connection.clone();
            }
            match self.server.connect().await {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => {
                    if pauses.none_yet() {
                        tracing::warn!(%error, "events do not reach other nodes: no connection to Redis");
                    }
                    pauses.pause().await;
                }
            }
        }
    }

    fn lose(&mut self, error: &redis::RedisError) {
        tracing::warn!(%error, "the connection to Redis that publishes was lost");
        self.outlet.meters.out_reconnects.increment(1);
        self.connection = None;
    }
}

fn publish(commands: &mut redis::Pipeline, channel: &str, message: Message) {
    commands.cmd("PUBLISH").arg(channel).arg(message.into_bytes()).ignore();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::redis::meters::Meters;
    use crate::bus::redis::outbox::outbox;
    use crate::bus::redis::tests::publications;

    fn publisher() -> (super::super::outbox::Outbox, Publisher) {
        let (outbox, outlet) = outbox(Arc::new(Meters::new()));
        let server = Server::at("redis://127.0.0.1:1").unwrap();
        let origin = Origin { node: "a".into(), incarnation: 1 };
        (outbox, Publisher::new(server, (origin, Arc::new(Channels::of(0))), outlet))
    }

    #[test]
    fn what_has_gathered_is_one_message_a_channel_with_the_newest_tick_alone() {
        let (outbox, mut publisher) = publisher();
        for second in 1..=3 {
            outbox.put(Outgoing::Tick(Timestamp(second)));
            outbox.put(Outgoing::Events(publications(1..=10)));
        }
        let first = publisher.outlet.next_now().unwrap();
        let batch = publisher.gather(first);
        assert_eq!(batch.weight, 33);
        assert_eq!(batch.commands.len(), 2);
        assert!(publisher.outlet.next_now().is_none());
    }

    #[test]
    fn a_batch_and_a_message_are_bounded() {
        let (outbox, mut publisher) = publisher();
        for _ in 0..BUS_PUBLICATIONS_AT_ONCE / 1_000 + 2 {
            outbox.put(Outgoing::Events(publications(1..=1_000)));
        }
        let first = publisher.outlet.next_now().unwrap();
        let batch = publisher.gather(first);
        assert!(batch.weight < BUS_PUBLICATIONS_AT_ONCE + 1_000);
        let bytes = batch.commands.get_packed_pipeline().len();
        assert!(batch.commands.len() >= bytes / (BUS_MESSAGE_BYTES + 1_024), "{} messages", batch.commands.len());
        assert!(publisher.outlet.next_now().is_some(), "the rest goes with the next");
    }
}
