//! Messages to a run, and its ending from outside.

use bytes::Bytes;

use super::start::Start;
use crate::vocabulary::{Namespace, RequestId, RunId, RunKey, Timestamp, WorkflowId};

/// A message as it is put into an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its identity, kept through continue-as-new.
    pub request_id: RequestId,
    /// An encoded event kind: [`encode_kind`](crate::history::encode_kind).
    pub body: Bytes,
}

/// What a run answers a request with. Whoever asked reads it from the store, from any process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The request: the identity of the message that it came by.
    pub request_id: RequestId,
    /// An encoded event kind, as of a message.
    pub body: Bytes,
}

/// The run that a write is meant for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The tenant.
    pub namespace: Namespace,
    /// The user's key.
    pub workflow_id: WorkflowId,
    /// One run, or `None` for the open one.
    pub run_id: Option<RunId>,
}

impl From<RunKey> for Target {
    fn from(run: RunKey) -> Self {
        Self { namespace: run.namespace, workflow_id: run.workflow_id, run_id: Some(run.run_id) }
    }
}

/// Puts a message into the inbox of an open run, at the next position, and sees to it that the run's `wake_at` is no
/// later than `at`.
///
/// Refused with `RunNotFound` or `RunClosed`; without a run ID, `RunClosed` names the run that was started last. While
/// the run's door is shut (see [`Refusal::InboxAdvanced`](super::Refusal::InboxAdvanced)) it is refused with
/// `RunClosed`, or, where the run continues as new, accepted and kept for the new run. A run ID that has continued as
/// new counts as closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// Whom it is for.
    pub target: Target,
    /// The message; its request ID is the identity of this write.
    pub message: NewMessage,
    /// When it was sent, by the store's time as the sender knows it.
    pub at: Timestamp,
}

/// What a workflow task asks of another run, done with its commit as the same write from a client would be, exactly once.
///
/// A store whose transactions don't reach the other run keeps it with the commit and does it soon after; what one run
/// asks of another is done in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// What is asked.
    pub errand: Errand,
    /// What the sender's own inbox gets once it is done, if the sender is open then.
    pub if_done: Option<NewMessage>,
    /// What the sender's own inbox gets if it is refused and the sender is open then; the engine decides what that says.
    pub if_refused: Option<NewMessage>,
}

/// See [`Outgoing`].
#[derive(Debug, Clone, PartialEq)]
pub enum Errand {
    /// To read a message.
    Send(Send),
    /// To begin.
    Start(Box<Start>),
    /// To end.
    Terminate(Terminate),
}

impl Errand {
    /// The tenant that it is done in.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Send(send) => &send.target.namespace,
            Self::Start(start) => &start.run.namespace,
            Self::Terminate(terminate) => &terminate.target.namespace,
        }
    }

    /// The workflow ID that it concerns.
    #[must_use]
    pub fn workflow_id(&self) -> &WorkflowId {
        match self {
            Self::Send(send) => &send.target.workflow_id,
            Self::Start(start) => &start.run.workflow_id,
            Self::Terminate(terminate) => &terminate.target.workflow_id,
        }
    }

    /// Its identity.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        match self {
            Self::Send(send) => send.message.request_id,
            Self::Start(start) => start.request_id,
            Self::Terminate(terminate) => terminate.request_id,
        }
    }
}

/// Ends an open run without asking its code: appends one event under the next token, drops its tasks and inbox.
///
/// Refused with `RunNotFound` or `RunClosed`. Its last task failure stays to be seen. If others depend on it
/// ([`OpenRun::dependents`](super::OpenRun)), it is left [unsettled](crate::backend::ClaimedRun): claimed once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminate {
    /// Which run.
    pub target: Target,
    /// The identity of this write.
    pub request_id: RequestId,
    /// The closing event. Its time is the later of `at` and the last record's.
    pub closing: ClosingEvent,
    /// When, by the store's time as the client knows it.
    pub at: Timestamp,
}

/// A `WorkflowTerminated` event in the two forms that a store keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingEvent {
    /// As a record of one event ([`encode_record`](crate::history::encode_record)).
    pub record: Bytes,
    /// Alone ([`encode_kind`](crate::history::encode_kind)), so that an outcome is read without history.
    pub outcome: Bytes,
}
