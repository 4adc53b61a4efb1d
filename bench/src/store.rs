//! The stores that are measured.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use retell::backend::{Backend, StoreError};
use retell_memory::Memory;
use retell_sqlite::{Sqlite, Synchronous};
use tempfile::TempDir;

/// Which store to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// SQLite, each commit on disk before it is acknowledged.
    SqliteFull,
    /// SQLite, the last commits at risk at a power cut.
    SqliteNormal,
    /// Nothing on disk.
    Memory,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SqliteFull => "SQLite, synchronous=FULL",
            Self::SqliteNormal => "SQLite, synchronous=NORMAL",
            Self::Memory => "memory",
        })
    }
}

/// A fresh store of its kind. Its files are removed with it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) backend: Arc<dyn Backend>,
    sqlite: Option<Arc<Sqlite>>,
    _directory: Option<TempDir>,
}

impl Store {
    pub(crate) fn fresh(kind: StoreKind, below: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let synchronous = match kind {
            StoreKind::Memory => {
                return Ok(Self { backend: Arc::new(Memory::new()), sqlite: None, _directory: None });
            }
            StoreKind::SqliteFull => Synchronous::Full,
            StoreKind::SqliteNormal => Synchronous::Normal,
        };
        std::fs::create_dir_all(below)?;
        let directory = tempfile::tempdir_in(below)?;
        let sqlite = open(&directory.path().join("bench.db"), synchronous)?;
        Ok(Self { backend: sqlite.clone(), sqlite: Some(sqlite), _directory: Some(directory) })
    }

    /// How many transactions it has committed, if it counts them.
    pub(crate) fn commits(&self) -> Option<u64> {
        self.sqlite.as_ref().map(|sqlite| sqlite.commits())
    }
}

fn open(path: &Path, synchronous: Synchronous) -> Result<Arc<Sqlite>, StoreError> {
    Ok(Arc::new(Sqlite::options(path).synchronous(synchronous).open()?))
}
