//! What SQLite's errors mean: a fault of the store, or of one write's data.

use retell::backend::{StoreError, StoreErrorKind};
use retell::write::Refusal;
use rusqlite::{Error, ErrorCode};

/// Why a write stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// One of its conditions does not hold; nothing of it is stored.
    Refused(Refusal),
    /// SQLite failed; something of it may stand in the open transaction.
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Whether the error lies in what is written or read, so that other writes may go well.
pub(crate) fn is_of_the_data(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::TooBig
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::DatabaseCorrupt
        ),
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..)
        | Error::NulError(..)
        | Error::InvalidColumnType(..)
        | Error::ToSqlConversionFailure(..) => true,
        _ => false,
    }
}

/// Turns an error of SQLite into a fault of the store.
pub(crate) fn fault(operation: &str, error: Error) -> StoreError {
    StoreError::new(kind(&error), operation).because(error)
}

/// Whether a lock of another connection is all that stood in the way.
pub(crate) fn is_locked(error: &StoreError) -> bool {
    let source = error.source.as_ref().and_then(|source| source.downcast_ref::<Error>());
    matches!(
        source.and_then(Error::sqlite_error_code),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// A fault of a file beside the database.
pub(crate) fn file_fault(operation: &str, error: std::io::Error) -> StoreError {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::new(kind, operation).because(error)
}

fn kind(error: &Error) -> StoreErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
        Some(ErrorCode::NotADatabase) => {
            StoreErrorKind::NotAStore("the file is no SQLite database".to_owned())
        }
        Some(ErrorCode::DatabaseCorrupt) => StoreErrorKind::Damaged(error.to_string()),
        None if is_of_the_data(error) => StoreErrorKind::Damaged(error.to_string()),
        _ => StoreErrorKind::Unavailable,
    }
}
