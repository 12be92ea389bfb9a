//! Looks after what was committed and did not come: once a second, the stored heads of the auctions that are followed here.
//!
//! Whoever decides them, this node too. The bus may lose an event, and one is never put on it when nobody heard that it
//! was committed: the store's answer was lost, or came after the lease had ended, or the owner was killed before it could
//! publish. A missing event that others come after shows by its seq; one that nothing comes after shows here, also when
//! the bus is gone altogether. Reads heads alone: a hub that is behind fills its gap itself.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;

use super::hubs::Hubs;
use crate::domain::{AuctionId, Seq};
use crate::limits::{HEADS_EVERY, HEADS_GRACE, HEADS_PER_READ};

/// Starts to look, on this thread's actix runtime, until [`Hubs::close_all`].
pub fn watch(hubs: &Arc<Hubs>) -> JoinHandle<()> {
    let hubs = Arc::clone(hubs);
    let grace = Duration::from(HEADS_GRACE);
    let rest = Duration::from(HEADS_EVERY).saturating_sub(grace);
    actix_web::rt::spawn(async move {
        while !hubs.is_closed() {
            actix_web::rt::time::sleep(rest).await;
            let heads = read(&hubs, &hubs.here.followed.all()).await;
            actix_web::rt::time::sleep(grace).await;
            for heads in heads {
                hubs.heads(&heads);
            }
        }
    })
}

/// The heads of `auctions` in bounded parts; those that cannot be read now are left to the next look.
async fn read(hubs: &Hubs, auctions: &[AuctionId]) -> Vec<Arc<[(AuctionId, Seq)]>> {
    let mut heads = Vec::new();
    for part in auctions.chunks(HEADS_PER_READ) {
        match hubs.history.heads(part).await {
            Ok(read) => heads.push(read.into()),
            Err(error) => {
                tracing::debug!(%error, "the heads of followed auctions could not be read");
                break;
            }
        }
    }
    heads
}
