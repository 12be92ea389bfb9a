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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::memory::MemoryBus;
    use crate::clock::Clock;
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn a_sign_in_that_ends_on_one_node_is_forgotten_on_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("gavel.db")).unwrap());
        let (clock, bus) = (Arc::new(Clock::system()), Arc::new(MemoryBus::default()));
        let node = || {
            let says = Arc::new(SignOuts(Arc::<MemoryBus>::clone(&bus)));
            let accounts = Arc::new(Accounts::new(Arc::clone(&store), Arc::clone(&clock), says));
            bus.subscribe(Arc::new(Forgetting(Arc::downgrade(&accounts))));
            accounts
        };
        let (here, there) = (node(), node());
        here.sign_up("ann@test.test", "ann", "a long password").await.unwrap();
        let issued = here.sign_in("ann@test.test", "a long password").await.unwrap();
        let known = there.authenticate(&issued.token).await.unwrap().unwrap();
        here.sign_out(known.token).await.unwrap();
        assert_eq!(there.authenticate(&issued.token).await.unwrap(), None);
    }
}
