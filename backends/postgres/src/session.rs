//! Connections: values as PostgreSQL takes and gives them, and what its errors mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use retell::backend::StoreErrorKind;
use retell_sql::{Cell, Fault, FaultKind, Param, Row, Session, Statement, Type};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Column, Executor, Row as _, TypeInfo, ValueRef};
use tokio::runtime::Handle;

/// A connection of a pool. One that is given up in the middle of a statement is closed, not given back.
pub(crate) struct Pooled {
    /// There until it is dropped.
    connection: Option<PoolConnection<sqlx::Postgres>>,
    /// Where it is given back or closed, whatever thread drops it.
    runtime: Handle,
    /// Whether it is set up otherwise than the pool's: then it is closed in any case.
    is_own: bool,
    is_busy: bool,
    /// Counts the statements.
    statements: Arc<AtomicU64>,
}

/// The caller's connection, inside the caller's transaction.
pub(crate) struct Borrowed<'c>(pub(crate) &'c mut PgConnection);

impl Pooled {
    /// A connection as the pool has it.
    pub(crate) fn new(connection: PoolConnection<sqlx::Postgres>, statements: Arc<AtomicU64>) -> Self {
        let (connection, runtime) = (Some(connection), Handle::current());
        Self { connection, runtime, is_own: false, is_busy: false, statements }
    }

    /// A connection that gets transactions and settings of the store's own.
    pub(crate) fn own(connection: PoolConnection<sqlx::Postgres>, statements: Arc<AtomicU64>) -> Self {
        let mut own = Self::new(connection, statements);
        own.is_own = true;
        own
    }

    fn connection(&mut self) -> Result<&mut PgConnection, Fault> {
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

async fn rows(connection: &mut PgConnection, statement: Statement) -> Result<Vec<Row>, Fault> {
    let query = sqlx::query_with(AssertSqlSafe(statement.text), arguments(&statement.params)?);
    let rows = connection.fetch_all(query).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

async fn execute(connection: &mut PgConnection, statement: Statement) -> Result<u64, Fault> {
    let query = sqlx::query_with(AssertSqlSafe(statement.text), arguments(&statement.params)?);
    let done = connection.execute(query).await.map_err(fault)?;
    Ok(done.rows_affected())
}

async fn script(connection: &mut PgConnection, text: &str) -> Result<(), Fault> {
    let script = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
    connection.execute(script).await.map(|_| ()).map_err(fault)
}

fn arguments(params: &[Param]) -> Result<PgArguments, Fault> {
    let mut arguments = PgArguments::default();
    for param in params {
        let added = match param {
            Param::One(Type::Int, cell) => arguments.add(int(cell)),
            Param::One(Type::Text, cell) => arguments.add(text(cell)),
            Param::One(Type::Bytes, cell) => arguments.add(bytes(cell)),
            Param::Many(Type::Int, cells) => arguments.add(cells.iter().map(int).collect::<Vec<_>>()),
            Param::Many(Type::Text, cells) => arguments.add(cells.iter().map(text).collect::<Vec<_>>()),
            Param::Many(Type::Bytes, cells) => arguments.add(cells.iter().map(bytes).collect::<Vec<_>>()),
        };
        added.map_err(|error| Fault::new(FaultKind::Data, error))?;
    }
    Ok(arguments)
}

fn int(cell: &Cell) -> Option<i64> {
    if let Cell::Int(number) = cell { Some(*number) } else { None }
}

fn text(cell: &Cell) -> Option<&str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

fn bytes(cell: &Cell) -> Option<&[u8]> {
    if let Cell::Bytes(bytes) = cell { Some(bytes) } else { None }
}

fn read(row: &PgRow) -> Result<Row, Fault> {
    let cell = |column: &sqlx::postgres::PgColumn| {
        let index = column.ordinal();
        if row.try_get_raw(index)?.is_null() {
            return Ok(Cell::Null);
        }
        Ok(match column.type_info().name() {
            "INT8" => Cell::Int(row.try_get(index)?),
            "INT4" => Cell::Int(row.try_get::<i32, _>(index)?.into()),
            "INT2" => Cell::Int(row.try_get::<i16, _>(index)?.into()),
            "BYTEA" => Cell::Bytes(Bytes::from(row.try_get::<Vec<u8>, _>(index)?)),
            "VOID" => Cell::Null,
            _ => Cell::Text(row.try_get(index)?),
        })
    };
    let cells: Result<Vec<Cell>, sqlx::Error> = row.columns().iter().map(cell).collect();
    cells.map(Row::new).map_err(fault)
}

/// What an error means, by its class in PostgreSQL's list of error codes.
pub(crate) fn fault(error: sqlx::Error) -> Fault {
    let kind = match &error {
        sqlx::Error::Database(database) => match database.code().as_deref().unwrap_or_default() {
            // Serialization, deadlock, a lock that did not come.
            "40001" | "40P01" | "55P03" => FaultKind::Conflict,
            "23505" => FaultKind::Duplicate,
            "53100" | "53400" => FaultKind::Store(StoreErrorKind::Full),
            "XX001" | "XX002" => FaultKind::Damaged,
            code if code.starts_with("22") || code.starts_with("23") || code.starts_with("54") => {
                FaultKind::Data
            }
            // The server ends, was ended, or is not up yet: the connection is of no use.
            code if code.starts_with("57P") || code.starts_with("08") => FaultKind::Lost,
            _ => FaultKind::Store(StoreErrorKind::Unavailable),
        },
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
