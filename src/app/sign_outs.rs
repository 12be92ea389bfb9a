//! Sign-outs and the bus: what ends on one node ends on all, in memory and in live streams.

use std::sync::{Arc, Weak};

use crate::account::{Accounts, SignOutListener};
use crate::bus::{Bus, Publication, Subscriber};
use crate::store::TokenHash;

/// Says on the bus which sign-ins ended here.
pub(super) struct SignOuts(pub(super) Arc<dyn Bus>);

impl SignOutListener for SignOuts {
    fn signed_out(&self, token: TokenHash) {
        self.0.publish_sign_out(token);
    }
}

/// Has this node's accounts forget what ended anywhere. Weak, since the accounts hold the bus.
pub(super) struct Forgetting(pub(super) Weak<Accounts>);

impl Subscriber for Forgetting {
    fn deliver(&self, _publications: &Arc<[Publication]>) {}

    fn signed_out(&self, token: TokenHash) {
        if let Some(accounts) = self.0.upgrade() {
            accounts.forget(&token);
        }
    }
}
