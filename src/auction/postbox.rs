//! Bids on their way from the thread that read them to the thread that decides them.
//!
//! To wake another thread costs more than to decide a bid. So what a thread reads in one turn goes over together, and the
//! other thread is woken once. A turn is what an actix thread does before it looks for new requests: it runs at most 61
//! waiting tasks, so a bid waits for some of them and never for all sessions of the thread.

use std::sync::{Arc, Mutex, PoisonError};

use super::BidError;
use super::handle::Handle;
use super::mailbox::Bid;

thread_local! {
    static POSTBOX: Postbox = Postbox::default();
}

/// Bounded by the permits that each bid's reply holds.
#[derive(Clone, Default)]
struct Postbox(Arc<Mutex<Vec<Posted>>>);

struct Posted {
    to: Arc<Handle>,
    bid: Bid,
}

/// Sends `bid` at the end of this thread's turn, behind all that was posted here before.
///
/// # Panics
/// Outside of tokio.
pub(super) fn post(to: Arc<Handle>, bid: Bid) {
    let is_first = POSTBOX.with(|postbox| {
        let mut waiting = postbox.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(Posted { to, bid });
        waiting.len() == 1
    });
    if is_first {
        let collection = Collection(POSTBOX.with(Postbox::clone));
        // Not among the thread's actors, behind whom it would wait for every one of them that is ready.
        tokio::spawn(async move { drop(collection) });
    }
}

/// Sends what waits when it is dropped: by its task, or with it when the thread ends first.
struct Collection(Postbox);

impl Drop for Collection {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut *self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Posted { to, bid } in waiting {
            if to.addr.connected() {
                #[allow(clippy::disallowed_methods, reason = "bounded by the permits in the reply")]
                to.addr.do_send(bid);
            } else {
                bid.reply.send(Err(BidError::Moving));
            }
        }
    }
}
