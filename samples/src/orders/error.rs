//! What can go wrong with the whole program.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use retell::StartupError;
use retell::backend::StoreError;
use retell::client::{ReadError, ResultError, SendError, StartError};
use retell::vocabulary::InvalidId;

use super::ledger::LedgerError;

/// Why orders could not be run or checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrdersError {
    /// The orders could not be read.
    #[error("cannot read orders from {}", path.display())]
    Input {
        /// Where from.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger or the acknowledgements could not be opened or written.
    #[error(transparent)]
    Ledger(Arc<LedgerError>),
    /// The store could not be opened.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// The engine could not start.
    #[error(transparent)]
    Startup(#[from] StartupError),
    /// An order could not be started.
    #[error("cannot start an order")]
    Start(#[from] StartError),
    /// A confirmation could not be sent.
    #[error("cannot confirm an order")]
    Send(#[from] SendError),
    /// Runs could not be read.
    #[error("cannot read what became of the orders")]
    Read(#[from] ReadError),
    /// The result of a run is not an order's.
    #[error("cannot read how an order ended")]
    Result(#[from] ResultError),
    /// An order's ID is none that a store could keep.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// There is nothing to check in a store that forgets.
    #[error("a store in memory leaves nothing behind to check")]
    NothingLeft,
    /// The async runtime did not start.
    #[error("the async runtime did not start")]
    Runtime(#[source] io::Error),
}

impl From<LedgerError> for OrdersError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(Arc::new(error))
    }
}

impl From<Arc<LedgerError>> for OrdersError {
    fn from(error: Arc<LedgerError>) -> Self {
        Self::Ledger(error)
    }
}
