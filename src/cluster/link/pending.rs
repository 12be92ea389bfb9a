//! The forwarded bids of one stream that wait for their replies.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::limits;
use crate::protocol::link::Reply;

/// A reply, with the microseconds that the owner took.
pub(super) type Received = (Reply, u32);

/// Who waits, with the place in flight that is given back with the reply, whether or not anyone still listens.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) reply: oneshot::Sender<Received>,
    pub(super) permit: OwnedSemaphorePermit,
}

/// Bounded by the permits.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Table>);

#[derive(Debug, Default)]
pub(super) struct Table {
    over: bool,
    last: u64,
    pings: u32,
    waiting: HashMap<u64, (Waiter, u32)>,
}

impl Pending {
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The number under which the reply will come; `None` once the stream is over.
    pub(super) fn enter(&mut self, waiter: Waiter) -> Option<u64> {
        if self.over {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        self.waiting.insert(self.last, (waiter, self.pings));
        Some(self.last)
    }

    /// Hands a reply to who waits for it. A number that nobody waits for is passed over: it was given up.
    pub(super) fn answer(&mut self, number: u64, received: Received) {
        if let Some((waiter, _)) = self.waiting.remove(&number) {
            // Fails when the bidder is gone.
            let _gone = waiter.reply.send(received);
            drop(waiter.permit);
        }
    }

    /// Counts a ping and gives up what has waited too long.
    pub(super) fn pinged(&mut self) {
        self.pings = self.pings.wrapping_add(1);
        let now = self.pings;
        self.waiting.retain(|_, (_, since)| now.wrapping_sub(*since) <= limits::LINK_PINGS_PER_ANSWER);
    }

    /// The stream is over: nobody gets a reply any more.
    pub(super) fn end(&mut self) {
        self.over = true;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    fn waiter(permits: &Arc<Semaphore>) -> (Waiter, oneshot::Receiver<Received>) {
        let (reply, received) = oneshot::channel();
        let permit = Arc::clone(permits).try_acquire_owned().unwrap();
        (Waiter { reply, permit }, received)
    }

    #[test]
    fn a_place_is_given_back_with_the_reply_also_when_the_bidder_is_gone() {
        let (permits, pending) = (Arc::new(Semaphore::new(2)), Pending::default());
        let ((first, mut kept), (second, gone)) = (waiter(&permits), waiter(&permits));
        let first = pending.table().enter(first).unwrap();
        let second = pending.table().enter(second).unwrap();
        drop(gone);
        pending.table().answer(second, (Reply::Lost, 0));
        assert_eq!(permits.available_permits(), 1);
        pending.table().answer(first, (Reply::Moved(None), 7));
        pending.table().answer(first, (Reply::Lost, 8));
        assert_eq!((permits.available_permits(), kept.try_recv()), (2, Ok((Reply::Moved(None), 7))));
    }

    #[test]
    fn what_waits_too_long_or_on_a_stream_that_ends_is_given_up() {
        let (permits, pending) = (Arc::new(Semaphore::new(9)), Pending::default());
        let (old, mut gives_up) = waiter(&permits);
        pending.table().enter(old);
        for _ in 0..limits::LINK_PINGS_PER_ANSWER {
            pending.table().pinged();
        }
        let (new, mut waits) = waiter(&permits);
        pending.table().enter(new);
        pending.table().pinged();
        assert!(matches!(gives_up.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(matches!(waits.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        pending.table().end();
        assert!(matches!(waits.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        let (late, _) = waiter(&permits);
        assert_eq!(pending.table().enter(late), None);
        assert_eq!(permits.available_permits(), 9);
    }
}
