//! How the call of a child workflow ends badly, and how a request to another run does.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::vocabulary::{Failure, InvalidId, PayloadError, WorkflowId};

/// Why a child workflow did not give its value. None of these ends the parent by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildError {
    /// Its function returned an error: decide by its type, or pass it on with `?`, which keeps all of it.
    Failed(Box<Failure>),
    /// This await was cancelled, by a cancel request to the parent or by its [scope](super::CancelScope): clean up under
    /// [`shielded`](super::WorkflowContext::shielded) and return the error.
    Cancelled,
    /// There is no child: another run has its workflow ID, or had it and the ID may not be used again. Choose another ID,
    /// or another policy.
    IdTaken(WorkflowId),
    /// The child ended because of a cancel request that did not come from this await.
    ChildCancelled,
    /// Somebody ended the child without asking its code, for this reason.
    Terminated(Arc<str>),
    /// The child took longer than it may.
    TimedOut,
    /// The argument does not encode, or what came is not of the child's type.
    Payload(PayloadError),
    /// A name or an ID that no store could keep.
    InvalidId(InvalidId),
}

impl ChildError {
    /// Whether this await was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// The child's failure, if that is what it is.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The message is that of the source.
            Self::Failed(failure) => write!(f, "the child workflow failed ({})", failure.error_type),
            Self::Cancelled => f.write_str("the wait for the child workflow was cancelled"),
            Self::IdTaken(workflow_id) => write!(f, "the child's workflow ID {workflow_id:?} is taken"),
            Self::ChildCancelled => f.write_str("the child workflow was cancelled"),
            Self::Terminated(reason) => write!(f, "the child workflow was terminated: {reason}"),
            Self::TimedOut => f.write_str("the child workflow took longer than it may"),
            Self::Payload(_) => f.write_str("the child workflow's value cannot be passed"),
            Self::InvalidId(_) => f.write_str("the child workflow cannot be named so"),
        }
    }
}

impl Error for ChildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(&**failure),
            Self::Payload(error) => Some(error),
            Self::InvalidId(error) => Some(error),
            Self::Cancelled
            | Self::IdTaken(_)
            | Self::ChildCancelled
            | Self::Terminated(_)
            | Self::TimedOut => None,
        }
    }
}

impl From<PayloadError> for ChildError {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

impl From<InvalidId> for ChildError {
    fn from(error: InvalidId) -> Self {
        Self::InvalidId(error)
    }
}

/// Why another run did not get what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalError {
    /// There is no such run, or it is closed.
    NotOpen(WorkflowId),
    /// This await was cancelled. The other run may or may not get what was asked of it.
    Cancelled,
    /// The argument does not encode.
    Payload(PayloadError),
    /// A name or an ID that no store could keep.
    InvalidId(InvalidId),
}

impl ExternalError {
    /// Whether this await was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

impl fmt::Display for ExternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen(workflow_id) => write!(f, "no run of workflow ID {workflow_id:?} is open"),
            Self::Cancelled => f.write_str("the wait for the other run was cancelled"),
            Self::Payload(_) => f.write_str("the value for the other run cannot be passed"),
            Self::InvalidId(_) => f.write_str("there is no run of such a name"),
        }
    }
}

impl Error for ExternalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Payload(error) => Some(error),
            Self::InvalidId(error) => Some(error),
            Self::NotOpen(_) | Self::Cancelled => None,
        }
    }
}

impl From<PayloadError> for ExternalError {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

impl From<InvalidId> for ExternalError {
    fn from(error: InvalidId) -> Self {
        Self::InvalidId(error)
    }
}
