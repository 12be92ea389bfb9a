//! Takes the database file: the lock, the connections, the schema. Reads and writes no auction.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::limits;

mod embedded {
    // Generated code: names and visibility are refinery's.
    refinery::embed_migrations!("migrations/sqlite");
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is in use by another process; stop it first, or give this one another store.url", .path.display())]
    InUse { path: PathBuf },
    #[error("there is no database at {}", .path.display())]
    Missing { path: PathBuf },
    #[error("{what} ({}): {source}", .path.display())]
    Io { path: PathBuf, what: &'static str, source: std::io::Error },
    #[error("the database has schema version {found}, this program needs {needed}; run `gavel migrate`")]
    WrongVersion { found: i32, needed: i32 },
    #[error(
        "the database was made by a newer Gavel: it has schema version {found}, this program knows {known}; run the \
         newer program"
    )]
    Newer { found: i32, known: i32 },
    #[error("the schema could not be brought to the newest version: {0}")]
    Migration(#[from] refinery::Error),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Brings the database at `path` to the newest schema and returns its version; makes what is missing. Doing it
/// again, or from several processes at once, changes nothing more.
///
/// # Errors
/// [`OpenError::InUse`] when the schema is old and a running server holds the file, [`OpenError::Newer`] when it is newer
/// than this program.
pub fn migrate(path: &Path) -> Result<i32, OpenError> {
    let newest = newest_version();
    if path.exists() && known_version(&reader(path)?)? == newest {
        return Ok(newest);
    }
    let _lock = lock_waiting(path)?;
    apply_migrations(&mut write_connection(path)?)?;
    Ok(newest)
}

/// The lock and the writing connection, on the newest schema.
pub(super) fn writer(path: &Path) -> Result<(Connection, File), OpenError> {
    let lock = lock(path)?;
    let mut connection = write_connection(path)?;
    apply_migrations(&mut connection)?;
    Ok((connection, lock))
}

/// A connection that only reads. Works beside a writer, after a crash, and on a copy in a folder that cannot be
/// written to.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    match read_connection(&path.to_string_lossy(), OpenFlags::empty()) {
        Err(error) if cannot_open(&error) && !beside(path, "-wal").exists() => {
            // No write-ahead log and no right to make one: nobody writes, so the file can be read as it lies.
            Ok(read_connection(&immutable_uri(path), OpenFlags::SQLITE_OPEN_URI)?)
        }
        other => Ok(other?),
    }
}

/// Refuses a database whose schema is not this program's.
pub(super) fn check_version(connection: &Connection) -> Result<(), OpenError> {
    let (found, needed) = (known_version(connection)?, newest_version());
    if found == needed { Ok(()) } else { Err(OpenError::WrongVersion { found, needed }) }
}

fn newest_version() -> i32 {
    embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0)
}

fn version(connection: &Connection) -> Result<i32, OpenError> {
    if !connection.table_exists(None, "refinery_schema_history")? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    Ok(connection.query_row(newest, [], |row| row.get(0))?)
}

/// The schema's version, if this program can know what it means.
fn known_version(connection: &Connection) -> Result<i32, OpenError> {
    let (found, known) = (version(connection)?, newest_version());
    if found <= known { Ok(found) } else { Err(OpenError::Newer { found, known }) }
}

fn apply_migrations(connection: &mut Connection) -> Result<(), OpenError> {
    known_version(connection)?;
    embedded::migrations::runner().run(connection)?;
    Ok(())
}

fn lock(path: &Path) -> Result<File, OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| OpenError::Io {
            path: folder.to_owned(),
            what: "cannot make the folder",
            source,
        })?;
    }
    let lock_path = beside(path, ".lock");
    let failed = |source| OpenError::Io { path: lock_path.clone(), what: "cannot lock the database", source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Like [`lock`], but gives another migration the time to finish.
fn lock_waiting(path: &Path) -> Result<File, OpenError> {
    for _ in 0..limits::STORE_MIGRATE_LOCK_TRIES {
        match lock(path) {
            Err(OpenError::InUse { .. }) => std::thread::sleep(limits::STORE_MIGRATE_LOCK_PAUSE.into()),
            other => return other,
        }
    }
    lock(path)
}

fn write_connection(path: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(limits::STORE_BUSY)?;
    // Of a new database; one that exists keeps the pages that it has.
    connection.pragma_update(None, "page_size", limits::STORE_PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", limits::STORE_WAL_PAGES)?;
    connection.pragma_update(None, "cache_size", -limits::STORE_WRITER_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(limits::STORE_STATEMENTS);
    Ok(connection)
}

fn read_connection(name: &str, extra: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
    let connection = Connection::open_with_flags(name, flags)?;
    connection.busy_timeout(limits::STORE_BUSY)?;
    connection.set_prepared_statement_cache_capacity(limits::STORE_STATEMENTS);
    // Opening is lazy: only a read shows whether the file and its log can be used.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn cannot_open(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::SystemIoFailure)
    )
}

fn immutable_uri(path: &Path) -> String {
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}?immutable=1")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_migration_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/gavel.db");
        assert_eq!(migrate(&path).unwrap(), 1);
        let before = std::fs::read(&path).unwrap();
        assert_eq!(migrate(&path).unwrap(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_database_of_a_newer_program_is_refused_by_all_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gavel.db");
        migrate(&path).unwrap();
        let later = "INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, checksum \
                     FROM refinery_schema_history LIMIT 1";
        Connection::open(&path).unwrap().execute_batch(later).unwrap();
        let checked = check_version(&reader(&path).unwrap()).unwrap_err();
        for error in [migrate(&path).unwrap_err(), writer(&path).unwrap_err(), checked] {
            let said = error.to_string();
            assert!(said.contains("made by a newer Gavel") && said.contains("version 99"), "{said}");
            assert!(!said.contains("migrate"), "{said}");
        }
        assert_eq!(version(&reader(&path).unwrap()).unwrap(), 99);
    }

    #[test]
    fn a_migration_of_an_old_database_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gavel.db");
        let _held = lock(&path).unwrap();
        assert!(matches!(lock(&path), Err(OpenError::InUse { .. })));
    }

    #[test]
    fn a_copy_without_a_log_can_be_read_as_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a 100%? name#.db");
        migrate(&path).unwrap();
        let connection = read_connection(&immutable_uri(&path), OpenFlags::SQLITE_OPEN_URI).unwrap();
        check_version(&connection).unwrap();
        assert!(!beside(&path, "-wal").exists());
    }

    #[test]
    fn a_database_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = reader(&folder.path().join("none.db")).unwrap_err();
        assert!(error.to_string().contains("none.db"), "{error}");
    }
}
