//! A store's own faults. None of them is ever the outcome of a run or of an activity.

use std::error::Error;
use std::sync::Arc;

/// A store's fault: its class, what was being done, and what the driver said.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct StoreError {
    /// What the caller can do about it.
    pub kind: StoreErrorKind,
    /// What was being done, as in `open orders.db`.
    pub operation: String,
    /// The driver's error.
    #[source]
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

/// Classes of a store's faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Passing: busy, disconnected, timed out. Try again.
    #[error("the store is unavailable; trying again is safe")]
    Unavailable,
    /// The disk or the quota is full. Make room; then trying again is safe.
    #[error("the store is full; make room, then trying again is safe")]
    Full,
    /// What was opened is no Retell store, or belongs to another program.
    #[error("this is not a Retell store: {0}")]
    NotAStore(String),
    /// The schema is newer than this program.
    #[error("the store has schema version {found}, this program knows {known}; update this program")]
    Newer {
        /// What the store has.
        found: u32,
        /// What this program knows.
        known: u32,
    },
    /// A setting on which a promise rests is not in force (promise H14).
    #[error(
        "setting {setting} is {found:?}, but {wanted:?} is needed; change it, or choose the weaker one by name"
    )]
    Setting {
        /// Its name.
        setting: String,
        /// What is in force.
        found: String,
        /// What is needed.
        wanted: String,
    },
    /// Stored bytes are damaged.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The worker's lease is over: take a new worker ID.
    #[error("the worker's lease is over")]
    LeaseLost,
    /// The user's transaction is none of this store's database, or is not open: begin it there.
    #[error("the transaction is none of this store's: {0}")]
    ForeignTransaction(String),
    /// The user's transaction met another one: a deadlock, or a serialization that failed. Roll it back, and do all of it
    /// again.
    #[error("the transaction met another one; roll it back, and do all of it again")]
    Conflict,
    /// The store was closed by this program.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A fault without a driver's error beneath it.
    #[must_use]
    pub fn new(kind: StoreErrorKind, operation: impl Into<String>) -> Self {
        Self { kind, operation: operation.into(), source: None }
    }

    /// Puts the driver's error beneath it.
    #[must_use]
    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}
