//! What the settings choose: where committed data lives, how events reach the sessions, who owns what at the start.

use std::sync::Arc;

use async_trait::async_trait;

use super::StartError;
use crate::account::{Limiter, SharedTally};
use crate::auction::Tenure;
use crate::bus::Bus;
use crate::bus::memory::MemoryBus;
use crate::bus::{RedisBus, RedisBusSettings, Tally};
use crate::domain::Span;
use crate::settings::{BusUrl, Settings, StoreUrl};
use crate::store::Store;
use crate::store::ownership::Ownership;
use crate::store::postgres::{PostgresSettings, PostgresStore};
use crate::store::sqlite::SqliteStore;

/// See the file's head.
pub(super) struct Foundation {
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) tenure: Tenure,
    pub(super) limiter: Limiter,
    /// `None` for one process alone.
    pub(super) shared: Option<Shared>,
}

/// What only nodes of a cluster have.
pub(super) struct Shared {
    pub(super) ownership: Arc<dyn Ownership>,
    pub(super) incarnation: i64,
}

impl Foundation {
    pub(super) async fn lay(settings: &Settings) -> Result<Self, StartError> {
        let limiter = Limiter::new(settings.limits);
        match (&settings.store, &settings.bus) {
            (StoreUrl::Sqlite(path), _) => Self::alone(Arc::new(SqliteStore::open(path)?), limiter).await,
            (StoreUrl::Postgres(url), BusUrl::Memory) => {
                tracing::info!(store = %settings.store, "this must be the only node: bus.url is memory:");
                let postgres = PostgresSettings::new(url, &settings.cluster);
                Self::alone(Arc::new(PostgresStore::open(postgres).await?), limiter).await
            }
            (StoreUrl::Postgres(store), BusUrl::Redis(bus)) => Self::shared(settings, store, bus).await,
        }
    }

    /// One process owns all auctions, as one shard, and its clock is the store's. Taking over fences whoever owned
    /// them before.
    async fn alone(store: Arc<dyn Store>, limiter: Limiter) -> Result<Self, StartError> {
        let epoch = store.take_over().await?;
        metrics::counter!("gavel_takeovers_total").increment(1);
        metrics::gauge!("gavel_shards_owned").set(1.0);
        metrics::gauge!("gavel_clock_offset_seconds").set(0.0);
        let (bus, tenure) = (Arc::new(MemoryBus::default()), Tenure::whole(epoch));
        Ok(Self { store, bus, tenure, limiter, shared: None })
    }

    /// One node of many: it owns nothing until its agent takes something.
    async fn shared(settings: &Settings, store: &str, bus: &str) -> Result<Self, StartError> {
        let postgres = PostgresSettings::new(store, &settings.cluster);
        let (node, incarnation) = (postgres.node.clone(), postgres.incarnation);
        let store = Arc::new(PostgresStore::open(postgres).await?);
        let bus = RedisBus::connect(RedisBusSettings { url: bus.to_owned(), node, incarnation })?;
        let limiter = Limiter::shared(settings.limits, Arc::new(Counted(bus.tally())));
        let tenure = Tenure::none(store.shard_count());
        let ownership = Arc::clone(&store) as Arc<dyn Ownership>;
        Ok(Self { store, bus, tenure, limiter, shared: Some(Shared { ownership, incarnation }) })
    }
}

/// What is rare and dear is counted over all nodes, on the bus's server.
struct Counted(Tally);

#[async_trait]
impl SharedTally for Counted {
    async fn count(&self, key: &str, window: Span) -> Option<(u64, Span)> {
        self.0.count(key, window).await.map(|tried| (tried.count, tried.ends_in))
    }
}
