//! `gavel verify`: audits the configured store, offline or beside running nodes. Changes nothing.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::settings::{Settings, StoreUrl};
use crate::store::Store;
use crate::store::audit::{Report, audit};
use crate::store::postgres::{PostgresSettings, PostgresStore};
use crate::store::sqlite::SqliteStore;

/// Prints each fault on a line, then the count. Fails when there is a fault or the store cannot be read.
pub(super) fn run(settings: &Settings) -> ExitCode {
    let verdict = match verify(settings, &mut io::stdout().lock()) {
        Ok(sound) => sound,
        Err(problem) => {
            // Nothing is left to be done when stderr is gone as well.
            drop(writeln!(io::stderr(), "gavel verify: {problem}"));
            false
        }
    };
    if verdict { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the store is sound; the report goes to `out`.
fn verify(settings: &Settings, out: &mut impl Write) -> Result<bool, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let store = open_beside(settings).await?;
        let report = audit(store.as_ref()).await;
        store.close().await;
        Ok::<_, Box<dyn std::error::Error>>(report?)
    })?;
    print(&report, out)?;
    Ok(report.fault_count == 0)
}

async fn open_beside(settings: &Settings) -> Result<Box<dyn Store>, Box<dyn std::error::Error>> {
    match &settings.store {
        StoreUrl::Sqlite(path) => Ok(Box::new(SqliteStore::open_beside(path)?)),
        StoreUrl::Postgres(url) => {
            let settings = PostgresSettings::new(url, &settings.cluster);
            Ok(Box::new(PostgresStore::open_beside(settings).await?))
        }
    }
}

fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for fault in &report.faults {
        writeln!(out, "{fault}")?;
    }
    let untold = report.fault_count.saturating_sub(u64::try_from(report.faults.len()).unwrap_or(u64::MAX));
    if untold > 0 {
        writeln!(out, "… and {untold} more")?;
    }
    let Report { auctions, events, fault_count, .. } = report;
    writeln!(out, "verified {auctions} auctions, {events} events, {fault_count} faults")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::migrate;

    fn with_store(path: &std::path::Path) -> Settings {
        Settings { store: StoreUrl::Sqlite(path.to_owned()), ..Settings::load(None).unwrap() }
    }

    #[test]
    fn an_empty_store_is_sound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gavel.db");
        migrate(&path).unwrap();
        let mut out = Vec::new();
        assert!(verify(&with_store(&path), &mut out).unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), "verified 0 auctions, 0 events, 0 faults\n");
    }

    #[test]
    fn a_store_that_is_not_there_is_an_error_and_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gavel.db");
        let error = verify(&with_store(&path), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("there is no database at"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn each_fault_is_on_a_line_and_the_untold_are_counted() {
        let report = Report { auctions: 1, events: 2, faults: vec!["I1 …".to_owned()], fault_count: 3 };
        let mut out = Vec::new();
        print(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "I1 …\n… and 2 more\nverified 1 auctions, 2 events, 3 faults\n");
    }
}
