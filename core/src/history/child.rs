//! The events of child workflows: what a run asked for, and what its children told it.
//!
//! All name the event that scheduled the child, and the child's first run: a message that reaches a later run of the
//! parent by mistake fits nothing there.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::event::EventKind;
use crate::vocabulary::{
    Attributes, EventId, Failure, Headers, IdReusePolicy, Memo, Payload, RetryPolicy, RunId, RunKey,
    TaskQueue, WorkflowId, WorkflowType,
};

/// The run that started a run, as the child's first event holds it. A run that continues the child inherits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentLink {
    /// The parent's workflow ID.
    pub workflow_id: WorkflowId,
    /// The parent's run.
    pub run_id: RunId,
    /// The parent's event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run: what the parent knows it by, however often it continues as new.
    pub child: RunId,
    /// Whether the parent is told nothing of the child.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
    /// Whether the child has continued as new, which the parent was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
}

impl ParentLink {
    /// The parent.
    #[must_use]
    pub fn parent(&self, child: &RunKey) -> RunKey {
        RunKey {
            namespace: child.namespace.clone(),
            workflow_id: self.workflow_id.clone(),
            run_id: self.run_id,
        }
    }
}

/// What becomes of a child when its parent closes; continuing as new is closing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ParentClosePolicy {
    /// It is terminated.
    #[default]
    Terminate,
    /// It is asked to cancel.
    RequestCancel,
    /// It goes on.
    Abandon,
}

impl ParentClosePolicy {
    fn is_terminate(&self) -> bool {
        *self == Self::Terminate
    }
}

/// What the start of a child does when its workflow ID has an open run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChildIdConflict {
    /// The child is refused.
    #[default]
    Reject,
    /// The open run is terminated with this reason, and the child takes its place, in one step.
    Terminate(Arc<str>),
}

impl ChildIdConflict {
    fn is_reject(&self) -> bool {
        *self == Self::Reject
    }
}

/// What a cancellation of a child's call does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChildCancellation {
    /// The child is asked to cancel, and the call ends at once: the child cleans up on its own.
    #[default]
    Try,
    /// The child is asked to cancel; the call ends as the child does.
    Wait,
    /// The call ends at once; the child is not asked.
    Abandon,
}

impl ChildCancellation {
    fn is_try(&self) -> bool {
        *self == Self::Try
    }
}

/// See [`EventKind::ChildWorkflowScheduled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowScheduled {
    /// The child's code. Its name is compared at replay.
    pub workflow: WorkflowType,
    /// The child's workflow ID. Compared at replay if the code gave it.
    pub workflow_id: WorkflowId,
    /// The child's first run. Derived from this run and this event.
    pub run_id: RunId,
    /// Its argument. Compared at replay.
    pub input: Payload,
    /// The queue, if it is not the parent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<TaskQueue>,
    /// What becomes of it when this run closes.
    #[serde(default, skip_serializing_if = "ParentClosePolicy::is_terminate")]
    pub parent_close: ParentClosePolicy,
    /// What happens if its workflow ID has an open run.
    #[serde(default, skip_serializing_if = "ChildIdConflict::is_reject")]
    pub conflict: ChildIdConflict,
    /// What happens if its workflow ID has closed before.
    #[serde(default, skip_serializing_if = "IdReusePolicy::is_allow")]
    pub reuse: IdReusePolicy,
    /// What it can be found by.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// What a cancellation of the call does.
    #[serde(default, skip_serializing_if = "ChildCancellation::is_try")]
    pub cancellation: ChildCancellation,
    /// Whether this run waits for the child's start, which is then told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_start: bool,
    /// Whether this run is told nothing of the child: it was let go of, to go on whatever becomes of its parent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
    /// What travels with it.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// What it is started with to be shown.
    #[serde(default, skip_serializing_if = "Memo::is_empty")]
    pub memo: Memo,
    /// How much later its code begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_delay: Option<Duration>,
    /// The longest that one run of it may take; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Duration>,
    /// The longest that it may take with all its runs; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<Duration>,
    /// When it is tried again if it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<RetryPolicy>>,
}

impl ChildWorkflowScheduled {
    /// A child of this code, ID and argument, and every option as it is unless it is set.
    #[must_use]
    pub fn new(workflow: WorkflowType, workflow_id: WorkflowId, run_id: RunId, input: Payload) -> Self {
        Self {
            workflow,
            workflow_id,
            run_id,
            input,
            task_queue: None,
            parent_close: ParentClosePolicy::default(),
            conflict: ChildIdConflict::default(),
            reuse: IdReusePolicy::default(),
            attributes: Attributes::new(),
            cancellation: ChildCancellation::default(),
            tells_start: false,
            unheard: false,
            headers: Headers::new(),
            memo: Memo::new(),
            start_delay: None,
            run_timeout: None,
            execution_timeout: None,
            retry: None,
        }
    }
}

/// See [`EventKind::ChildWorkflowCancelRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowCancelRequested {
    /// The event that scheduled the child. Compared at replay.
    pub scheduled: EventId,
    /// The child's workflow ID.
    pub workflow_id: WorkflowId,
    /// The child's first run.
    pub run_id: RunId,
}

/// See [`EventKind::ChildWorkflowDropped`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowDropped {
    /// The event that scheduled the child. Compared at replay.
    pub scheduled: EventId,
    /// The child's workflow ID.
    pub workflow_id: WorkflowId,
    /// The child's first run.
    pub run_id: RunId,
}

/// See [`EventKind::ChildWorkflowStarted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowStarted {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run.
    pub run_id: RunId,
}

/// See [`EventKind::ChildWorkflowRefused`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowRefused {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// What would have been the child's first run.
    pub run_id: RunId,
}

/// See [`EventKind::ChildWorkflowContinued`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowContinued {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run.
    pub run_id: RunId,
}

/// See [`EventKind::ChildWorkflowCompleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowCompleted {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run.
    pub run_id: RunId,
    /// What it returned.
    pub result: Payload,
}

/// See [`EventKind::ChildWorkflowFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowFailed {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run.
    pub run_id: RunId,
    /// What it returned.
    pub failure: Failure,
}

/// See [`EventKind::ChildWorkflowCancelled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowCancelled {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run.
    pub run_id: RunId,
}

/// See [`EventKind::ChildWorkflowTerminated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowTerminated {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run.
    pub run_id: RunId,
    /// Why, in the words of whoever did it.
    pub reason: Arc<str>,
}

/// See [`EventKind::ChildWorkflowTimedOut`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildWorkflowTimedOut {
    /// The event that scheduled the child.
    pub scheduled: EventId,
    /// The child's first run.
    pub run_id: RunId,
}
