//! The cluster's store on real Postgres servers, which the tests start and stop themselves.

mod audit;
mod crash;
mod fence;
mod migrating;
mod ownership;
pub(crate) mod proxy;
pub(crate) mod server;
mod store;
pub(crate) mod world;

use std::sync::Arc;

use gavel::store::Store;
use gavel::store::postgres::PostgresStore;
use tokio::sync::OnceCell;

/// A database of its own on the server that the tests of this process share.
struct Database(OnceCell<String>);

impl Database {
    const fn new() -> Self {
        Self(OnceCell::const_new())
    }
}

impl crate::contract::Backend for Database {
    async fn open(&self) -> Arc<dyn Store> {
        let url = self.0.get_or_init(server::database).await;
        Arc::new(PostgresStore::open(world::settings(url, "a", 1)).await.unwrap())
    }
}

mod contract {
    crate::contract::store::every_promise!(super::Database::new());
}
