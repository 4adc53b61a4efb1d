//! The stores that are measured.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use retell::backend::{Backend, StoreError};
use retell_memory::Memory;
use retell_mysql::MySql;
use retell_postgres::Postgres;
use retell_redis::Redis;
use retell_servers::Kind;
use retell_sqlite::{Sqlite, Synchronous};
use tempfile::TempDir;

use crate::Failure;
use crate::measure::{Counts, Tap};
use crate::place::Place;

/// Which store to measure. Another one needs an entry here, an arm in [`Opened`] and a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// SQLite, each commit on disk before it is acknowledged.
    SqliteFull,
    /// SQLite, the last commits at risk at a power cut.
    SqliteNormal,
    /// Nothing on disk.
    Memory,
    /// PostgreSQL.
    Postgres,
    /// MariaDB, or MySQL at a URL.
    MySql,
    /// Redis, in one partition.
    Redis,
}

impl StoreKind {
    /// All that there are.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::SqliteFull, Self::SqliteNormal, Self::Memory, Self::Postgres, Self::MySql, Self::Redis];
    /// Those that need no server.
    pub(crate) const EMBEDDED: [Self; 3] = [Self::SqliteFull, Self::SqliteNormal, Self::Memory];

    /// What must serve it.
    pub(crate) fn server(self) -> Option<Kind> {
        match self {
            Self::SqliteFull | Self::SqliteNormal | Self::Memory => None,
            Self::Postgres => Some(Kind::Postgres),
            Self::MySql => Some(Kind::Mariadb),
            Self::Redis => Some(Kind::Redis),
        }
    }
}

/// Of stores on servers, the name alone: [`Place::label`] knows more.
impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SqliteFull => "SQLite, synchronous=FULL",
            Self::SqliteNormal => "SQLite, synchronous=NORMAL",
            Self::Memory => "memory",
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MariaDB",
            Self::Redis => "Redis",
        })
    }
}

/// A fresh store of its kind behind a tap. Its files are removed with it; a server's database goes with the server.
#[derive(Debug)]
pub(crate) struct Store {
    kind: StoreKind,
    place: Arc<Place>,
    tap: Arc<Tap>,
    opened: Opened,
    /// Of a store on a server.
    url: String,
    directory: Option<TempDir>,
}

/// A store by its own type, which counts what the seam does not show.
#[derive(Debug, Clone)]
enum Opened {
    Memory,
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
    MySql(Arc<MySql>),
    Redis(Arc<Redis>),
}

/// What a store did, as far as it counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Transactions committed since the store was opened.
    pub(crate) commits: Option<u64>,
    /// Statements or scripts that were sent to a server and answered, each a round trip.
    pub(crate) round_trips: Option<u64>,
    /// The processor time of the server, if it is of this session.
    pub(crate) server_cpu: Option<Duration>,
}

impl Store {
    pub(crate) async fn fresh(kind: StoreKind, place: &Arc<Place>) -> Result<Self, Failure> {
        let (mut directory, mut url) = (None, String::new());
        match kind {
            StoreKind::Memory => {}
            StoreKind::SqliteFull | StoreKind::SqliteNormal => {
                std::fs::create_dir_all(&place.directory)?;
                directory = Some(tempfile::tempdir_in(&place.directory)?);
            }
            StoreKind::Postgres | StoreKind::MySql | StoreKind::Redis => url = place.fresh_database()?,
        }
        let file = directory.as_ref().map(|directory| directory.path().join(FILE));
        let (opened, backend) = open(kind, file.as_deref(), &url).await?;
        Ok(Self { kind, place: place.clone(), tap: Arc::new(Tap::new(backend)), opened, url, directory })
    }

    /// Closes the store and opens it again, as the next process would. What is kept in memory stays.
    pub(crate) async fn reopen(&mut self) -> Result<(), Failure> {
        if self.kind == StoreKind::Memory {
            return Ok(());
        }
        let counts = self.tap.counts();
        // The old handle goes first, with its threads.
        self.tap = Arc::new(Tap::new(Arc::new(Memory::new())));
        self.opened = Opened::Memory;
        let (opened, backend) = open(self.kind, self.file().as_deref(), &self.url).await?;
        self.tap = Arc::new(Tap::continuing(backend, counts));
        self.opened = opened;
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

    /// What it has done since it was opened.
    pub(crate) fn traffic(&self) -> Traffic {
        let (commits, round_trips) = match &self.opened {
            Opened::Memory => (None, None),
            Opened::Sqlite(sqlite) => (Some(sqlite.commits()), None),
            Opened::Postgres(postgres) => (Some(postgres.commits()), Some(postgres.statements())),
            Opened::MySql(mysql) => (Some(mysql.commits()), Some(mysql.statements())),
            // What arrives together shares a sync, and only the server knows how much that was.
            Opened::Redis(redis) => (None, Some(redis.requests())),
        };
        Traffic { commits, round_trips, server_cpu: self.place.server_cpu() }
    }
}

impl Traffic {
    /// What came since.
    pub(crate) fn since(self, before: Self) -> Self {
        let more = |now: Option<u64>, then: Option<u64>| now.zip(then).map(|(now, then)| now - then);
        Self {
            commits: more(self.commits, before.commits),
            round_trips: more(self.round_trips, before.round_trips),
            server_cpu: self.server_cpu.zip(before.server_cpu).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

const FILE: &str = "bench.db";

async fn open(
    kind: StoreKind,
    file: Option<&Path>,
    url: &str,
) -> Result<(Opened, Arc<dyn Backend>), StoreError> {
    let path = file.unwrap_or(Path::new(FILE));
    Ok(match kind {
        StoreKind::Memory => (Opened::Memory, Arc::new(Memory::new())),
        StoreKind::SqliteFull => {
            both(Opened::Sqlite, Sqlite::options(path).synchronous(Synchronous::Full).open()?)
        }
        StoreKind::SqliteNormal => {
            both(Opened::Sqlite, Sqlite::options(path).synchronous(Synchronous::Normal).open()?)
        }
        StoreKind::Postgres => both(Opened::Postgres, Postgres::connect(url).await?),
        StoreKind::MySql => both(Opened::MySql, MySql::connect(url).await?),
        StoreKind::Redis => both(Opened::Redis, Redis::open(url).await?),
    })
}

fn both<B: Backend>(opened: fn(Arc<B>) -> Opened, store: B) -> (Opened, Arc<dyn Backend>) {
    let store = Arc::new(store);
    (opened(store.clone()), store)
}
