//! Reads from the history for a hub: a bounded number at a time, a bounded number waiting.
//!
//! A read that cannot be made or fails is answered as unavailable; the channel tries again at the next
//! tick. Nothing is decided here.

use super::channel::{Read, What};
use super::hub::LocalHub;
use super::roster::Answer;
use crate::limits::HISTORY_READS_WAITING_MAX;

/// Starts a read; its answer goes back to the hub.
pub(super) fn start(hub: &LocalHub, read: Read) {
    let waiting = hub.reads_waiting();
    let admitted = waiting.get() < HISTORY_READS_WAITING_MAX;
    if admitted {
        waiting.set(waiting.get() + 1);
    }
    let hub = hub.clone();
    if !admitted {
        tracing::warn!(auction.id = read.auction_id.0, "too many reads of the history wait");
        hub.with(|roster, now| roster.answer(read, Answer::Unavailable, now));
        return;
    }
    actix_web::rt::spawn(async move {
        let answer = match hub.reads_at_once().acquire().await {
            Ok(_permit) => perform(&hub, read).await,
            Err(_closed) => Answer::Unavailable,
        };
        hub.reads_waiting().set(hub.reads_waiting().get().saturating_sub(1));
        hub.with(|roster, now| roster.answer(read, answer, now));
    });
}

async fn perform(hub: &LocalHub, read: Read) -> Answer {
    let history = &hub.node().history;
    let answer = match read.what.range() {
        None => history.snapshot(read.auction_id).await.map(Answer::Snapshot),
        Some((after, limit)) => history.events_after(read.auction_id, after, limit).await.map(Answer::Events),
    };
    answer.unwrap_or_else(|error| {
        tracing::warn!(auction.id = read.auction_id.0, page = matches!(read.what, What::Page { .. }), %error, "cannot catch up");
        Answer::Unavailable
    })
}
