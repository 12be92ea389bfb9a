//! What waits for one hub: publications and orders, from any thread, each within a bound.
//!
//! Putting something in never blocks. What does not fit is given up in a way that the hub makes good:
//! the auctions of lost publications are read again, a lost sign-out ends every signed-in session, the order to close is
//! kept aside.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::ending::Ending;
use crate::bus::Publication;
use crate::domain::{AuctionId, Seq, Timestamp};
use crate::limits::{HUB_ORDERS_MAX, HUB_QUEUE_MAX};
use crate::store::TokenHash;

/// What a hub is told beside publications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Tick(Timestamp),
    /// Where auctions stand in the history.
    Heads(Arc<[(AuctionId, Seq)]>),
    SignedOut(TokenHash),
    Close(Ending),
}

/// The side that everyone holds.
pub(super) struct Inbox {
    publications: mpsc::Sender<Arc<[Publication]>>,
    orders: mpsc::Sender<Order>,
    state: Arc<State>,
}

/// How full the inbox is, and what did not fit.
#[derive(Default)]
pub(super) struct State {
    /// Publications, not batches, that wait.
    depth: AtomicUsize,
    /// The newest dropped event of each auction, until the hub takes note.
    heads_lost: Mutex<HashMap<AuctionId, Seq>>,
    sign_outs_lost: AtomicBool,
    close_lost: Mutex<Option<Ending>>,
    /// Wakes the hub after something was dropped: nothing else may come for a second.
    dropped: Notify,
}

/// The hub's side.
pub(super) struct Outlet {
    pub(super) publications: mpsc::Receiver<Arc<[Publication]>>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) state: Arc<State>,
}

/// An empty inbox.
pub(super) fn inbox() -> (Inbox, Outlet) {
    let (publications, publications_out) = mpsc::channel(HUB_QUEUE_MAX);
    let (orders, orders_out) = mpsc::channel(HUB_ORDERS_MAX);
    let state = Arc::new(State::default());
    let outlet = Outlet { publications: publications_out, orders: orders_out, state: Arc::clone(&state) };
    (Inbox { publications, orders, state }, outlet)
}

impl Inbox {
    /// Puts publications in; false when they were dropped.
    pub(super) fn deliver(&self, batch: &Arc<[Publication]>) -> bool {
        let before = self.state.depth.fetch_add(batch.len(), Ordering::AcqRel);
        let fits = before.saturating_add(batch.len()) <= HUB_QUEUE_MAX || before == 0;
        if fits && self.publications.try_send(Arc::clone(batch)).is_ok() {
            return true;
        }
        self.state.depth.fetch_sub(batch.len(), Ordering::AcqRel);
        self.note_lost(batch);
        self.state.dropped.notify_one();
        false
    }

    fn note_lost(&self, batch: &[Publication]) {
        let mut heads = self.state.heads_lost.lock().unwrap_or_else(PoisonError::into_inner);
        for publication in batch {
            let head = heads.entry(publication.auction_id).or_insert(Seq::ZERO);
            *head = publication.event.seq.max(*head);
        }
    }

    /// Gives an order.
    pub(super) fn order(&self, order: Order) {
        if let Err(refused) = self.orders.try_send(order) {
            match refused.into_inner() {
                Order::SignedOut(_) => self.state.sign_outs_lost.store(true, Ordering::Release),
                Order::Close(ending) => {
                    *self.state.close_lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
                }
                // The next ones come within a second.
                Order::Tick(_) | Order::Heads(_) => return,
            }
            self.state.dropped.notify_one();
        }
    }

    /// Whether the hub is gone with its thread.
    pub(super) fn is_closed(&self) -> bool {
        self.publications.is_closed()
    }

    /// Publications that wait.
    pub(super) fn depth(&self) -> usize {
        self.state.depth.load(Ordering::Acquire)
    }
}

impl State {
    /// Publications that wait.
    pub(super) fn depth(&self) -> usize {
        self.depth.load(Ordering::Acquire)
    }

    /// Waits until something was dropped that the hub has to make good.
    pub(super) async fn dropped(&self) {
        self.dropped.notified().await;
    }

    /// Notes that `count` publications were taken out.
    pub(super) fn taken(&self, count: usize) {
        self.depth.fetch_sub(count, Ordering::AcqRel);
    }

    /// How far auctions had come in publications that were dropped since the last call.
    pub(super) fn heads_lost(&self) -> Vec<(AuctionId, Seq)> {
        self.heads_lost.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }

    /// Whether a sign-out was dropped since the last call.
    pub(super) fn sign_outs_lost(&self) -> bool {
        self.sign_outs_lost.swap(false, Ordering::AcqRel)
    }

    /// The order to close that found no room, if there was one.
    pub(super) fn close_lost(&self) -> Option<Ending> {
        self.close_lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
