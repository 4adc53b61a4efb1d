//! How a database is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use retell::backend::StoreError;
use retell::clock::Clock;

use crate::Sqlite;
use crate::time::Source;

/// When a commit counts as durable (promise H7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Each commit is on disk before it is acknowledged.
    #[default]
    Full,
    /// The disk is waited for at checkpoints only. A power cut or a crash of the operating system can take back the
    /// last acknowledged commits, whole and in order; the end of the process alone takes back nothing.
    Normal,
}

/// How to open a database: made by [`Sqlite::options`].
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) path: PathBuf,
    pub(crate) synchronous: Synchronous,
    pub(crate) source: Source,
    pub(crate) page_size: u32,
    pub(crate) pages_max: Option<u32>,
    pub(crate) readers: usize,
    pub(crate) busy_wait: Duration,
    pub(crate) vfs: Option<String>,
    pub(crate) among_others: bool,
}

impl Options {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            synchronous: Synchronous::Full,
            source: Source::System,
            page_size: 4_096,
            pages_max: None,
            readers: 2,
            busy_wait: Duration::from_secs(10),
            vfs: None,
            among_others: false,
        }
    }

    /// Chooses when a commit counts as durable. [`Synchronous::Full`] unless said otherwise.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Takes time from this clock, leases included: all that open the file must share it. For tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.source = Source::Injected(clock);
        self
    }

    /// The page size of a database that does not exist yet: a power of two from 512 to 65,536; 4,096 unless said
    /// otherwise.
    #[must_use]
    pub fn page_size(mut self, bytes: u32) -> Self {
        self.page_size = bytes;
        self
    }

    /// A quota: the most pages that the database may grow to. Beyond it writes get
    /// [`Full`](retell::backend::StoreErrorKind::Full), and nothing is lost.
    #[must_use]
    pub fn pages_max(mut self, pages: u32) -> Self {
        self.pages_max = Some(pages);
        self
    }

    /// How many threads read beside the one that writes, at least 1; 2 unless said otherwise.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// How long to wait for a lock that another program holds on the file before calls get
    /// [`Unavailable`](retell::backend::StoreErrorKind::Unavailable); 10 s unless said otherwise. Retell's own
    /// processes queue on a lock of theirs and never meet this one.
    #[must_use]
    pub fn busy_wait(mut self, wait: Duration) -> Self {
        self.busy_wait = wait;
        self
    }

    /// Opens the file through an SQLite VFS that the program has registered under this name.
    #[must_use]
    pub fn vfs(mut self, name: impl Into<String>) -> Self {
        self.vfs = Some(name.into());
        self
    }

    /// Makes the store's tables among those of other code, in a database that may be there already: yours, whose rows and
    /// runs then commit together ([`Sqlite::begin`]). Without it, a database with tables of others is refused.
    ///
    /// `application_id` and `user_version` stay yours, for a migration tool that keeps its version there. The database gets a
    /// write-ahead log for good. The names of the store's tables (`runs`, `records`, `inbox`, `activities`, `workers`,
    /// `removed`, `requests`, `answers`, `attributes`, `namespaces`, `ages`, `workflow_kinds`, `activity_kinds`,
    /// `retell_versions`) must be free.
    #[must_use]
    pub fn among_other_tables(mut self) -> Self {
        self.among_others = true;
        self
    }

    /// Opens the database, or makes it.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open(self) -> Result<Sqlite, StoreError> {
        Sqlite::start(&self)
    }
}
