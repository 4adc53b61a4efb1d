//! What can go wrong with a call, one enum for each operation.

use std::sync::Arc;

use crate::backend::StoreError;
use crate::history::{HistoryError, UpdateRefusal};
use crate::replay::{QueryFault, TaskError};
use crate::vocabulary::{Failure, InvalidId, PayloadError, RunKey, TimeoutKind, WorkflowName, WorkflowType};
use crate::write::{CloseStatus, ExistingId, Refusal};

/// A start that did not happen.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An ID that no store could keep: choose another.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// Of a workflow that is started by its name this process knows no version: register it with this client, or say which
    /// [version](super::StartCall::version) is meant.
    #[error("no version of workflow {0:?} is known here; register it with this client, or name a version")]
    UnknownWorkflow(WorkflowName),
    /// The input does not encode, or is too large.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The codec refused the input.
    #[error(transparent)]
    Codec(HistoryError),
    /// Another run holds the workflow ID: use it, choose another ID, or another policy.
    #[error("workflow ID {:?} is taken by run {}", .0.run.workflow_id, .0.run.run_id)]
    IdTaken(ExistingId),
    /// The store cannot keep this start.
    #[error(transparent)]
    Refused(Refusal),
    /// An interceptor of this client has refused the call; nothing was sent.
    #[error("an interceptor refused the call: {0}")]
    Intercepted(Box<Failure>),
    /// The store did not answer before the deadline: whether the run is started is unknown. Start again under the same
    /// request ID; nothing starts twice.
    #[error("the store did not answer before the deadline; starting again under the same request ID is safe")]
    Unavailable(#[source] StoreError),
    /// The start could not be written inside the user's transaction. Roll it back; do all of it again if the
    /// [kind](crate::backend::StoreErrorKind) of the fault says that it passes.
    #[error("it could not be written inside the transaction; roll that back")]
    Transaction(#[source] StoreError),
}

/// A signal, a cancel request or a termination that did not happen.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A name that no store could keep: choose another.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// The argument does not encode, or is too large.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The codec refused the argument.
    #[error(transparent)]
    Codec(HistoryError),
    /// There is no run of this ID.
    #[error("there is no such run")]
    NotFound,
    /// The run is closed; nothing reaches it any more.
    #[error("run {0} is closed")]
    Closed(RunKey),
    /// The store cannot keep this message.
    #[error(transparent)]
    Refused(Refusal),
    /// An interceptor of this client has refused the call; nothing was sent.
    #[error("an interceptor refused the call: {0}")]
    Intercepted(Box<Failure>),
    /// The store did not answer before the deadline: whether it was sent is unknown. Send again under the same request
    /// ID; nothing is sent twice.
    #[error("the store did not answer before the deadline; sending again under the same request ID is safe")]
    Unavailable(#[source] StoreError),
    /// The message could not be written inside the user's transaction. Roll it back; do all of it again if the
    /// [kind](crate::backend::StoreErrorKind) of the fault says that it passes.
    #[error("it could not be written inside the transaction; roll that back")]
    Transaction(#[source] StoreError),
}

/// A read that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no run of this ID.
    #[error("there is no such run")]
    NotFound,
    /// Stored bytes cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// What was read is not of the type asked for.
    #[error(transparent)]
    Payload(PayloadError),
    /// A name to list by that no store could keep.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// The store did not answer before the deadline, or cannot read its data.
    #[error("the store could not be read")]
    Unavailable(#[source] StoreError),
}

/// A run that has no result to give.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// The workflow returned an error.
    #[error("the workflow failed: {0}")]
    Failed(Failure),
    /// The workflow ended because of a cancel request.
    #[error("the workflow was cancelled")]
    Cancelled,
    /// A client ended the run.
    #[error("the workflow was terminated: {0}")]
    Terminated(Arc<str>),
    /// The run took longer than it may, by this limit of its start.
    #[error("the workflow timed out: {0:?}")]
    TimedOut(TimeoutKind),
    /// The result is not of the type asked for.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// An interceptor of this client has refused the call, or did not like its outcome.
    #[error("an interceptor refused the call: {0}")]
    Intercepted(Box<Failure>),
    /// The run could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A query without an answer. The run notices nothing of it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A name that no store could keep: choose another.
    #[error(transparent)]
    InvalidId(InvalidId),
    /// The argument does not encode, or the answer is not of the type asked for.
    #[error(transparent)]
    Payload(PayloadError),
    /// The run's code gives no answer: it does not know the query, or its argument, or its handler panicked.
    #[error(transparent)]
    Refused(QueryFault),
    /// An interceptor of this client has refused the call.
    #[error("an interceptor refused the call: {0}")]
    Intercepted(Box<Failure>),
    /// This process does not have the run's code: register the workflow with the
    /// [`Orchestrator`](crate::Orchestrator) that made this client, or ask a process that serves it.
    #[error(
        "this process does not have the code of {0}; register the workflow here, or ask where it is served"
    )]
    NotServed(WorkflowType),
    /// The run's history does not replay with the code that is registered here: deploy the code that wrote it.
    #[error("the run's history does not replay here: {0}")]
    Replay(TaskError),
    /// The run could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// This process is shutting down.
    #[error("the process is shutting down")]
    Stopped,
}

/// An update without a result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// It was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The workflow did not let it in; nothing has happened.
    #[error("the update was refused: {failure}")]
    Refused {
        /// What refused it.
        refusal: UpdateRefusal,
        /// Why.
        failure: Box<Failure>,
    },
    /// The workflow let it in, and its handler returned an error.
    #[error("the update failed: {0}")]
    Failed(Box<Failure>),
    /// The run ended first: before it looked at the update, or before the update's handler had ended.
    #[error("run {run} ended ({status:?}) before the update did")]
    RunEnded {
        /// The run that the update was with.
        run: RunKey,
        /// How it closed.
        status: CloseStatus,
    },
    /// The result is not of the type asked for.
    #[error(transparent)]
    Payload(PayloadError),
    /// The run or the answer could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl SendError {
    pub(super) fn of_read(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::NotFound,
            ReadError::History(error) => Self::Codec(error),
            ReadError::Payload(error) => Self::Payload(error),
            ReadError::InvalidId(error) => Self::InvalidId(error),
            ReadError::Unavailable(error) => Self::Unavailable(error),
        }
    }

    pub(super) fn of(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RunNotFound => Self::NotFound,
            Refusal::RunClosed(run) => Self::Closed(run),
            other => Self::Refused(other),
        }
    }
}
