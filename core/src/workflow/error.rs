//! How calls end badly, and how a workflow does.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{ChildError, ExternalError, TimedOut};
use crate::replay::Conclusion;
use crate::vocabulary::{Failure, FailureKind, Headers, InvalidId, Payload, PayloadError, WorkflowType};

/// The longest chain of sources that is looked through for a cancellation.
const CHAIN_MAX: usize = 64;

/// What a workflow function returns.
pub type WorkflowResult<T> = Result<T, WorkflowError>;

/// Why an await of ours did not give its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The activity failed for good: decide by its type, or pass it on with `?`, which keeps all of it.
    Failed(Box<Failure>),
    /// The run was asked to cancel, or the [scope](super::CancelScope) was: clean up under [`shielded`](super::WorkflowContext::shielded) and return the error.
    Cancelled,
    /// The argument does not encode, or what came is not of the type asked for.
    Payload(PayloadError),
}

impl CallError {
    /// Whether it comes from a cancel request.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// The activity's failure, if that is what it is.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Cancelled | Self::Payload(_) => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The message is that of the source.
            Self::Failed(failure) => write!(f, "the call failed ({})", failure.error_type),
            Self::Cancelled => f.write_str("the await was cancelled"),
            Self::Payload(_) => f.write_str("the call's value cannot be passed"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(&**failure),
            Self::Cancelled => None,
            Self::Payload(error) => Some(error),
        }
    }
}

impl From<PayloadError> for CallError {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

impl From<InvalidId> for CallError {
    fn from(error: InvalidId) -> Self {
        Self::Failed(Box::new(Failure::new("InvalidId", error.to_string()).non_retryable()))
    }
}

/// Why a workflow function ends without a value.
///
/// `?` takes in every error, with its type's name and its chain of sources; for that to be possible this type is no
/// `std::error::Error` itself (as `anyhow::Error` is none). An activity's [`CallError::Failed`] and a child's keep their failure as
/// it is, and an error with a [`CallError::Cancelled`] (or that of a child, or of an external call) anywhere in its chain of sources ends a run that was asked to
/// cancel as cancelled.
///
/// # Examples
/// ```
/// use retell::workflow::{WorkflowError, WorkflowResult};
///
/// fn parse(text: &str) -> WorkflowResult<u32> {
///     if text.is_empty() {
///         return Err(WorkflowError::new("there is nothing to parse").error_type("EmptyInput"));
///     }
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(parse("x").unwrap_err().failure().unwrap().error_type.as_ref(), "core::num::error::ParseIntError");
/// assert_eq!(parse("").unwrap_err().to_string(), "there is nothing to parse");
/// ```
#[derive(Clone, PartialEq)]
pub struct WorkflowError(Box<Ending>);

#[derive(Debug, Clone, PartialEq)]
enum Ending {
    Failed(Failure),
    /// With the failure that it is if nobody asked the run to cancel.
    Cancelled(Failure),
    ContinueAsNew {
        workflow: WorkflowType,
        input: Payload,
        headers: Headers,
    },
}

impl WorkflowError {
    /// A failure with this message, of the type `WorkflowError`.
    #[must_use]
    pub fn new(message: impl Into<Arc<str>>) -> Self {
        Self(Box::new(Ending::Failed(Failure::new("WorkflowError", message))))
    }

    /// Names its type, for callers to decide by.
    #[must_use]
    pub fn error_type(self, error_type: impl Into<Arc<str>>) -> Self {
        self.change(|failure| failure.error_type = error_type.into())
    }

    /// Marks it as permanent: no policy tries the workflow again.
    #[must_use]
    pub fn non_retryable(self) -> Self {
        self.change(|failure| failure.non_retryable = true)
    }

    /// Attaches the user's own data, for the caller to read. What doesn't encode becomes a cause that says so.
    #[must_use]
    pub fn details<T: Serialize + ?Sized>(self, details: &T) -> Self {
        self.change(|failure| match Payload::encode(details) {
            Ok(payload) => failure.details = Some(payload),
            Err(error) => failure.add_cause(&error),
        })
    }

    /// Says what lies beneath. The end of a run that continues as new is no cause of anything.
    #[must_use]
    pub fn caused_by(self, cause: &Self) -> Self {
        match cause.failure() {
            Some(cause) => self.change(|failure| failure.add_cause(cause)),
            None => self,
        }
    }

    /// What history will hold; `None` for what [`continue_as_new`](super::WorkflowContext::continue_as_new) returned.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &*self.0 {
            Ending::Failed(failure) | Ending::Cancelled(failure) => Some(failure),
            Ending::ContinueAsNew { .. } => None,
        }
    }

    /// Whether it comes from a cancel request.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(&*self.0, Ending::Cancelled(_))
    }

    pub(super) fn continue_as_new(workflow: WorkflowType, input: Payload, headers: Headers) -> Self {
        Self(Box::new(Ending::ContinueAsNew { workflow, input, headers }))
    }

    pub(super) fn into_conclusion(self, cancel_requested: bool) -> Conclusion {
        match *self.0 {
            Ending::Cancelled(_) if cancel_requested => Conclusion::Cancelled,
            Ending::Failed(failure) | Ending::Cancelled(failure) => Conclusion::Failed(failure),
            Ending::ContinueAsNew { workflow, input, headers } => {
                Conclusion::ContinueAsNew { workflow, input, headers }
            }
        }
    }

    fn change(mut self, change: impl FnOnce(&mut Failure)) -> Self {
        match &mut *self.0 {
            Ending::Failed(failure) | Ending::Cancelled(failure) => change(failure),
            Ending::ContinueAsNew { .. } => {}
        }
        self
    }
}

impl<E: Error + 'static> From<E> for WorkflowError {
    fn from(error: E) -> Self {
        let cancelled = comes_from_cancel(&error);
        if cancelled {
            let failure = Failure { kind: FailureKind::Cancelled, ..Failure::from_error(&error) };
            return Self(Box::new(Ending::Cancelled(failure)));
        }
        let call = (&error as &dyn Any).downcast_ref::<CallError>();
        let child = (&error as &dyn Any).downcast_ref::<ChildError>();
        let kept = call.and_then(CallError::failure).or_else(|| child.and_then(ChildError::failure));
        let mut failure = kept.cloned().unwrap_or_else(|| Failure::from_error(&error));
        if (&error as &dyn Any).is::<TimedOut>() {
            failure.kind = FailureKind::Timeout;
        }
        Self(Box::new(Ending::Failed(failure)))
    }
}

fn comes_from_cancel(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    for _ in 0..CHAIN_MAX {
        let Some(error) = next else { return false };
        if error.downcast_ref::<CallError>().is_some_and(CallError::is_cancelled)
            || error.downcast_ref::<ChildError>().is_some_and(ChildError::is_cancelled)
            || error.downcast_ref::<ExternalError>().is_some_and(ExternalError::is_cancelled)
        {
            return true;
        }
        next = error.source();
    }
    false
}

impl fmt::Display for WorkflowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Ending::Failed(failure) | Ending::Cancelled(failure) => failure.fmt(f),
            Ending::ContinueAsNew { workflow, .. } => write!(f, "the run goes on as a new run of {workflow}"),
        }
    }
}

impl fmt::Debug for WorkflowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
