//! Looks after what the bus may have lost: once a second, the stored heads of the auctions that are followed here.
//!
//! For a node whose auctions are partly decided elsewhere. A lost event that others come after shows by its seq; one
//! that nothing comes after shows here, also when the bus is gone altogether. Reads heads alone: a hub that is behind
//! fills its gap itself.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;

use super::hubs::Hubs;
use crate::domain::{AuctionId, Seq};
use crate::limits::{HEADS_EVERY, HEADS_GRACE, HEADS_PER_READ};

/// Starts to look, on this thread's actix runtime, until [`Hubs::close_all`]. `decided_here` says which auctions need no
/// look: their events reach the hubs without a network.
pub fn watch(hubs: &Arc<Hubs>, decided_here: impl Fn(AuctionId) -> bool + 'static) -> JoinHandle<()> {
    let hubs = Arc::clone(hubs);
    let grace = Duration::from(HEADS_GRACE);
    let rest = Duration::from(HEADS_EVERY).saturating_sub(grace);
    actix_web::rt::spawn(async move {
        while !hubs.is_closed() {
            actix_web::rt::time::sleep(rest).await;
            let mut auctions = hubs.here.followed.all();
            auctions.retain(|auction| !decided_here(*auction));
            let heads = read(&hubs, &auctions).await;
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
