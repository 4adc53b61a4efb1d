//! The user's own transaction: what the engine must be able to do in it.
//!
//! The engine knows neither drivers nor their transactions: it finds the store by the type that the transaction's
//! implementation names, and hands it the writes.

use std::pin::Pin;

use super::{Backend, StoreError};
use crate::write::{Outcome, Write};

/// What a store does in a transaction, under way.
pub type InTransaction<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A transaction that the user has open, in the database that holds a store of the type `S`.
///
/// The crates of the stores implement it for the transactions of the driver that they are built on:
/// `sqlx::Transaction`, `rusqlite::Transaction`. Taken by
/// [`StartCall::in_transaction`](crate::client::StartCall::in_transaction),
/// [`RunHandle::in_transaction`](crate::client::RunHandle::in_transaction) and
/// [`ActivityContext::commit`](crate::activity::ActivityContext::commit).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an open transaction of a store",
    label = "not a transaction",
    note = "pass `&mut transaction`: a `sqlx::Transaction` on PostgreSQL and MySQL, a `rusqlite::Transaction` on SQLite, \
            of the very versions that the crate of the store is built on"
)]
pub trait OpenTransaction<S: Backend> {
    /// Applies writes in order inside the transaction, as [`Backend::apply`] does in one of its own: they become true when
    /// it commits, and never were if it does not.
    ///
    /// A refusal leaves the transaction as it was. Not cancel safe: a transaction whose call was dropped in its middle is
    /// to be rolled back.
    ///
    /// # Errors
    /// [`ForeignTransaction`](super::StoreErrorKind::ForeignTransaction) if it is none of this store's database,
    /// [`Conflict`](super::StoreErrorKind::Conflict) if it met another transaction, and any other fault of the store. Roll it
    /// back then.
    fn apply<'a>(&'a mut self, store: &'a S, batch: &'a [Write]) -> InTransaction<'a, Vec<Outcome>>;

    /// Commits the transaction.
    ///
    /// # Errors
    /// Whatever the driver says; whether it is committed may be unknown then.
    fn commit<'a>(self) -> InTransaction<'a, ()>
    where
        Self: Sized + 'a;
}

/// The store that a transaction is of, if it is the engine's.
#[cfg(feature = "worker")]
pub(crate) fn store_of<S: Backend>(backend: &dyn Backend) -> Result<&S, StoreError> {
    let any: &dyn std::any::Any = backend;
    any.downcast_ref().ok_or_else(|| {
        let theirs = std::any::type_name::<S>();
        let reason = format!("it is of `{theirs}`, and the engine runs on {backend:?}");
        StoreError::new(super::StoreErrorKind::ForeignTransaction(reason), "join a transaction")
    })
}
