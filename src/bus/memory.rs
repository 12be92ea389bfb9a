//! The bus inside one process: a list of subscribers, called in order.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Bus, Publication, Subscriber};

/// Delivers on the caller's thread.
#[derive(Default)]
pub struct MemoryBus {
    subscribers: RwLock<Vec<Arc<dyn Subscriber>>>,
}

impl Bus for MemoryBus {
    fn publish(&self, publications: Arc<[Publication]>) {
        let subscribers = self.subscribers.read().unwrap_or_else(PoisonError::into_inner);
        for subscriber in subscribers.iter() {
            subscriber.deliver(&publications);
        }
    }

    fn subscribe(&self, subscriber: Arc<dyn Subscriber>) {
        self.subscribers.write().unwrap_or_else(PoisonError::into_inner).push(subscriber);
    }
}
