//! The bus inside one process: a list of subscribers, called in order.

use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, counter};

use super::{Bus, Publication, Subscriber};

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

impl Bus for MemoryBus {
    fn publish(&self, publications: Arc<[Publication]>) {
        self.published.increment(publications.len() as u64);
        let subscribers = self.subscribers.read().unwrap_or_else(PoisonError::into_inner);
        for subscriber in subscribers.iter() {
            subscriber.deliver(&publications);
        }
    }

    fn subscribe(&self, subscriber: Arc<dyn Subscriber>) {
        self.subscribers.write().unwrap_or_else(PoisonError::into_inner).push(subscriber);
    }
}
