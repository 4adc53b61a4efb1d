//! Connections: values as MySQL takes and gives them, and what its errors mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use retell::backend::StoreErrorKind;
use retell_sql::{Cell, Fault, FaultKind, Param, Row, Session, Statement, Type};
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::{Arguments, AssertSqlSafe, Column, Executor, Row as _, TypeInfo, ValueRef};
use tokio::runtime::Handle;

/// A connection of a pool. One that is given up in the middle of a statement is closed, not given back.
pub(crate) struct Pooled {
    /// There until it is dropped.
    connection: Option<PoolConnection<sqlx::MySql>>,
    /// Where it is given back or closed, whatever thread drops it.
    runtime: Handle,
    /// Whether it is set up otherwise than the pool's: then it is closed in any case.
    is_own: bool,
    is_busy: bool,
    /// Counts the statements.
    statements: Arc<AtomicU64>,
}

/// The caller's connection, inside the caller's transaction.
pub(crate) struct Borrowed<'c>(pub(crate) &'c mut MySqlConnection);

impl Pooled {
    /// A connection as the pool has it.
    pub(crate) fn new(connection: PoolConnection<sqlx::MySql>, statements: Arc<AtomicU64>) -> Self {
        let (connection, runtime) = (Some(connection), Handle::current());
        Self { connection, runtime, is_own: false, is_busy: false, statements }
    }

    /// A connection that gets transactions and settings of the store's own.
    pub(crate) fn own(connection: PoolConnection<sqlx::MySql>, statements: Arc<AtomicU64>) -> Self {
        let mut own = Self::new(connection, statements);
        own.is_own = true;
        own
    }

    pub(crate) fn connection(&mut self) -> Result<&mut MySqlConnection, Fault> {
        let gone = || Fault::new(FaultKind::Lost, "the connection was given back");
        self.connection.as_deref_mut().ok_or_else(gone)
    }
}

impl Pooled {
    /// From here on it is in the middle of a statement.
    fn begin(&mut self) {
        self.is_busy = true;
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        if let Some(mut connection) = self.connection.take()
            && (self.is_own || self.is_busy)
        {
            connection.close_on_drop();
        }
    }
}

#[async_trait]
impl Session for Pooled {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, Fault> {
        self.begin();
        let rows = rows(self.connection()?, statement).await;
        self.is_busy = is_lost(&rows);
        rows
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, Fault> {
        self.begin();
        let changed = execute(self.connection()?, statement).await;
        self.is_busy = is_lost(&changed);
        changed
    }

    async fn script(&mut self, text: &str) -> Result<(), Fault> {
        self.begin();
        let done = script(self.connection()?, text).await;
        self.is_busy = is_lost(&done);
        done
    }
}

#[async_trait]
impl Session for Borrowed<'_> {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, Fault> {
        rows(self.0, statement).await
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, Fault> {
        execute(self.0, statement).await
    }

    async fn script(&mut self, text: &str) -> Result<(), Fault> {
        script(self.0, text).await
    }
}

fn is_lost<T>(done: &Result<T, Fault>) -> bool {
    done.as_ref().is_err_and(|fault| fault.kind == FaultKind::Lost)
}

async fn rows(connection: &mut MySqlConnection, statement: Statement) -> Result<Vec<Row>, Fault> {
    let query = sqlx::query_with(AssertSqlSafe(statement.text), arguments(&statement.params)?);
    let rows = connection.fetch_all(query).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

async fn execute(connection: &mut MySqlConnection, statement: Statement) -> Result<u64, Fault> {
    let query = sqlx::query_with(AssertSqlSafe(statement.text), arguments(&statement.params)?);
    let done = connection.execute(query).await.map_err(fault)?;
    Ok(done.rows_affected())
}

async fn script(connection: &mut MySqlConnection, text: &str) -> Result<(), Fault> {
    let script = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
    connection.execute(script).await.map(|_| ()).map_err(fault)
}

fn arguments(params: &[Param]) -> Result<MySqlArguments, Fault> {
    let mut arguments = MySqlArguments::default();
    for param in params {
        let added = match param {
            Param::One(Type::Int, Cell::Int(number)) => arguments.add(*number),
            Param::One(Type::Int, _) => arguments.add(None::<i64>),
            // IDs are stored as their bytes, and compared so.
            Param::One(Type::Text, Cell::Text(text)) => arguments.add(text.as_bytes()),
            Param::One(Type::Bytes, Cell::Bytes(bytes)) => arguments.add(&bytes[..]),
            Param::One(Type::Text | Type::Bytes, _) => arguments.add(None::<&[u8]>),
            Param::Many(..) => Err("MySQL has no arrays".into()),
        };
        added.map_err(|error| Fault::new(FaultKind::Data, error))?;
    }
    Ok(arguments)
}

fn read(row: &MySqlRow) -> Result<Row, Fault> {
    let cell = |column: &sqlx::mysql::MySqlColumn| {
        let index = column.ordinal();
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        // The type of the value: that of an expression is known only with it.
        let name = raw.type_info().name().to_owned();
        Ok(if name.contains("INT") || name == "BOOLEAN" {
            Cell::Int(row.try_get_unchecked(index)?)
        } else {
            Cell::Bytes(Bytes::from(row.try_get_unchecked::<Vec<u8>, _>(index)?))
        })
    };
    let cells: Result<Vec<Cell>, sqlx::Error> = row.columns().iter().map(cell).collect();
    cells.map(Row::new).map_err(fault)
}

/// What an error means, by its number.
pub(crate) fn fault(error: sqlx::Error) -> Fault {
    let kind = match &error {
        sqlx::Error::Database(database) => {
            let number = database.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
            match number.unwrap_or_default() {
                // A deadlock, a lock that did not come, a row that changed since it was read.
                // And what a script says where it finds other rows than it was written for.
                1_213 | 1_205 | 1_020 | 3_572 | 1_242 => FaultKind::Conflict,
                1_062 | 1_586 => FaultKind::Duplicate,
                1_021 | 1_041 | 1_114 => FaultKind::Store(StoreErrorKind::Full),
                // Too long, out of range, not of this type, larger than a packet may be.
                1_048 | 1_153 | 1_264 | 1_265 | 1_292 | 1_301 | 1_366 | 1_406 | 1_426 => FaultKind::Data,
                1_034 | 1_194 | 1_712 => FaultKind::Damaged,
                // The server ends or takes no writes any more: the connection is of no use.
                1_053 | 1_077 | 1_079 | 1_290 | 1_792 | 1_836 | 1_927 | 3_168 | 4_031 => FaultKind::Lost,
                _ => FaultKind::Store(StoreErrorKind::Unavailable),
            }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => FaultKind::Damaged,
        sqlx::Error::Encode(_) => FaultKind::Data,
        sqlx::Error::PoolTimedOut => {
            let reason =
                "no connection came in time: the server does not answer, or all that may be open are in use";
            return Fault::new(FaultKind::Store(StoreErrorKind::Unavailable), reason);
        }
        sqlx::Error::PoolClosed => FaultKind::Store(StoreErrorKind::Unavailable),
        _ => FaultKind::Lost,
    };
    Fault::new(kind, error)
}
