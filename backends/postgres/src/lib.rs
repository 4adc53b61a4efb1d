//! The PostgreSQL store of Retell: durable workflows in the database that you already run.
//!
//! What it has in common with other SQL stores is `retell-sql`; here are its schema, its way to write statements, its
//! connections and its errors. Imports the seam and `retell-sql`, and nothing above.

mod dialect;
mod driver;
mod options;
mod session;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use retell::backend::{
    AnswerKey, Answered, Backend, Claim, Claimed, Interest, ListRequest, Mark, Page, QueuedActivity, Renewal,
    Renewed, RunInfo, StoreError, StoreStats,
};
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunKey, Timestamp};
use retell::write::{Batch, Outcome, Target, Write};
use retell_sql::Store;
use sqlx::{PgConnection, PgPool};

pub use options::{Options, Weaker};

use crate::driver::PgDriver;
use crate::session::Borrowed;

/// A store in a schema of a PostgreSQL database: the first of the connection's `search_path`.
///
/// Dropping it waits for nothing: what is being written comes to its end, or is undone by the server.
#[derive(Debug)]
pub struct Postgres(Store<PgDriver>);

impl Postgres {
    /// Opens the store at this URL with the defaults of [`Options`], on a pool of its own; makes its tables if there are
    /// none. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`StoreErrorKind`](retell::backend::StoreErrorKind) `Setting` if the server does not make commits durable, `Newer`
    /// for the tables of a newer program, `NotAStore` for those of another, and `Unavailable`.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Opens the store on a pool of the caller's, with the defaults of [`Options`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn with_pool(pool: PgPool) -> Result<Self, StoreError> {
        Self::options().with_pool(pool).await
    }

    /// Ways to open a store otherwise than by the defaults.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    /// Applies writes inside the caller's own transaction: they become true when it commits, and never were if it does
    /// not. Workers hear of them as of another process's commit.
    ///
    /// For starts, and messages to runs, beside the caller's own rows. The transaction must be `READ COMMITTED`; it keeps
    /// the rows of the workflow IDs and runs that the batch names locked until its end, so let it be short, and let
    /// several such calls in one transaction name workflow IDs in ascending order, or expect deadlocks.
    ///
    /// # Errors
    /// [`StoreError`] for any fault of the server, after which the transaction is of no use; what a write's conditions
    /// refuse is an [`Outcome`].
    pub async fn apply_in(
        &self,
        transaction: &mut PgConnection,
        batch: &[Write],
    ) -> Result<Vec<Outcome>, StoreError> {
        self.0.apply_in(&mut Borrowed(transaction), batch).await
    }

    /// How many transactions of writes this handle has committed. A figure for measurements: batches that wait together
    /// share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.commits()
    }

    /// How many statements this handle has given the server, each a round trip. A figure for measurements.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.0.driver().statements.load(Ordering::Relaxed)
    }

    async fn start(options: Options, pool: PgPool) -> Result<Self, StoreError> {
        let driver = PgDriver { pool, weaker: options.weaker, statements: Arc::default() };
        Store::open(driver, options.settings).await.map(Self)
    }
}

#[async_trait]
impl Backend for Postgres {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        self.0.apply(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.0.claim(claim).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        self.0.renew(renewal).await
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.0.history(run, after, bytes_max).await
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        self.0.describe(targets).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        self.0.list(request).await
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        self.0.queued(run).await
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        self.0.answers(asked).await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        self.0.stats(namespace).await
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        self.0.closed_before(namespace, before, max).await
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        self.0.changed(interest, seen).await
    }
}
