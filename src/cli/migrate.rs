//! `gavel migrate`: brings the store to the newest schema.

use std::process::ExitCode;

use super::{complain, say};
use crate::settings::{Settings, StoreUrl};
use crate::store::sqlite;

pub(super) fn run(settings: &Settings) -> ExitCode {
    let StoreUrl::Sqlite(path) = &settings.store;
    match sqlite::migrate(path) {
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
