//! One connection, as the shared code sees it: statements in, rows out.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::dialect::{Dialect, Statement};
use crate::fault::Fault;
use crate::value::Row;

/// A connection that takes one statement at a time. Dropping a call in its middle makes the connection unusable.
#[async_trait]
pub trait Session: Send {
    /// Runs a statement and answers its rows.
    async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, Fault>;

    /// Runs a statement for what it changes; answers how many rows its condition found, be they changed or
    /// not.
    async fn execute(&mut self, statement: Statement) -> Result<u64, Fault>;

    /// Runs statements without parameters, as `BEGIN` or those of a schema; nothing is prepared.
    async fn script(&mut self, text: &str) -> Result<(), Fault>;
}

/// Where connections come from.
#[async_trait]
pub trait Driver: Debug + Send + Sync + 'static {
    /// A connection, given back when it is dropped.
    type Session: Session + 'static;

    /// How statements are written for it.
    fn dialect(&self) -> &'static dyn Dialect;

    /// A connection for writing: the settings on which promises rest have been read back on it (promise H14).
    async fn writer(&self) -> Result<Self::Session, Fault>;

    /// A connection for looking what others do, to a server that takes writes. It holds locks: closed when it is dropped,
    /// not given back.
    async fn watcher(&self) -> Result<Self::Session, Fault>;

    /// A connection for reading.
    async fn reader(&self) -> Result<Self::Session, Fault>;

    /// Refuses a transaction of the user's own whose commits are less durable than the store's
    /// ([`Dialect::whereabouts`]).
    fn check_durability(&self, found: &str) -> Result<(), Fault> {
        let _ = found;
        Ok(())
    }
}
