//! The user's own transactions on the store's file: rows and runs that become true together.
//!
//! They are the user's connections, not the store's: any open `rusqlite::Transaction` will do. One that [`Sqlite::begin`] has
//! begun stands in line with the store's own writes.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use retell::backend::{InTransaction, OpenTransaction, StoreError, StoreErrorKind};
use retell::write::{Outcome, Write};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::connection::{self, Role};
use crate::fault::{fault, file_fault};
use crate::lock::{Held, WriteLock};
use crate::{Sqlite, Synchronous, writer};

const APPLY: &str = "apply in a transaction";

/// A transaction on the store's file that has its turn among all who write: made by [`Sqlite::begin`].
///
/// It is a `rusqlite::Transaction` to all that reads and writes rows. Dropped without a commit, it is rolled back.
pub struct Transaction<'c> {
    // Rolled back before others may write.
    transaction: rusqlite::Transaction<'c>,
    _held: Held,
    store: &'c Sqlite,
}

impl Sqlite {
    /// Opens a connection to the store's file for the caller's own tables, set up as the store's own connections are:
    /// durable at each commit (unless the store was opened otherwise), and waiting for locks as long as they do.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn connection(&self) -> Result<Connection, StoreError> {
        connection::open(&self.options, Role::Writer)
    }

    /// Begins a transaction of the caller's own on the store's file: when the writes that are under way are done, and before
    /// those that come later, of this process and others.
    ///
    /// For `rusqlite` transactions at large, SQLite's own lock decides who is next, by chance and with pauses between tries;
    /// beside a store that is busy they may wait long, and those that begin by reading (`DEFERRED`) fail where somebody wrote
    /// in between. This one begins with the right to write. Let it be short, and wait for no call of the engine in it but
    /// those that are made inside it: the store cannot write meanwhile.
    ///
    /// # Errors
    /// [`StoreErrorKind::ForeignTransaction`] for a connection to another file, `Unavailable` if another program keeps the
    /// file locked.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    ///
    /// use retell::prelude::*;
    /// use retell_sqlite::Sqlite;
    ///
    /// #[retell::workflow]
    /// async fn ship(_cx: WorkflowContext, order: u64) -> WorkflowResult<String> {
    ///     Ok(format!("order {order} is on its way"))
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let store = Arc::new(Sqlite::open(folder.path().join("orders.db"))?);
    /// let engine = Orchestrator::new(store.clone()).workflow(ship).start().await?;
    /// let client = engine.client().clone();
    /// let run = tokio::task::spawn_blocking(move || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
    ///     let mut connection = store.connection()?;
    ///     connection.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)")?;
    ///     let mut tx = store.begin(&mut connection)?;
    ///     tx.execute("INSERT INTO orders (id, item) VALUES (42, 'tea')", [])?;
    ///     let run = retell::block_on(client.start(ship, "order-42", 42).in_transaction(&mut tx))?;
    ///     tx.commit()?;
    ///     Ok(run)
    /// });
    /// let run = run.await?.map_err(|error| error.to_string())?;
    /// assert_eq!(run.result().await?, "order 42 is on its way");
    /// # engine.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin<'c>(&'c self, connection: &'c mut Connection) -> Result<Transaction<'c>, StoreError> {
        const BEGIN: &str = "begin a transaction";
        self.check_file(connection, BEGIN)?;
        let lock = WriteLock::open(&self.options.path).map_err(|error| file_fault(BEGIN, error))?;
        let held = lock.hold().map_err(|error| file_fault(BEGIN, error))?;
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| fault(BEGIN, error))?;
        Ok(Transaction { transaction, _held: held, store: self })
    }

    /// Applies writes inside a transaction that the caller has open on a connection of their own to this file: they become
    /// true when it commits, and never were if it does not. Workers hear of them as of another process's commit.
    ///
    /// Blocks the thread as a statement does. A refusal leaves the transaction as it was.
    ///
    /// # Errors
    /// [`StoreErrorKind`] `ForeignTransaction` if the connection is to another file or has no transaction open, `Setting` if
    /// its commits are less durable than the store's, `Conflict` if the file is locked by another transaction or has changed
    /// since this one began to read: roll it back, and do all of it again.
    pub fn apply_in(&self, connection: &Connection, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        if connection.is_autocommit() {
            let reason = "no transaction is open on its connection".to_owned();
            return Err(StoreError::new(StoreErrorKind::ForeignTransaction(reason), APPLY));
        }
        self.check_file(connection, APPLY)?;
        self.check_durability(connection)?;
        writer::apply_in(connection, &self.time, batch).map_err(joined_fault)
    }

    /// Refuses what would commit elsewhere. A database that is attached commits apart from the main one in write-ahead mode.
    fn check_file(&self, connection: &Connection, operation: &str) -> Result<(), StoreError> {
        let theirs = connection.path().map(Path::new);
        let [own, their] = [Some(&*self.options.path), theirs].map(|path| path.and_then(real));
        if own.is_some() && own == their {
            return Ok(());
        }
        let reason = format!(
            "it is of {}, and the store is in {}; a database that is only attached does not commit with it",
            theirs.map_or_else(|| "no file".into(), Path::to_string_lossy),
            self.options.path.display(),
        );
        Err(StoreError::new(StoreErrorKind::ForeignTransaction(reason), operation))
    }

    /// Reads back what the promise of durability rests on (promise H14).
    fn check_durability(&self, connection: &Connection) -> Result<(), StoreError> {
        let found: i64 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .map_err(|error| fault(APPLY, error))?;
        if found >= 2 || (found == 1 && self.options.synchronous == Synchronous::Normal) {
            return Ok(());
        }
        let kind = StoreErrorKind::Setting {
            setting: "synchronous".to_owned(),
            found: found.to_string(),
            wanted: "2".to_owned(),
        };
        Err(StoreError::new(kind, APPLY))
    }
}

fn real(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// What goes wrong in a transaction that is the user's: a lock that did not come in the connection's own time, or cannot come
/// any more, is for the user to wait for.
fn joined_fault(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::new(StoreErrorKind::Conflict, APPLY).because(error)
        }
        _ => fault(APPLY, error),
    }
}

impl Transaction<'_> {
    /// Commits, gives the turn to the next, and has the store's workers look at once.
    ///
    /// # Errors
    /// [`StoreError`]; what can be done again whole is `Unavailable` or `Full`.
    pub fn commit(self) -> Result<(), StoreError> {
        let Self { transaction, _held: held, store } = self;
        commit(transaction)?;
        drop(held);
        store.look();
        Ok(())
    }
}

impl<'c> Deref for Transaction<'c> {
    type Target = rusqlite::Transaction<'c>;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("store", self.store).finish_non_exhaustive()
    }
}

/// Works when it is called: what it gives is ready, and holds nothing of the connection.
impl OpenTransaction<Sqlite> for rusqlite::Transaction<'_> {
    fn apply<'a>(&'a mut self, store: &'a Sqlite, batch: &'a [Write]) -> InTransaction<'a, Vec<Outcome>> {
        ready(store.apply_in(self, batch))
    }

    fn commit<'a>(self) -> InTransaction<'a, ()>
    where
        Self: 'a,
    {
        ready(commit(self))
    }
}

impl OpenTransaction<Sqlite> for Transaction<'_> {
    fn apply<'a>(&'a mut self, store: &'a Sqlite, batch: &'a [Write]) -> InTransaction<'a, Vec<Outcome>> {
        ready(store.apply_in(&self.transaction, batch))
    }

    fn commit<'a>(self) -> InTransaction<'a, ()>
    where
        Self: 'a,
    {
        ready(Transaction::commit(self))
    }
}

fn commit(transaction: rusqlite::Transaction<'_>) -> Result<(), StoreError> {
    transaction.commit().map_err(|error| fault("commit a transaction", error))
}

fn ready<'a, T: Send + 'a>(done: Result<T, StoreError>) -> InTransaction<'a, T> {
    Box::pin(std::future::ready(done))
}
