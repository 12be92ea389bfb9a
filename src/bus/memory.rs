//! The bus inside one process: a list of subscribers, called in order.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use metrics::{Counter, counter};

use super::{Bus, Publication, Subscriber};
use crate::domain::Timestamp;

/// Delivers on the caller's thread.
pub struct MemoryBus {
    subscribers: RwLock<Vec<Arc<dyn Subscriber>>>,
    published: Counter,
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self { subscribers: RwLock::default(), published: counter!("gavel_events_published_total") }
    }
}

impl MemoryBus {
    /// Tells every subscriber something that this process did not publish.
    pub(super) fn each(&self, tell: impl Fn(&dyn Subscriber)) {
        for subscriber in self.subscribers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            tell(subscriber.as_ref());
        }
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn publish(&self, publications: Arc<[Publication]>) {
        self.published.increment(publications.len() as u64);
        self.each(|subscriber| subscriber.deliver(&publications));
    }

    fn publish_tick(&self, now: Timestamp) {
        self.each(|subscriber| subscriber.tick(now));
    }

    fn publish_sign_out(&self, token: [u8; 32]) {
        self.each(|subscriber| subscriber.signed_out(token));
    }

    fn subscribe(&self, subscriber: Arc<dyn Subscriber>) {
        self.subscribers.write().unwrap_or_else(PoisonError::into_inner).push(subscriber);
    }
}
