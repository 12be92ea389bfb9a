//! The cluster's store: Postgres, shared by all nodes.
//!
//! In the order of a commit's way: `lane` owns the connection that commits, `commit` sends one statement with a `part`
//! for each auction; `ledger`, `catalog`, `accounts` and `images` are the port's four sides, `owner` is the
//! ownership port, `rows` turns rows into domain values. `connect` knows how connections are made, `schema` brings
//! the tables up to date, `error` knows which failures leave the outcome open. Nothing here retries a write.

mod accounts;
mod catalog;
mod commit;
mod connect;
mod error;
mod images;
mod lane;
mod ledger;
mod lost;
mod owner;
mod part;
mod rows;
mod schema;
mod told;

use std::fmt;

use async_trait::async_trait;
use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use self::connect::{IoThread, Role};
use self::lane::Lane;
use super::{Store, StoreError};
use crate::limits;
use crate::settings::ClusterSettings;

/// Which database, and as whom.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`
    pub url: String,
    /// This node's name, up to [`limits::NODE_NAME_BYTES_MAX`] letters, digits, `-`, `_` and `.`.
    pub node: String,
    /// Of this process: another after each start.
    pub incarnation: i64,
    /// Shards of the cluster if it has to be created; otherwise what was chosen then holds.
    pub shards: u32,
}

impl PostgresSettings {
    /// Those of a process that starts now, with an incarnation of its own.
    #[must_use]
    pub fn new(url: &str, cluster: &ClusterSettings) -> Self {
        let incarnation = i64::from(rand::random::<u32>()) << 20 | i64::from(rand::random::<u32>() >> 12);
        Self { url: url.to_owned(), node: cluster.node.clone(), incarnation, shards: cluster.shards }
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, node, incarnation, shards } = self;
        // The URL may hold a password.
        let mut shown = out.debug_struct("PostgresSettings");
        shown.field("node", node).field("incarnation", incarnation).field("shards", shards).finish_non_exhaustive()
    }
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the store's URL cannot be read: {}", error::text(.0))]
    Url(tokio_postgres::Error),
    #[error("`{0}` is no name for a node: 1 to 24 letters, digits, `-`, `_` and `.`")]
    NodeName(String),
    #[error("the database: {}", error::text(.0))]
    Database(#[from] tokio_postgres::Error),
    #[error("the schema could not be brought to the newest version: {0}")]
    Migration(#[from] refinery::Error),
    #[error("the database has schema version {found}, this program needs {needed}; run `gavel migrate`")]
    WrongVersion { found: i32, needed: i32 },
    #[error("another process has been migrating the database for a while; start again when it is done")]
    BeingMigrated,
    #[error("synchronous_commit is off: what was acknowledged would not survive a crash; set it to on")]
    NotDurable,
    #[error("a thread for the store cannot be started: {source}")]
    Thread { source: std::io::Error },
    #[error("the pool of connections cannot be made: {0}")]
    Pool(String),
    #[error("the store does not answer: {0}")]
    Store(#[from] StoreError),
}

/// The ports [`Store`] and [`super::ownership::Ownership`] on one Postgres database.
pub struct PostgresStore {
    settings: PostgresSettings,
    shards: u32,
    /// `None` when opened for reading only.
    lane: Option<Lane>,
    pool: Pool,
    owners: Pool,
    _io: IoThread,
}

/// Brings the schema to the newest version, creates the cluster when there is none, and returns the version. Safe to
/// run from many nodes at once.
///
/// # Errors
/// When the database cannot be reached, a migration fails, or another process migrates for longer than
/// [`limits::POSTGRES_MIGRATION_LOCK`].
pub async fn migrate(settings: &PostgresSettings) -> Result<i32, OpenError> {
    check_name(settings)?;
    schema::migrate(settings).await
}

impl PostgresStore {
    /// Opens the database for this node and brings the schema to the newest version.
    ///
    /// # Errors
    /// When it cannot be reached, or would lose what it acknowledged.
    pub async fn open(settings: PostgresSettings) -> Result<Self, OpenError> {
        migrate(&settings).await?;
        let mut store = Self::connect(settings, Role::Pool).await?;
        let client = store.connection().await?;
        check_durability(&client).await?;
        drop(client);
        let config = connect::config(&store.settings, Role::Commit)?;
        store.lane = Some(Lane::start(config, store.shards)?);
        Ok(store)
    }

    /// Opens the database for reading beside running nodes, without touching the schema. Commits are refused with
    /// [`StoreError::Unavailable`]. A read may take up to [`limits::POSTGRES_AUDIT`].
    ///
    /// Each read sees what is committed when it begins, and later ones see no less: that is what the auditor needs to
    /// tell what was added meanwhile from what is wrong.
    ///
    /// # Errors
    /// When there is no database, or its schema lacks what this program needs.
    pub async fn open_beside(settings: PostgresSettings) -> Result<Self, OpenError> {
        check_name(&settings)?;
        Self::connect(settings, Role::Audit).await
    }

    async fn connect(settings: PostgresSettings, role: Role) -> Result<Self, OpenError> {
        let io = IoThread::start("store-postgres")?;
        let pool = connect::pool(connect::config(&settings, role)?, role, &io)?;
        let owners = connect::pool(connect::config(&settings, Role::Owner)?, Role::Owner, &io)?;
        let client = pool.get().await.map_err(error::no_connection)?;
        schema::check_version(&client).await?;
        let shards = schema::shards(&client).await?;
        drop(client);
        Ok(Self { settings, shards, lane: None, pool, owners, _io: io })
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(error::no_connection)
    }

    /// Rows of a statement that only reads.
    async fn read(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let client = self.connection().await?;
        let statement = client.prepare_cached(sql).await.map_err(error::unavailable)?;
        client.query(&statement, params).await.map_err(error::unavailable)
    }

    /// The one row of a statement that only reads, if there is one.
    async fn read_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, StoreError> {
        Ok(self.read(sql, params).await?.pop())
    }

    /// Runs a statement that writes, as a transaction of its own.
    async fn write(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let client = self.connection().await?;
        let statement = client.prepare_cached(sql).await.map_err(error::unavailable)?;
        client.query(&statement, params).await.map_err(error::of_write)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.read("SELECT shards FROM cluster", &[]).await.map(drop)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        // Not on a connection of the reads: many slow ones would pass for an outage.
        self.own("UPDATE cluster SET shards = shards", &[]).await.map(drop)
    }

    async fn close(&self) {
        if let Some(lane) = &self.lane {
            lane.stop().await;
        }
        self.pool.close();
        self.owners.close();
    }
}

fn check_name(settings: &PostgresSettings) -> Result<(), OpenError> {
    let name = &settings.node;
    let fits = (1..=limits::NODE_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits { Ok(()) } else { Err(OpenError::NodeName(name.clone())) }
}

async fn check_durability(client: &tokio_postgres::Client) -> Result<(), OpenError> {
    let row = client.query_one("SELECT current_setting('synchronous_commit'), current_setting('fsync')", &[]).await?;
    if row.try_get::<_, &str>(1)? != "on" {
        tracing::warn!("fsync is off: the whole database may be lost in a crash of the machine");
    }
    if row.try_get::<_, &str>(0)? == "off" { Err(OpenError::NotDurable) } else { Ok(()) }
}
