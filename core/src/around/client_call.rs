//! A call of a client, as interceptors see it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::vocabulary::{Failure, Headers, QueryName, RunId, SignalName, UpdateName, WorkflowId};

/// A call of a client that is about to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientCall {
    /// What is done.
    pub operation: ClientOperation,
    /// The workflow's name; `any` if the caller does not say.
    pub workflow: Cow<'static, str>,
    /// Whom it concerns.
    pub workflow_id: WorkflowId,
    /// The run, if the caller means one in particular.
    pub run_id: Option<RunId>,
    /// What travels with it: with a start (and the messages that it brings), a signal, a query or an update; nothing
    /// travels with the others.
    pub headers: Headers,
}

/// What a call of a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientOperation {
    /// Starts a run.
    Start,
    /// Sends this signal.
    Signal(SignalName),
    /// Asks this query.
    Query(QueryName),
    /// Sends this update; what comes of it is awaited apart.
    Update(UpdateName),
    /// Asks a run to cancel.
    Cancel,
    /// Ends a run.
    Terminate,
    /// Waits for a run's result.
    AwaitResult,
}

/// A call of a client that did not go well.
#[derive(Debug, Clone)]
pub enum CallFault {
    /// An interceptor has refused it; the caller gets this failure.
    Refused(Box<Failure>),
    /// It was made, and gave this error: the caller gets it, whatever an interceptor makes of this one.
    Failed(Arc<dyn Error + Send + Sync>),
}

impl CallFault {
    /// Refuses a call.
    #[must_use]
    pub fn refused(failure: Failure) -> Self {
        Self::Refused(Box::new(failure))
    }
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(failure) => write!(f, "an interceptor refused the call: {failure}"),
            Self::Failed(_) => f.write_str("the call failed"),
        }
    }
}

impl Error for CallFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Failed(error) => Some(&**error),
        }
    }
}

#[cfg(feature = "worker")]
impl ClientCall {
    pub(crate) fn new(
        operation: ClientOperation,
        workflow: Cow<'static, str>,
        workflow_id: WorkflowId,
        run_id: Option<RunId>,
    ) -> Self {
        Self { operation, workflow, workflow_id, run_id, headers: Headers::new() }
    }
}
