//! The ownership port: nodes, shards and epochs.
//!
//! Each call is one statement, one transaction. Rows are locked in the order of their ids, as commits do, so
//! that nobody waits in a circle.

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::rows::Cells;
use super::{PostgresStore, connect, error};
use crate::domain::{Epoch, Timestamp};
use crate::limits;
use crate::store::StoreError;
use crate::store::ownership::{NodeRow, NodeState, Ownership, Renewal, ShardId, ShardRow};

/// Node $1 in incarnation $2 at address $3. Forgets others that have not renewed for $4 microseconds and own nothing.
const JOIN: &str = "WITH forgotten AS (DELETE FROM nodes d \
     WHERE d.id <> $1 AND d.renewed_at < clock_timestamp() - $4::bigint * interval '1 microsecond' \
     AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.owner = d.id)) \
     INSERT INTO nodes AS n (id, incarnation, rvn, address, state) VALUES ($1, $2, 1, $3, 'up') \
     ON CONFLICT (id) DO UPDATE SET incarnation = excluded.incarnation, rvn = n.rvn + 1, \
     address = excluded.address, state = excluded.state, renewed_at = excluded.renewed_at";

/// Shards $1 whose epoch is still the seen one ($2), to node $3 in incarnation $4.
const TAKE: &str = "WITH held AS MATERIALIZED (SELECT s.id FROM shards s \
     JOIN unnest($1::integer[], $2::bigint[]) AS w (id, seen) ON s.id = w.id AND s.epoch = w.seen \
     ORDER BY s.id FOR NO KEY UPDATE OF s), \
     taken AS (UPDATE shards s SET epoch = s.epoch + 1, owner = $3, owner_incarnation = $4 \
     FROM held WHERE s.id = held.id RETURNING s.id, s.epoch) SELECT id, epoch FROM taken ORDER BY id";

/// Every shard, to node $1 in incarnation $2, under one epoch above all that were.
const TAKE_ALL: &str = "WITH held AS MATERIALIZED (SELECT id, epoch FROM shards ORDER BY id FOR NO KEY UPDATE), \
     top AS (SELECT max(epoch) + 1 AS epoch FROM held), \
     taken AS (UPDATE shards s SET epoch = top.epoch, owner = $1, owner_incarnation = $2 \
     FROM held, top WHERE s.id = held.id RETURNING s.id) SELECT epoch FROM top WHERE 0 < (SELECT count(*) FROM taken)";

const RELEASE: &str = "WITH held AS MATERIALIZED (SELECT s.id FROM shards s \
     JOIN unnest($1::integer[], $2::bigint[]) AS w (id, epoch) ON s.id = w.id AND s.epoch = w.epoch \
     WHERE s.owner = $3 AND s.owner_incarnation = $4 ORDER BY s.id FOR NO KEY UPDATE OF s) \
     UPDATE shards s SET owner = NULL, owner_incarnation = NULL FROM held WHERE s.id = held.id";

/// Ends connections whose transaction has been at the shards' rows for longer than $2 milliseconds: those whose name
/// starts with one of $1.
const END_STUCK: &str = "SELECT a.application_name, pg_terminate_backend(a.pid) FROM pg_stat_activity a \
     WHERE a.datname = current_database() AND a.usename = current_user AND a.pid <> pg_backend_pid() \
     AND a.xact_start < clock_timestamp() - $2::bigint * interval '1 millisecond' \
     AND EXISTS (SELECT 1 FROM unnest($1::text[]) AS p (prefix) WHERE starts_with(a.application_name, p.prefix)) \
     AND EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.relation = 'shards'::regclass \
     AND l.mode <> 'AccessShareLock')";

#[async_trait]
impl Ownership for PostgresStore {
    fn shard_count(&self) -> u32 {
        self.shards
    }

    async fn join(&self, address: &str) -> Result<(), StoreError> {
        let forgotten_after = limits::NODE_FORGOTTEN.0;
        let params: [&(dyn ToSql + Sync); 4] =
            [&self.settings.node, &self.settings.incarnation, &address, &forgotten_after];
        self.own(JOIN, &params).await.map(drop)
    }

    async fn renew(&self, state: NodeState) -> Result<Renewal, StoreError> {
        let sql = "UPDATE nodes SET rvn = rvn + 1, state = $3, renewed_at = clock_timestamp() WHERE id = $1 AND incarnation = $2 \
                   RETURNING rvn, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let renewed = self.own(sql, &[&self.settings.node, &self.settings.incarnation, &state_text(state)]).await?;
        match renewed.first() {
            Some(row) => {
                let mut cells = Cells::of(row);
                Ok(Renewal::Renewed { rvn: cells.take()?, database_now: Timestamp(cells.take()?) })
            }
            None => Ok(Renewal::Replaced),
        }
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let sql = "DELETE FROM nodes WHERE id = $1 AND incarnation = $2";
        self.own(sql, &[&self.settings.node, &self.settings.incarnation]).await.map(drop)
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let sql = "SELECT id, incarnation, rvn, address, state FROM nodes ORDER BY id";
        self.own(sql, &[]).await?.iter().map(node).collect()
    }

    async fn shards(&self) -> Result<Vec<ShardRow>, StoreError> {
        let sql = "SELECT id, owner, owner_incarnation, epoch FROM shards ORDER BY id";
        self.own(sql, &[]).await?.iter().map(shard).collect()
    }

    async fn take(&self, seen: &[(ShardId, Epoch)]) -> Result<Vec<(ShardId, Epoch)>, StoreError> {
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, epochs) = columns(seen);
        let taken =
            self.insist(TAKE, &[&ids, &epochs, &self.settings.node, &self.settings.incarnation], Some(&ids)).await?;
        taken
            .iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                Ok((ShardId(cells.take()?), Epoch(cells.take()?)))
            })
            .collect()
    }

    async fn release(&self, owned: &[(ShardId, Epoch)]) -> Result<(), StoreError> {
        let (ids, epochs) = columns(owned);
        self.own(RELEASE, &[&ids, &epochs, &self.settings.node, &self.settings.incarnation]).await.map(drop)
    }
}

impl PostgresStore {
    /// Takes every shard under one new epoch.
    pub(super) async fn take_all(&self) -> Result<Epoch, StoreError> {
        let taken = self.insist(TAKE_ALL, &[&self.settings.node, &self.settings.incarnation], None).await?;
        let row = taken.first().ok_or_else(|| super::rows::damaged("there are no shards"))?;
        Ok(Epoch(Cells::of(row).take()?))
    }

    /// Runs a statement on one of the connections that are kept for ownership.
    pub(super) async fn own(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let client = self.owners.get().await.map_err(error::no_connection)?;
        let statement = client.prepare_cached(sql).await.map_err(error::unavailable)?;
        client.query(&statement, params).await.map_err(error::of_write)
    }

    /// Runs a takeover until it has its locks. Who holds one for too long loses its connection: first only the
    /// owners of the shards, then whoever it is.
    async fn insist(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        shards: Option<&[i32]>,
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.owners.get().await.map_err(error::no_connection)?;
        let statement = client.prepare_cached(sql).await.map_err(error::unavailable)?;
        for tried in 1..=limits::POSTGRES_LOCK_TRIES {
            match client.query(&statement, params).await {
                Err(error) if error::is_lock_trouble(&error) => {
                    let prefixes = match shards {
                        Some(shards) if tried == 1 => self.owners_of(shards).await?,
                        Some(_) | None => vec!["gavel/".to_owned()],
                    };
                    self.end_stuck(&prefixes).await?;
                }
                other => return other.map_err(error::of_write),
            }
        }
        Err(StoreError::Unavailable("shards stay locked".to_owned()))
    }

    /// What the names of the connections of the shards' owners start with.
    async fn owners_of(&self, shards: &[i32]) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT owner, owner_incarnation FROM shards WHERE id = ANY ($1) AND owner IS NOT NULL";
        let owners = self.own(sql, &[&shards]).await?;
        owners
            .iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                Ok(connect::name_prefix(cells.take()?, cells.take()?))
            })
            .collect()
    }

    async fn end_stuck(&self, prefixes: &[String]) -> Result<(), StoreError> {
        let longer_than_ms = limits::POSTGRES_LOCK.0 / 1_000;
        for row in self.own(END_STUCK, &[&prefixes, &longer_than_ms]).await? {
            let name: &str = Cells::of(&row).take()?;
            tracing::warn!(connection = name, "ended a connection that kept a shard locked");
        }
        Ok(())
    }
}

fn columns(shards: &[(ShardId, Epoch)]) -> (Vec<i32>, Vec<i64>) {
    shards.iter().map(|(id, epoch)| (id.0, epoch.0)).unzip()
}

fn state_text(state: NodeState) -> &'static str {
    match state {
        NodeState::Up => "up",
        NodeState::Draining => "draining",
    }
}

fn node(row: &Row) -> Result<NodeRow, StoreError> {
    let mut cells = Cells::of(row);
    let (id, incarnation, rvn, address) = (cells.text()?, cells.take()?, cells.take()?, cells.text()?);
    let state = match cells.take()? {
        "up" => NodeState::Up,
        "draining" => NodeState::Draining,
        other => return Err(super::rows::damaged(format!("{other} is not a node's state"))),
    };
    Ok(NodeRow { id, incarnation, rvn, address, state })
}

fn shard(row: &Row) -> Result<ShardRow, StoreError> {
    let mut cells = Cells::of(row);
    let id = ShardId(cells.take()?);
    let (owner, incarnation): (Option<&str>, Option<i64>) = (cells.take()?, cells.take()?);
    let owner = owner.zip(incarnation).map(|(owner, incarnation)| (owner.into(), incarnation));
    Ok(ShardRow { id, owner, epoch: Epoch(cells.take()?) })
}
