//! What went wrong with a statement, by what is to be done about it.

use std::error::Error;
use std::sync::Arc;

use retell::backend::{StoreError, StoreErrorKind};

/// An error of a driver, sorted by its remedy.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What is to be done about it.
    pub kind: FaultKind,
    /// What the driver said.
    pub source: Arc<dyn Error + Send + Sync>,
}

/// Classes of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// A deadlock, a failed serialization, a wait that was too long: the transaction is done again at once.
    Conflict,
    /// A row of this key is there. If somebody else wrote it first, the transaction done again sees it.
    Duplicate,
    /// The connection is gone, and nobody knows how far its last statement came.
    Lost,
    /// The value can never be stored; others of the same transaction can.
    Data,
    /// What is stored does not read.
    Damaged,
    /// Anything that the caller of the store must hear of.
    Store(StoreErrorKind),
}

impl Fault {
    /// A fault with its cause.
    pub fn new(kind: FaultKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Arc::from(source.into()) }
    }

    /// Stored data that does not read.
    pub(crate) fn damaged(reason: String) -> Self {
        Self::new(FaultKind::Damaged, reason)
    }

    /// Whether the fault lies in what is written or read, so that other writes may go well.
    pub(crate) fn is_of_the_data(&self) -> bool {
        matches!(self.kind, FaultKind::Data | FaultKind::Damaged | FaultKind::Duplicate)
    }

    /// As the engine is told of it.
    #[must_use]
    pub fn during(self, operation: &str) -> StoreError {
        let kind = match self.kind {
            FaultKind::Conflict | FaultKind::Lost => StoreErrorKind::Unavailable,
            FaultKind::Data | FaultKind::Damaged | FaultKind::Duplicate => {
                StoreErrorKind::Damaged(self.source.to_string())
            }
            FaultKind::Store(kind) => kind,
        };
        StoreError { kind, operation: operation.to_owned(), source: Some(self.source) }
    }
}
