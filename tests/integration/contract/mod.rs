//! What every backend of a port promises, whatever it is made of.
//!
//! The suites are in `store` and `bus`; each backend is named here once and passes them unchanged.

pub(crate) mod audit;
pub(crate) mod bus;
pub(crate) mod driver;
pub(crate) mod store;

/// One backend's room for data: empty at first, and the same each time it is opened.
pub(crate) trait Backend {
    /// Opens the store. The one before must be closed.
    async fn open(&self) -> std::sync::Arc<dyn gavel::store::Store>;
}

/// The embedded store in a folder of its own.
pub(crate) struct Sqlite {
    folder: tempfile::TempDir,
}

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("gavel.db")
    }
}

impl Backend for Sqlite {
    async fn open(&self) -> std::sync::Arc<dyn gavel::store::Store> {
        std::sync::Arc::new(gavel::store::sqlite::SqliteStore::open(&self.path()).unwrap())
    }
}

mod sqlite_store {
    super::store::every_promise!(super::Sqlite::new());
}

mod memory_bus {
    use crate::contract::bus::Sides;

    super::bus::every_promise!(Sides::one(std::sync::Arc::new(gavel::bus::memory::MemoryBus::default())));
}
