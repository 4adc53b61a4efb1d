//! What the driver's errors mean to the caller.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use retell::backend::{StoreError, StoreErrorKind};

/// Turns an error of the driver into a fault of the store.
pub(crate) fn fault(operation: &str, error: RedisError) -> StoreError {
    StoreError::new(kind(&error), operation).because(error)
}

fn kind(error: &RedisError) -> StoreErrorKind {
    match error.code() {
        // The server is at its `maxmemory`, or cannot write its append-only file.
        Some("OOM" | "MISCONF") => return StoreErrorKind::Full,
        Some("WRONGTYPE") => {
            return StoreErrorKind::NotAStore("keys under this prefix are of another program".to_owned());
        }
        _ => {}
    }
    // A script met what no script writes.
    if let Some(detail) = error.detail().filter(|detail| detail.contains("user_function:")) {
        return StoreErrorKind::Damaged(detail.to_owned());
    }
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::CrossSlot | ServerErrorKind::Moved) => {
            StoreErrorKind::NotAStore("a node of a cluster, which must be opened as a cluster".to_owned())
        }
        ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => {
            StoreErrorKind::NotAStore(error.to_string())
        }
        _ => StoreErrorKind::Unavailable,
    }
}

/// The fault of an answer that no script gives.
pub(crate) fn unreadable(operation: &str, what: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Damaged(what.into()), operation)
}
