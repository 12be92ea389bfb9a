//! `gavel migrate`: brings the store to the newest schema.

use std::error::Error;
use std::process::ExitCode;

use super::{complain, say};
use crate::settings::{Settings, StoreUrl};
use crate::store::{postgres, sqlite};

pub(super) fn run(settings: &Settings) -> ExitCode {
    match migrate(settings) {
        Ok(version) => {
            say(format_args!("the store has schema version {version}, the newest"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The schema's version afterwards.
fn migrate(settings: &Settings) -> Result<i32, Box<dyn Error>> {
    match &settings.store {
        StoreUrl::Sqlite(path) => Ok(sqlite::migrate(path)?),
        StoreUrl::Postgres(url) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(postgres::migrate(&postgres::PostgresSettings::new(url, &settings.cluster)))?)
        }
    }
}
