//! Brings the schema up to date and creates the cluster. Reads and writes no auction.
//!
//! A start that finds nothing to migrate waits for nobody.

use tokio_postgres::Client;

use super::connect::{self, Connected, Role};
use super::{OpenError, PostgresSettings, error};
use crate::limits;

mod embedded {
    // Generated code: names and visibility are refinery's.
    refinery::embed_migrations!("migrations/postgres");
}

/// One migration at a time in a database: the key of the advisory lock around it.
const LOCK_KEY: i64 = 0x6761_7665_6c21;

/// Applies what is missing, creates the cluster when there is none, and returns the schema's version. Safe from many
/// nodes at once; a schema that is newer than this program is left as it is.
pub(super) async fn migrate(settings: &PostgresSettings) -> Result<i32, OpenError> {
    let config = connect::config(settings, Role::Migrate)?;
    let Connected { mut client, driver } = connect::connect(&config).await?;
    if version(&client).await? < newest_version() {
        lock(&client).await?;
    }
    // Compares what was applied with what is known here, also when nothing is missing. Which migrations may be applied
    // beside running nodes is migrations/postgres/README.md's.
    let runner = embedded::migrations::runner().set_abort_missing(false);
    runner.run_async(&mut client).await?;
    create_cluster(&client, settings.shards).await?;
    let version = version(&client).await?;
    // The lock goes with the connection.
    drop(client);
    drop(driver.await);
    Ok(version)
}

/// Waits for the right to migrate. It goes with the connection, and whoever has it and falls silent loses that.
async fn lock(client: &Client) -> Result<(), OpenError> {
    // Before version 14 Postgres has no such setting; a connection whose process is gone ends there too.
    let silent_ms = (limits::POSTGRES_READ.0 / 1_000).to_string();
    let end_silent = "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = 'idle_session_timeout'";
    client.execute(end_silent, &[&silent_ms]).await?;
    match client.execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY]).await {
        Ok(_) => Ok(()),
        Err(failed) if error::is_lock_trouble(&failed) => Err(OpenError::BeingMigrated),
        Err(failed) => Err(failed.into()),
    }
}

/// Refuses a database that lacks what this program needs.
pub(super) async fn check_version(client: &Client) -> Result<(), OpenError> {
    let (found, needed) = (version(client).await?, newest_version());
    if found >= needed { Ok(()) } else { Err(OpenError::WrongVersion { found, needed }) }
}

/// How many shards the cluster has.
pub(super) async fn shards(client: &Client) -> Result<u32, OpenError> {
    let shards: i32 = client.query_one("SELECT shards FROM cluster", &[]).await?.try_get(0)?;
    Ok(u32::try_from(shards).unwrap_or(1))
}

async fn create_cluster(client: &Client, shards: u32) -> Result<(), OpenError> {
    let shards = i32::try_from(shards.max(1)).unwrap_or(i32::MAX);
    client
        .execute(
            "WITH made AS (INSERT INTO cluster (shards) VALUES ($1) ON CONFLICT DO NOTHING RETURNING shards) \
             INSERT INTO shards (id, epoch) SELECT generate_series(0, made.shards - 1), 0 FROM made",
            &[&shards],
        )
        .await?;
    Ok(())
}

fn newest_version() -> i32 {
    embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0)
}

async fn version(client: &Client) -> Result<i32, OpenError> {
    let known = client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[]).await?;
    if !known.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0)::integer FROM refinery_schema_history";
    Ok(client.query_one(newest, &[]).await?.try_get(0)?)
}
