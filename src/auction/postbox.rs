//! Bids on their way from the thread that read them to the thread that decides them.
//!
//! To wake another thread costs more than to decide a bid. So what a thread reads in one turn goes over together once
//! everything that was ready there has run, and the other thread is woken once.

use std::cell::RefCell;
use std::sync::Arc;

use super::handle::Handle;
use super::mailbox::Bid;

thread_local! {
    /// Bounded by the permits that each bid's reply holds.
    static WAITING: RefCell<Vec<(Arc<Handle>, Bid)>> = const { RefCell::new(Vec::new()) };
}

/// Sends `bid` at the end of this thread's turn, behind all that was posted here before.
///
/// # Panics
/// Outside of what an actix arbiter runs.
pub(super) fn post(to: Arc<Handle>, bid: Bid) {
    let is_first = WAITING.with_borrow_mut(|waiting| {
        waiting.push((to, bid));
        waiting.len() == 1
    });
    if is_first {
        let collection = Collection;
        actix::spawn(async move { drop(collection) });
    }
}

/// Sends what waits when it is dropped: by its task, or with it when the thread ends first.
struct Collection;

impl Drop for Collection {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| {
            for (to, bid) in waiting.drain(..) {
                #[allow(clippy::disallowed_methods, reason = "bounded by the permits in the reply")]
                to.addr.do_send(bid);
            }
        });
    }
}
