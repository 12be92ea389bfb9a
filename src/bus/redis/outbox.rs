//! What waits to be sent to the other nodes, within a bound. Putting something in never blocks.
//!
//! The queue is bounded by publications, not by batches: a batch may be one event or a whole commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use super::meters::{Meters, amount, level};
use crate::bus::Publication;
use crate::domain::Timestamp;
use crate::limits::{BUS_QUEUE_MAX, BUS_WORDS_MAX};

/// What goes to the other nodes.
pub(super) enum Outgoing {
    /// Not encoded yet: the publisher's thread does that, once, not the one that decides about bids.
    Events(Arc<[Publication]>),
    Tick(Timestamp),
    SignOut([u8; 32]),
}

impl Outgoing {
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Events(publications) => publications.len(),
            Self::Tick(_) | Self::SignOut(_) => 1,
        }
    }

    /// How much may wait, this included.
    const fn bound(&self) -> usize {
        match self {
            Self::Events(_) => BUS_QUEUE_MAX,
            Self::Tick(_) | Self::SignOut(_) => BUS_QUEUE_MAX + BUS_WORDS_MAX,
        }
    }
}

#[derive(Default)]
struct State {
    depth: AtomicUsize,
    emptied: Notify,
}

/// The side of those who publish.
pub(super) struct Outbox {
    queue: mpsc::Sender<Outgoing>,
    state: Arc<State>,
    meters: Arc<Meters>,
}

/// The publisher's side.
pub(super) struct Outlet {
    queue: mpsc::Receiver<Outgoing>,
    state: Arc<State>,
    pub(super) meters: Arc<Meters>,
}

/// An empty outbox.
pub(super) fn outbox(meters: Arc<Meters>) -> (Outbox, Outlet) {
    let (sender, receiver) = mpsc::channel(BUS_QUEUE_MAX + BUS_WORDS_MAX);
    let state = Arc::new(State::default());
    let outlet = Outlet { queue: receiver, state: Arc::clone(&state), meters: Arc::clone(&meters) };
    (Outbox { queue: sender, state, meters }, outlet)
}

impl Outbox {
    /// Puts something in, or drops and counts it when there is no room.
    pub(super) fn put(&self, outgoing: Outgoing) {
        let (weight, bound) = (outgoing.weight(), outgoing.bound());
        let before = self.state.depth.fetch_add(weight, Ordering::AcqRel);
        let fits = before.saturating_add(weight) <= bound;
        if !fits || self.queue.try_send(outgoing).is_err() {
            self.state.depth.fetch_sub(weight, Ordering::AcqRel);
            self.meters.out_dropped.increment(amount(weight));
        }
    }

    /// Resolves when nothing waits and nothing is being sent.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.state.emptied.notified();
            if self.state.depth.load(Ordering::Acquire) == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Outlet {
    /// The next in line; `None` when nobody can publish any more.
    pub(super) async fn next(&mut self) -> Option<Outgoing> {
        self.queue.recv().await
    }

    /// The next in line, if one waits.
    pub(super) fn next_now(&mut self) -> Option<Outgoing> {
        self.queue.try_recv().ok()
    }

    /// Notes that this much was sent or given up.
    pub(super) fn done(&self, weight: usize) {
        let left = self.state.depth.fetch_sub(weight, Ordering::AcqRel).saturating_sub(weight);
        self.meters.out_depth.set(level(left));
        if left == 0 {
            self.state.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::redis::tests::publications;

    #[test]
    fn a_full_outbox_drops_events_and_still_takes_sign_outs() {
        let (outbox, mut outlet) = outbox(Arc::new(Meters::new()));
        let batch = publications(1..=1_000);
        for _ in 0..=BUS_QUEUE_MAX / 1_000 {
            outbox.put(Outgoing::Events(Arc::clone(&batch)));
        }
        outbox.put(Outgoing::SignOut([7; 32]));
        let mut taken = Vec::new();
        while let Some(outgoing) = outlet.next_now() {
            outlet.done(outgoing.weight());
            taken.push(outgoing);
        }
        let events: usize = taken.iter().map(Outgoing::weight).sum::<usize>() - 1;
        assert_eq!(events, BUS_QUEUE_MAX / 1_000 * 1_000);
        assert!(matches!(taken.last(), Some(Outgoing::SignOut(_))));
        outbox.put(Outgoing::Events(batch));
        assert!(outlet.next_now().is_some(), "there is room again");
    }

    #[tokio::test]
    async fn whoever_waits_for_it_to_be_empty_is_told() {
        let (outbox, mut outlet) = outbox(Arc::new(Meters::new()));
        outbox.emptied().await;
        outbox.put(Outgoing::Tick(Timestamp(1)));
        let sending = async {
            tokio::task::yield_now().await;
            let weight = outlet.next().await.map_or(0, |outgoing| outgoing.weight());
            outlet.done(weight);
        };
        tokio::join!(outbox.emptied(), sending);
    }
}
