//! All hubs of the node, for those outside their threads.
//!
//! A hub comes into being on a worker thread when the first session there asks for it: nothing has to
//! be set up for each worker. Everything here may be called from any thread and never blocks.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::ending::Ending;
use super::hub::LocalHub;
use super::inbox::{Inbox, Order, inbox};
use super::meters::Meters;
use super::present::Here;
use super::seats::Seats;
use super::ticks::Ticks;
use super::{BidDesk, History, HistoryUnavailable};
use crate::account::SignOutListener;
use crate::bus::{Publication, Subscriber};
use crate::clock::Clock;
use crate::domain::{AuctionId, Seq, Timestamp};
use crate::store::TokenHash;

static NUMBERS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The hubs of this thread by the number of their node: one, except where a test runs several.
    static LOCAL: RefCell<Vec<(u64, Arc<Inbox>, LocalHub)>> = const { RefCell::new(Vec::new()) };
}

/// See the file's head.
pub struct Hubs {
    pub(super) clock: Arc<Clock>,
    pub(super) history: Arc<dyn History>,
    pub(super) desk: Arc<dyn BidDesk>,
    pub(super) meters: Arc<Meters>,
    pub(super) seats: Arc<Seats>,
    pub(super) here: Here,
    pub(super) ticks: Ticks,
    number: u64,
    inboxes: RwLock<Vec<Arc<Inbox>>>,
}

impl Hubs {
    /// No hub yet. Make it after the metrics recorder is installed.
    #[must_use]
    pub fn new(clock: Arc<Clock>, history: Arc<dyn History>, desk: Arc<dyn BidDesk>) -> Self {
        let meters = Arc::new(Meters::new());
        Self {
            ticks: Ticks::new(clock.now()),
            clock,
            history,
            desk,
            seats: Arc::new(Seats::new(Arc::clone(&meters))),
            meters,
            here: Here::default(),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            inboxes: RwLock::new(Vec::new()),
        }
    }

    /// The hub of this worker thread, started if need be. Only inside an actix runtime.
    pub fn local(self: &Arc<Self>) -> LocalHub {
        LOCAL.with_borrow_mut(|local| {
            local.retain(|(_, inbox, _)| !inbox.is_closed());
            if let Some((_, _, hub)) = local.iter().find(|(number, _, _)| *number == self.number) {
                return hub.clone();
            }
            let (inbox, outlet) = inbox();
            let inbox = Arc::new(inbox);
            let index = {
                let mut inboxes = self.inboxes.write().unwrap_or_else(PoisonError::into_inner);
                inboxes.retain(|inbox| !inbox.is_closed());
                inboxes.push(Arc::clone(&inbox));
                inboxes.len() - 1
            };
            let hub = LocalHub::start(self, outlet, Meters::hub_depth(index));
            local.push((self.number, inbox, hub.clone()));
            hub
        })
    }

    /// Whether there is such an auction: from memory if someone here follows it already.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn knows(self: &Arc<Self>, auction_id: AuctionId) -> Result<bool, HistoryUnavailable> {
        if self.local().with(|roster, _| roster.knows(auction_id)) {
            return Ok(true);
        }
        Ok(self.history.snapshot(auction_id).await?.is_some())
    }

    fn each(&self, mut work: impl FnMut(&Inbox)) {
        for inbox in self.inboxes.read().unwrap_or_else(PoisonError::into_inner).iter() {
            work(inbox);
        }
    }

    /// Tells every hub where auctions stand in the history, so that those who are behind catch up.
    pub(super) fn heads(&self, heads: &Arc<[(AuctionId, Seq)]>) {
        self.each(|inbox| inbox.order(Order::Heads(Arc::clone(heads))));
    }

    /// Tells every hub the own time if no tick comes over the bus.
    pub(super) fn stand_in(&self) {
        let now = self.clock.now();
        if self.ticks.stand_in(now) {
            self.tell_time(now);
        }
    }

    /// Tells every hub a time, whatever was told before.
    pub(super) fn tell_time(&self, now: Timestamp) {
        self.each(|inbox| inbox.order(Order::Tick(now)));
    }

    /// Ends every session and takes no further one. What waits for a session is still sent, and a
    /// shutdown waits shortly for the receipts of bids under way.
    pub fn close_all(&self, reason: Ending) {
        self.seats.close();
        self.each(|inbox| inbox.order(Order::Close(reason)));
    }

    /// Whether [`Hubs::close_all`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.seats.is_closed()
    }

    /// Live sessions of the node.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.seats.taken()
    }

    /// Publications that wait for hubs.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let mut waiting = 0;
        self.each(|inbox| waiting += inbox.depth());
        waiting
    }
}

impl Subscriber for Hubs {
    fn deliver(&self, publications: &Arc<[Publication]>) {
        self.each(|inbox| {
            if !inbox.is_closed() && !inbox.deliver(publications) {
                self.meters.dropped.increment(u64::try_from(publications.len()).unwrap_or(u64::MAX));
            }
        });
    }

    fn tick(&self, now: Timestamp) {
        if self.ticks.hear(now, self.clock.now()) {
            self.tell_time(now);
        }
    }

    fn signed_out(&self, token: [u8; 32]) {
        SignOutListener::signed_out(self, token);
    }
}

impl SignOutListener for Hubs {
    fn signed_out(&self, token: TokenHash) {
        self.each(|inbox| inbox.order(Order::SignedOut(token)));
    }
}
