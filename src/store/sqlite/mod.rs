//! The embedded store: one database file, one writer, a few readers beside it.
//!
//! In the order of a commit's way: `open` takes the file, `writer` gathers what waits into one
//! transaction, `commit` writes an auction's part, `ledger`, `catalog`, `accounts` and `images` are the
//! port's four sides, `rows` turns rows into domain values. A caller never blocks its thread for the disk: it hands its work to
//! a thread and awaits the answer. Nothing outside the writer writes.

mod accounts;
mod catalog;
mod commit;
mod images;
mod ledger;
mod listing;
mod lost;
mod open;
mod readers;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use rusqlite::Connection;

pub use open::{OpenError, migrate};

use self::readers::Readers;
use self::writer::Writer;
use super::{Store, StoreError};

/// The port on one database file.
pub struct SqliteStore {
    /// None when opened for reading only.
    writer: Option<Writer>,
    readers: Readers,
}

impl SqliteStore {
    /// Opens the database at `path` as its only writer: makes the folder and the file when they are
    /// missing and brings the schema to the newest version.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another process, or this one, holds it already.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, lock) = open::writer(path)?;
        let readers = Readers::start(|| open::reader(path))?;
        let writer = Some(Writer::start(connection, lock).map_err(|source| OpenError::Io {
            path: path.to_owned(),
            what: "cannot start the writer",
            source,
        })?);
        Ok(Self { writer, readers })
    }

    /// Opens the database at `path` for reading only, beside a running server or without one. Writes
    /// are refused with [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// When there is no database, or its schema is not this program's.
    pub fn open_beside(path: &Path) -> Result<Self, OpenError> {
        open::check_version(&open::reader(path)?)?;
        Ok(Self { writer: None, readers: Readers::start(|| open::reader(path))? })
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        match &self.writer {
            Some(writer) => writer.run(work).await,
            None => Err(StoreError::Unavailable("the store is opened for reading only".to_owned())),
        }
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.run(work).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await?;
        self.read(|connection| {
            Ok(connection.prepare_cached("SELECT epoch FROM ownership")?.query_row([], |_| Ok(()))?)
        })
        .await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.prepare_cached("UPDATE ownership SET probes = probes + 1")?.execute([])?;
            Ok(())
        })
        .await
    }

    async fn close(&self) {
        // The readers first: the last connection to close folds the write-ahead log into the file.
        self.readers.stop().await;
        if let Some(writer) = &self.writer {
            writer.stop().await;
        }
    }
}
