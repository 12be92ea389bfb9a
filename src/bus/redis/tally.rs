//! Counts what is rare over all nodes, such as tries to sign in. Says nothing when Redis cannot be asked at once.

use std::sync::Arc;

use deadpool_redis::{Manager, Pool, Runtime};
use tokio::runtime::Handle;

use super::RedisBusError;
use super::connection::{self, Server};
use super::pulse::Pulse;
use crate::domain::Span;
use crate::limits::{REDIS_TALLY_CONNECTIONS, REDIS_TALLY_WITHIN};

/// How often something was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Within the window, this time included.
    pub count: u64,
    /// When the window is over and counting begins anew.
    pub ends_in: Span,
}

/// See the file's head.
#[derive(Clone)]
pub struct Tally {
    pool: Pool,
    /// Connections live on the bus's thread: they outlive the worker that happened to need the first.
    bus: Handle,
    pulse: Arc<Pulse>,
}

impl Tally {
    pub(super) fn new(server: &Server, bus: Handle, pulse: Arc<Pulse>) -> Result<Self, RedisBusError> {
        let manager = Manager::new_with_config(server.info(), connection::config()).map_err(RedisBusError::Url)?;
        let within = Some(REDIS_TALLY_WITHIN.into());
        let pool = Pool::builder(manager)
            .max_size(REDIS_TALLY_CONNECTIONS)
            .wait_timeout(within)
            .create_timeout(within)
            .recycle_timeout(within)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| RedisBusError::Pool(error.to_string()))?;
        Ok(Self { pool, bus, pulse })
    }

    /// Counts one more of `key`. A window of `window` (whole seconds, at least one) begins with the first. `None` when
    /// Redis does not answer within `limits::REDIS_TALLY_WITHIN`; it may have counted all the same.
    pub async fn count(&self, key: &str, window: Span) -> Option<Tried> {
        if !self.pulse.is_healthy() {
            return None;
        }
        let (pool, key, seconds) = (self.pool.clone(), format!("gavel:tally:{key}"), (window.0 / 1_000_000).max(1));
        let counting = self.bus.spawn(async move {
            tokio::time::timeout(REDIS_TALLY_WITHIN.into(), count(&pool, &key, seconds)).await.ok().flatten()
        });
        counting.await.ok().flatten()
    }
}

async fn count(pool: &Pool, key: &str, seconds: i64) -> Option<Tried> {
    let mut connection = pool.get().await.ok()?;
    let mut commands = redis::pipe();
    // One transaction, so that no key is ever without its end.
    commands.atomic().cmd("SET").arg(key).arg(0).arg("EX").arg(seconds).arg("NX").ignore();
    commands.cmd("INCR").arg(key).cmd("PTTL").arg(key);
    let (count, left_ms): (u64, i64) = commands.query_async(&mut connection).await.ok()?;
    Some(Tried { count, ends_in: Span::from_millis(left_ms.max(0)) })
}
