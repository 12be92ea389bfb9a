//! Events on their way to the live sessions: the port.
//!
//! The bus carries what is committed. It never decides, never acknowledges and never holds the only
//! copy of anything: a subscriber that missed something sees it from the seq and asks the store.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{AuctionId, Epoch, Event, Money, Timestamp};

pub mod memory;
mod redis;

pub use self::redis::{RedisBus, RedisBusError, RedisBusSettings, Tally, Tried, describe};

/// One committed event, with what a viewer needs beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub auction_id: AuctionId,
    pub epoch: Epoch,
    pub event: Arc<Event>,
    /// The lowest amount that would be accepted after this event.
    pub min_next: Money,
    /// The closing instant after this event.
    pub ends_at: Timestamp,
}

/// Someone who wants every publication, such as a worker's hub.
///
/// `deliver` must neither block nor keep the caller waiting; a subscriber whose own bounded queue is
/// full drops the publication and catches up by seq.
pub trait Subscriber: Send + Sync {
    fn deliver(&self, publications: &Arc<[Publication]>);
    /// The server's time, as the node that leads the clock told it.
    fn tick(&self, _now: Timestamp) {}
    /// A sign-in ended, on this node or another; by the hash of its token.
    fn signed_out(&self, _token: [u8; 32]) {}
}

/// The port.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Hands committed events, in seq order within each auction, to every subscriber.
    fn publish(&self, publications: Arc<[Publication]>);
    /// Tells every subscriber the server's time.
    fn publish_tick(&self, now: Timestamp);
    /// Tells every subscriber that a sign-in ended.
    fn publish_sign_out(&self, token: [u8; 32]);
    /// Adds a subscriber for the life of the process.
    fn subscribe(&self, subscriber: Arc<dyn Subscriber>);
    /// Resolves when nothing waits to leave this process, or soon in any case: for a node that stops.
    async fn drained(&self) {}
}
