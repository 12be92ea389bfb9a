//! What waits for one hub: publications and orders, from any thread, each within a bound.
//!
//! Putting something in never blocks. What does not fit is given up in a way that the hub makes good:
//! lost publications are read again, a lost sign-out ends every signed-in session, the order to close is kept aside.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

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

#[derive(Default)]
struct State {
    /// Publications, not batches, that wait.
    depth: AtomicUsize,
    publications_lost: AtomicBool,
    sign_outs_lost: AtomicBool,
    close_lost: Mutex<Option<Ending>>,
}

/// The hub's side.
pub(super) struct Outlet {
    pub(super) publications: mpsc::Receiver<Arc<[Publication]>>,
    pub(super) orders: mpsc::Receiver<Order>,
    state: Arc<State>,
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
        self.state.publications_lost.store(true, Ordering::Release);
        false
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
                Order::Tick(_) | Order::Heads(_) => {}
            }
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

impl Outlet {
    /// Publications that wait.
    pub(super) fn depth(&self) -> usize {
        self.state.depth.load(Ordering::Acquire)
    }

    /// Notes that `count` publications were taken out.
    pub(super) fn taken(&self, count: usize) {
        self.state.depth.fetch_sub(count, Ordering::AcqRel);
    }

    /// Whether publications were dropped since the last call.
    pub(super) fn publications_lost(&self) -> bool {
        self.state.publications_lost.swap(false, Ordering::AcqRel)
    }

    /// Whether a sign-out was dropped since the last call.
    pub(super) fn sign_outs_lost(&self) -> bool {
        self.state.sign_outs_lost.swap(false, Ordering::AcqRel)
    }

    /// The order to close that found no room, if there was one.
    pub(super) fn close_lost(&self) -> Option<Ending> {
        self.state.close_lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
