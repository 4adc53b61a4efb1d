//! The MySQL and MariaDB store of Retell: durable workflows in the database that you already run.
//!
//! What it has in common with other SQL stores is `retell-sql`; here are its schema, its way to write statements, its
//! connections and its errors. Imports the seam and `retell-sql`, and nothing above.

mod dialect;
mod driver;
mod options;
mod script;
mod session;
mod transaction;

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
use sqlx::MySqlPool;

pub use options::{Options, Weaker};
/// The driver that the store is built on: its pools and transactions are those that a store can share.
pub use sqlx;

use crate::driver::MySqlDriver;
use crate::session::Borrowed;

/// A store in a database of a MySQL or MariaDB server: the one that the URL names.
///
/// Dropping it waits for nothing: what is being written comes to its end, or is undone by the server.
///
/// # Examples
/// Rows and runs in one transaction, and an activity that changes rows exactly once (the guide's page
/// [`transactions`](retell::guide::transactions)):
/// ```no_run
/// use std::sync::Arc;
///
/// use retell::prelude::*;
/// use retell_mysql::MySql;
/// use retell_mysql::sqlx::{self, MySqlPool};
///
/// #[retell::activity(transactional)]
/// async fn reserve(cx: ActivityContext, order: i64) -> Result<i32, ActivityError> {
///     let mut tx = cx.state::<MySqlPool>()?.begin().await?;
///     sqlx::query("UPDATE stock SET kept = kept - 1").execute(&mut *tx).await?;
///     let left: i32 = sqlx::query_scalar("SELECT kept FROM stock").fetch_one(&mut *tx).await?;
///     sqlx::query("INSERT INTO reserved (ordered) VALUES (?)").bind(order).execute(&mut *tx).await?;
///     cx.commit(tx, left).await
/// }
///
/// #[retell::workflow]
/// async fn fulfil(cx: WorkflowContext, order: i64) -> WorkflowResult<i32> {
///     cx.signal::<()>("paid").await?;
///     Ok(cx.activity(reserve, &order).await?)
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = MySqlPool::connect("mysql://app@db/app").await?;
/// let store = MySql::with_pool(pool.clone()).await?;
/// let engine = Orchestrator::new(store).state(pool.clone()).workflow(fulfil).activity(reserve).start().await?;
///
/// let mut tx = pool.begin().await?;
/// sqlx::query("INSERT INTO orders (id) VALUES (42)").execute(&mut *tx).await?;
/// let run = engine.start(fulfil, "order-42", 42).in_transaction(&mut tx).await?;
/// run.in_transaction(&mut tx).signal("paid", &()).await?;
/// tx.commit().await?;
/// println!("{} are left", run.result().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MySql(Store<MySqlDriver>);

impl MySql {
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
    pub async fn with_pool(pool: MySqlPool) -> Result<Self, StoreError> {
        Self::options().with_pool(pool).await
    }

    /// Ways to open a store otherwise than by the defaults.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    /// Applies writes inside the caller's own transaction: they become true when it commits, and never were if it does not.
    /// Workers hear of them as of another process's commit.
    ///
    /// What [`StartCall::in_transaction`](retell::client::StartCall::in_transaction) and its like are made of. The caller's
    /// connection may mean another schema by its unqualified names, as long as it is to the same server. The transaction keeps
    /// the rows of the workflow IDs and runs that the batch names locked until its end, so let it be short, and let several
    /// such calls in one transaction name workflow IDs in ascending order, or expect deadlocks. It is written for `READ COMMITTED`; under `REPEATABLE READ`, the server's default, a request that was sent twice at
    /// once may be refused (`IdTaken`, `Conflict`) instead of being known again: done again, it is.
    ///
    /// # Errors
    /// [`StoreError`] for any fault, after which the transaction is to be rolled back:
    /// [`StoreErrorKind`](retell::backend::StoreErrorKind) `ForeignTransaction` if it is not on the store's server,
    /// `Conflict` for a deadlock or a failed serialization. What a write's conditions refuse is an
    /// [`Outcome`].
    pub async fn apply_in(
        &self,
        transaction: &mut sqlx::Transaction<'_, sqlx::MySql>,
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

    async fn start(options: Options, pool: MySqlPool) -> Result<Self, StoreError> {
        let driver = MySqlDriver { pool, weaker: options.weaker, statements: Arc::default() };
        Store::open(driver, options.settings).await.map(Self)
    }
}

#[async_trait]
impl Backend for MySql {
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

    fn nudge(&self) {
        self.0.nudge();
    }
}
