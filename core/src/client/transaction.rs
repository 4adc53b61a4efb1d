//! Speaking to runs inside the user's own transaction: what is sent becomes true with the user's data, or never was.
//!
//! A start is written so by [`StartCall::in_transaction`](super::StartCall::in_transaction). No worker of this process is
//! told of what may yet be rolled back: all hear of it as of another process's commit.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use super::handle::sent_to;
use super::{Client, RunHandle, SendError};
use crate::around::ClientOperation;
use crate::backend::{Backend, OpenTransaction, StoreError, store_of};
use crate::history::{EventKind, SignalReceived, WorkflowCancelRequested};
use crate::vocabulary::{Headers, Payload, RequestId, SignalName};
use crate::workflow::{NamesSignal, Workflow};
use crate::write::{Outcome, Refusal, Write};

/// A run, spoken to inside a transaction of the user's own: made by [`RunHandle::in_transaction`].
///
/// Each message is sent when the transaction commits, and never was if it does not. It goes to the open run of the workflow
/// ID, one that was started in the same transaction included, which holds its row's lock until the transaction's end. A
/// refusal leaves the transaction as it was, and usable.
pub struct RunInTransaction<'a, W: Workflow, S, T> {
    run: &'a RunHandle<W>,
    transaction: &'a mut T,
    store: PhantomData<fn() -> S>,
}

impl<W: Workflow> RunHandle<W> {
    /// The same run, spoken to inside the caller's own transaction.
    ///
    /// In code that blocks, as with `rusqlite`, wait for its calls by [`block_on`](crate::block_on).
    pub fn in_transaction<'a, S: Backend, T: OpenTransaction<S>>(
        &'a self,
        transaction: &'a mut T,
    ) -> RunInTransaction<'a, W, S, T> {
        RunInTransaction { run: self, transaction, store: PhantomData }
    }
}

impl<W: Workflow, S: Backend, T: OpenTransaction<S>> RunInTransaction<'_, W, S, T> {
    /// Sends a signal with the transaction: as [`RunHandle::signal`] otherwise.
    ///
    /// # Errors
    /// [`SendError`]; after [`Transaction`](SendError::Transaction) the transaction is to be rolled back.
    pub async fn signal<V: Serialize + ?Sized>(
        &mut self,
        signal: impl NamesSignal<V>,
        value: &V,
    ) -> Result<(), SendError> {
        let request_id = self.run.client.fresh_request();
        self.signal_with(signal, value, request_id).await
    }

    /// As [`signal`](Self::signal), under the caller's own request ID: sent again under it, in this transaction or another
    /// one, it counts once.
    ///
    /// # Errors
    /// As there.
    pub async fn signal_with<V: Serialize + ?Sized>(
        &mut self,
        signal: impl NamesSignal<V>,
        value: &V,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        let signal: SignalName = signal.signal_name()?;
        let input = Payload::encode(value)?;
        let operation = ClientOperation::Signal(signal.clone());
        let kind = |headers| SignalReceived { signal, input, request_id, headers }.into();
        self.send(operation, request_id, kind).await
    }

    /// Asks the run to cancel, with the transaction: as [`RunHandle::cancel`] otherwise.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    pub async fn cancel(&mut self, reason: impl Into<Arc<str>>) -> Result<(), SendError> {
        let request_id = self.run.client.fresh_request();
        self.cancel_with(reason, request_id).await
    }

    /// As [`cancel`](Self::cancel), under the caller's own request ID.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    pub async fn cancel_with(
        &mut self,
        reason: impl Into<Arc<str>>,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        let request = WorkflowCancelRequested { request_id, reason: reason.into(), child: None };
        self.send(ClientOperation::Cancel, request_id, |_| request.into()).await
    }

    async fn send(
        &mut self,
        operation: ClientOperation,
        request_id: RequestId,
        kind: impl FnOnce(Headers) -> EventKind,
    ) -> Result<(), SendError> {
        let Self { run, transaction, .. } = self;
        let act = async |headers| {
            let message = run.message(kind(headers), request_id)?;
            let outcome = run.client.apply_in(*transaction, message.into()).await;
            sent_to(outcome.map_err(SendError::Transaction)?).map(drop)
        };
        run.client.around_here(run.call(operation), act).await
    }
}

impl Client {
    /// Has the workers of this process look now for what a transaction of the caller's own has committed, and returns at
    /// once. Without it they see that a few milliseconds later, up to 100 while nothing happens.
    pub fn notice_commit(&self) {
        self.seams.backend.nudge();
    }

    /// Applies one write inside the caller's transaction, once: whoever holds the transaction does it again.
    pub(super) async fn apply_in<S: Backend, T: OpenTransaction<S>>(
        &self,
        transaction: &mut T,
        write: Write,
    ) -> Result<Outcome, StoreError> {
        let store = store_of::<S>(&*self.seams.backend)?;
        let outcomes = transaction.apply(store, &[write]).await?;
        let none = || Err(Refusal::Invalid("the store gave no outcome".to_owned()));
        Ok(outcomes.into_iter().next().unwrap_or_else(none))
    }
}

impl<W: Workflow, S, T> fmt::Debug for RunInTransaction<'_, W, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInTransaction").field("run", &self.run).finish_non_exhaustive()
    }
}
