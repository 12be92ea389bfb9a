//! Looks after sign-outs that the bus may have lost: asks, every `limits::TOKEN_RECHECK`, whether the sign-ins that
//! live sessions came with are still good, and ends the sessions of those that are not.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;

use super::hubs::Hubs;
use crate::account::SignOutListener as _;
use crate::limits::TOKEN_RECHECK;
use crate::store::TokenHash;

/// Starts to look, on this thread's actix runtime, until [`Hubs::close_all`]. For a node of a cluster. `is_good` is asked
/// about one sign-in after the other; it should say yes when it cannot tell.
pub fn watch<A: Future<Output = bool> + 'static>(
    hubs: &Arc<Hubs>,
    is_good: impl Fn(TokenHash) -> A + 'static,
) -> JoinHandle<()> {
    let hubs = Arc::clone(hubs);
    actix_web::rt::spawn(async move {
        while !hubs.is_closed() {
            actix_web::rt::time::sleep(Duration::from(TOKEN_RECHECK)).await;
            look(&hubs, &is_good).await;
        }
    })
}

/// Looks once.
pub(super) async fn look<A: Future<Output = bool>>(hubs: &Hubs, is_good: &impl Fn(TokenHash) -> A) {
    for token in hubs.here.signed_in.all() {
        if !is_good(token).await {
            hubs.signed_out(token);
        }
    }
}
