//! The stores that are measured.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use retell::backend::{Backend, StoreError};
use retell_memory::Memory;
use retell_sqlite::{Sqlite, Synchronous};
use tempfile::TempDir;

use crate::Failure;
use crate::measure::{Counts, Tap};

/// Which store to measure. A server's needs an entry here, an arm in [`Store`] and a floor.
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

/// A fresh store of its kind behind a tap. Its files are removed with it.
#[derive(Debug)]
pub(crate) struct Store {
    kind: StoreKind,
    tap: Arc<Tap>,
    sqlite: Option<Arc<Sqlite>>,
    directory: Option<TempDir>,
}

impl Store {
    pub(crate) fn fresh(kind: StoreKind, below: &Path) -> Result<Self, Failure> {
        if kind == StoreKind::Memory {
            let tap = Arc::new(Tap::new(Arc::new(Memory::new())));
            return Ok(Self { kind, tap, sqlite: None, directory: None });
        }
        std::fs::create_dir_all(below)?;
        let directory = tempfile::tempdir_in(below)?;
        let sqlite = open(&directory.path().join(FILE), kind)?;
        let tap = Arc::new(Tap::new(sqlite.clone()));
        Ok(Self { kind, tap, sqlite: Some(sqlite), directory: Some(directory) })
    }

    /// Closes the store and opens it again, as the next process would. What is kept in memory stays.
    pub(crate) fn reopen(&mut self) -> Result<(), Failure> {
        if let Some(path) = self.file() {
            let counts = self.tap.counts();
            // The old handle goes first, with its threads.
            self.tap = Arc::new(Tap::new(Arc::new(Memory::new())));
            self.sqlite = None;
            let sqlite = open(&path, self.kind)?;
            self.tap = Arc::new(Tap::continuing(sqlite.clone(), counts));
            self.sqlite = Some(sqlite);
        }
        Ok(())
    }

    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        self.tap.clone()
    }

    /// The database file, if there is one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.path().join(FILE))
    }

    /// What the engine has asked of it since it was made.
    pub(crate) fn counts(&self) -> Counts {
        self.tap.counts()
    }

    /// How many transactions it has committed since it was opened, if it counts them.
    pub(crate) fn commits(&self) -> Option<u64> {
        self.sqlite.as_ref().map(|sqlite| sqlite.commits())
    }
}

const FILE: &str = "bench.db";

fn open(path: &Path, kind: StoreKind) -> Result<Arc<Sqlite>, StoreError> {
    let synchronous = match kind {
        StoreKind::SqliteNormal => Synchronous::Normal,
        StoreKind::SqliteFull | StoreKind::Memory => Synchronous::Full,
    };
    Ok(Arc::new(Sqlite::options(path).synchronous(synchronous).open()?))
}
