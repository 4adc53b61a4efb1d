//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use retell::backend::StoreError;
use retell::clock::Clock;
use retell_sql::{Settings, Source};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::Postgres;
use crate::session::fault;

/// A setting that is weaker than the promises need, and that the user puts up with by name (promise H14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Weaker {
    /// `synchronous_commit = off`: a crash of the server takes back the last acknowledged commits, whole and in order.
    SynchronousCommitOff,
    /// `fsync = off`: a power cut or a crash of the operating system can destroy the whole database.
    FsyncOff,
    /// `full_page_writes = off`: a power cut can destroy pages that were being written.
    FullPageWritesOff,
}

/// How long a server may take to answer who connects, and how long a connection of the pool is waited for.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
/// How many statements a connection of the store's own pool keeps prepared: more than there are texts in use.
const STATEMENTS_PREPARED: usize = 500;

/// How to open a store: made by [`Postgres::options`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) settings: Settings,
    pub(crate) weaker: Vec<Weaker>,
    pub(crate) connections_max: Option<u32>,
}

impl Options {
    /// How many batches are committed side by side, each on a connection that is kept; at least 1. Unless said otherwise
    /// one for each core of this machine, but 2 to 4. While one batch is committed, what comes for its lane gathers for
    /// the next.
    #[must_use]
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.settings.lanes = lanes.max(1);
        self
    }

    /// Puts up with a setting that can lose what was acknowledged.
    #[must_use]
    pub fn accept(mut self, weaker: Weaker) -> Self {
        self.weaker.push(weaker);
        self
    }

    /// Takes time from this clock, leases included: all that open the schema must share it. For tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.source = Source::Injected(clock);
        self
    }

    /// The most connections of the store's own pool: the lanes', up to three for claims, leases and looking for changes,
    /// and the rest for reads. 16 more than there are lanes unless said otherwise.
    #[must_use]
    pub fn connections_max(mut self, connections: u32) -> Self {
        self.connections_max = Some(connections);
        self
    }

    /// Opens the store at this URL, on a pool of its own; makes its tables if there are none.
    ///
    /// # Errors
    /// As [`Postgres::connect`].
    pub async fn connect(self, url: &str) -> Result<Postgres, StoreError> {
        let failed = |error: sqlx::Error| fault(error).during("connect to PostgreSQL");
        let server: PgConnectOptions = url.parse().map_err(failed)?;
        let server = server.statement_cache_capacity(STATEMENTS_PREPARED);
        // A pool would try for long, and then not say why it could not.
        let reached = timeout(CONNECTED_WITHIN, PgConnection::connect_with(&server)).await;
        reached.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)?.close().await.map_err(failed)?;
        let lanes = u32::try_from(self.settings.lanes).unwrap_or(u32::MAX);
        let connections = self.connections_max.unwrap_or(lanes.saturating_add(16));
        let pool = PgPoolOptions::new()
            .acquire_timeout(CONNECTED_WITHIN)
            .max_connections(connections.max(lanes.saturating_add(4)))
            // Each statement tells soon enough that its connection is gone.
            .test_before_acquire(false)
            .connect_lazy_with(server);
        self.with_pool(pool).await
    }

    /// Opens the store on a pool of the caller's, of which it keeps a connection for each lane and three more.
    ///
    /// # Errors
    /// As [`Postgres::connect`].
    pub async fn with_pool(self, pool: PgPool) -> Result<Postgres, StoreError> {
        Postgres::start(self, pool).await
    }
}
