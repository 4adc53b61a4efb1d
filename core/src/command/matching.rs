//! Whether the code asked for what history holds in that place.

use super::CommandKind;
use crate::history::EventKind;

const OTHER: &str = "a call was added, removed or moved; guard such a change with `cx.patched`, or deploy it under a new version of the workflow";
const INPUT: &str = "the input depends on what is not replayed: the order of a HashMap, the clock, randomness, \
                     the environment; or the code that makes it was changed";
const CHILD_ID: &str = "the child's workflow ID was changed, or depends on what is not replayed";
const LENGTH: &str = "the length of the sleep was changed, or depends on what is not replayed";

/// What to look for in the code, if two sides differ.
fn same(same: bool, hint: &'static str) -> Result<(), &'static str> {
    if same { Ok(()) } else { Err(hint) }
}

impl CommandKind {
    /// Compares with what history holds in its place; `Err` says what to look for in the code.
    ///
    /// The kind, the name, the input (before codecs) and the time that a timer is due count. Retry policy, timeouts,
    /// headers, queue and place may change in a deploy; what a run ended with is the history's to say.
    pub(crate) fn matches(&self, event: &EventKind) -> Result<(), &'static str> {
        match (self, event) {
            (Self::ScheduleActivity(asked), EventKind::ActivityScheduled(held)) => {
                same(asked.activity == held.activity && asked.local == held.local, OTHER)?;
                same(asked.input == held.input, INPUT)
            }
            (Self::StartTimer { due }, EventKind::TimerStarted(held)) => same(*due == held.due, LENGTH),
            (Self::CancelActivity { scheduled }, EventKind::ActivityCancelled(held)) => {
                same(*scheduled == held.scheduled, OTHER)
            }
            (Self::RequestActivityCancel { scheduled }, EventKind::ActivityCancelRequested(held)) => {
                same(*scheduled == held.scheduled, OTHER)
            }
            (Self::CancelTimer { started }, EventKind::TimerCancelled(held)) => {
                same(*started == held.started, OTHER)
            }
            (Self::SetSignalAside(asked), EventKind::SignalSetAside(held)) => {
                same(asked.request_id == held.request_id, OTHER)
            }
            (Self::AcceptUpdate(asked), EventKind::UpdateAccepted(held)) => {
                same(asked.request_id == held.request_id, OTHER)
            }
            (Self::RejectUpdate(asked), EventKind::UpdateRejected(held)) => {
                same(asked.request_id == held.request_id, OTHER)
            }
            (Self::CompleteUpdate(asked), EventKind::UpdateCompleted(held)) => {
                same(asked.request_id == held.request_id, OTHER)
            }
            (Self::FailUpdate(asked), EventKind::UpdateFailed(held)) => {
                same(asked.request_id == held.request_id, OTHER)
            }
            (Self::ContinueAsNew { workflow, input, .. }, EventKind::WorkflowContinuedAsNew(held)) => {
                same(workflow.name == held.workflow.name, OTHER)?;
                same(*input == held.input, INPUT)
            }
            (Self::RecordPatch { patch, .. }, EventKind::PatchRecorded(held)) => {
                same(*patch == held.patch, OTHER)
            }
            (Self::ScheduleChild(asked, given), EventKind::ChildWorkflowScheduled(held)) => {
                same(asked.workflow.name == held.workflow.name, OTHER)?;
                same(!given || asked.workflow_id == held.workflow_id, CHILD_ID)?;
                same(asked.input == held.input, INPUT)
            }
            (Self::RequestChildCancel(asked), EventKind::ChildWorkflowCancelRequested(held)) => {
                same(asked.scheduled == held.scheduled, OTHER)
            }
            (Self::DropChild(asked), EventKind::ChildWorkflowDropped(held)) => {
                same(asked.scheduled == held.scheduled, OTHER)
            }
            (Self::SignalExternal(asked), EventKind::ExternalSignalRequested(held)) => {
                same(asked.workflow_id == held.workflow_id && asked.signal == held.signal, OTHER)?;
                same(asked.input == held.input, INPUT)
            }
            (Self::CancelExternal(asked), EventKind::ExternalCancelRequested(held)) => {
                same(asked.workflow_id == held.workflow_id, OTHER)
            }
            (Self::UpsertAttributes(asked), EventKind::AttributesUpserted(held)) => same(
                asked.attributes.keys().eq(held.attributes.keys()) && asked.removed == held.removed,
                OTHER,
            ),
            (Self::UpsertMemo(asked), EventKind::MemoUpserted(held)) => {
                same(asked.memo.keys().eq(held.memo.keys()) && asked.removed == held.removed, OTHER)
            }
            (Self::ScheduleSideEffect, EventKind::SideEffectScheduled(_))
            | (Self::CompleteWorkflow { .. }, EventKind::WorkflowCompleted(_))
            | (Self::FailWorkflow { .. }, EventKind::WorkflowFailed(_))
            | (Self::CancelWorkflow, EventKind::WorkflowCancelled(_)) => Ok(()),
            _ => Err(OTHER),
        }
    }

    /// Whether this is the call that history holds, though perhaps with another input or length.
    pub(crate) fn is_same_call(&self, event: &EventKind) -> bool {
        match (self, event) {
            (Self::ScheduleActivity(asked), EventKind::ActivityScheduled(held)) => {
                asked.activity == held.activity
            }
            (Self::ScheduleChild(asked, _), EventKind::ChildWorkflowScheduled(held)) => {
                asked.workflow.name == held.workflow.name
            }
            (Self::SignalExternal(asked), EventKind::ExternalSignalRequested(held)) => {
                asked.signal == held.signal
            }
            (Self::StartTimer { .. }, EventKind::TimerStarted(_))
            | (Self::CancelExternal(_), EventKind::ExternalCancelRequested(_))
            | (Self::RequestChildCancel(_), EventKind::ChildWorkflowCancelRequested(_))
            | (Self::DropChild(_), EventKind::ChildWorkflowDropped(_))
            | (Self::CancelActivity { .. }, EventKind::ActivityCancelled(_))
            | (Self::RequestActivityCancel { .. }, EventKind::ActivityCancelRequested(_))
            | (Self::CancelTimer { .. }, EventKind::TimerCancelled(_))
            | (Self::ContinueAsNew { .. }, EventKind::WorkflowContinuedAsNew(_)) => true,
            _ => self.matches(event).is_ok(),
        }
    }
}
