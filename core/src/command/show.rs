//! Commands and events in one line, in the same words, so that the two sides of a mismatch compare.

use std::fmt;

use super::CommandKind;
use crate::history::{ActivityScheduled, EventKind};
use crate::vocabulary::Payload;

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScheduleActivity(body) => {
                write!(f, "ScheduleActivity {:?}{} with {}", body.activity, local(body), Shown(&body.input))
            }
            Self::CancelActivity { scheduled } => write!(f, "CancelActivity of event {scheduled}"),
            Self::RequestActivityCancel { scheduled } => {
                write!(f, "RequestActivityCancel of event {scheduled}")
            }
            Self::StartTimer { due } => write!(f, "StartTimer due {due}"),
            Self::CancelTimer { started } => write!(f, "CancelTimer of event {started}"),
            Self::ScheduleSideEffect => f.write_str("ScheduleSideEffect"),
            Self::RecordPatch { patch, .. } => write!(f, "RecordPatch {patch:?}"),
            Self::SetSignalAside(body) => write!(f, "SetSignalAside {:?}", body.signal),
            Self::AcceptUpdate(body) => write!(f, "AcceptUpdate of request {}", body.request_id),
            Self::RejectUpdate(body) => write!(f, "RejectUpdate of request {}", body.request_id),
            Self::CompleteUpdate(body) => write!(f, "CompleteUpdate of request {}", body.request_id),
            Self::FailUpdate(body) => write!(f, "FailUpdate of request {}", body.request_id),
            Self::CompleteWorkflow { .. } => f.write_str("CompleteWorkflow"),
            Self::FailWorkflow { failure, .. } => write!(f, "FailWorkflow ({failure})"),
            Self::CancelWorkflow => f.write_str("CancelWorkflow"),
            Self::ContinueAsNew { workflow, input, .. } => {
                write!(f, "ContinueAsNew as {workflow} with {}", Shown(input))
            }
            Self::ScheduleChild(body, true) => {
                write!(
                    f,
                    "ScheduleChildWorkflow {} as {:?} with {}",
                    body.workflow,
                    body.workflow_id,
                    Shown(&body.input)
                )
            }
            Self::ScheduleChild(body, false) => {
                write!(f, "ScheduleChildWorkflow {} with {}", body.workflow, Shown(&body.input))
            }
            Self::RequestChildCancel(body) => {
                write!(f, "RequestChildWorkflowCancel of event {}", body.scheduled)
            }
            Self::DropChild(body) => write!(f, "DropChildWorkflow of event {}", body.scheduled),
            Self::SignalExternal(body) => {
                write!(
                    f,
                    "RequestExternalSignal {:?} of {:?} with {}",
                    body.signal,
                    body.workflow_id,
                    Shown(&body.input)
                )
            }
            Self::CancelExternal(body) => write!(f, "RequestExternalCancel of {:?}", body.workflow_id),
            Self::UpsertAttributes(body) => {
                write!(
                    f,
                    "UpsertAttributes {:?}",
                    Vec::from_iter(body.attributes.keys().chain(&body.removed))
                )
            }
            Self::UpsertMemo(body) => {
                write!(f, "UpsertMemo {:?}", Vec::from_iter(body.memo.keys().chain(&body.removed)))
            }
        }
    }
}

/// An event in one line, in the words of [`CommandKind`]'s `Display`, so that the two sides of a mismatch compare.
pub(crate) fn describe(event: &EventKind) -> String {
    let name = event.name();
    match event {
        EventKind::ActivityScheduled(body) => {
            format!("{name} {:?}{} with {}", body.activity, local(body), Shown(&body.input))
        }
        EventKind::ActivityCancelled(body) => format!("{name} of event {}", body.scheduled),
        EventKind::ActivityCancelRequested(body) => format!("{name} of event {}", body.scheduled),
        EventKind::ActivityCompleted(body) => format!("{name} of event {}", body.scheduled),
        EventKind::ActivityFailed(body) => format!("{name} of event {}", body.scheduled),
        EventKind::TimerStarted(body) => format!("{name} due {}", body.due),
        EventKind::TimerCancelled(body) => format!("{name} of event {}", body.started),
        EventKind::TimerFired(body) => format!("{name} of event {}", body.started),
        EventKind::SideEffectRecorded(body) => format!("{name} of event {}", body.scheduled),
        EventKind::PatchRecorded(body) => format!("{name} {:?}", body.patch),
        EventKind::SignalReceived(body) => format!("{name} {:?}", body.signal),
        EventKind::SignalSetAside(body) => format!("{name} {:?}", body.signal),
        EventKind::UpdateRequested(body) => format!("{name} {:?}", body.update),
        EventKind::WorkflowFailed(body) => format!("{name} ({})", body.failure),
        EventKind::WorkflowContinuedAsNew(body) => {
            format!("{name} as {} with {}", body.workflow, Shown(&body.input))
        }
        EventKind::ChildWorkflowScheduled(body) => {
            format!("{name} {} as {:?} with {}", body.workflow, body.workflow_id, Shown(&body.input))
        }
        EventKind::ChildWorkflowCancelRequested(body) => format!("{name} of event {}", body.scheduled),
        EventKind::ExternalSignalRequested(body) => {
            format!("{name} {:?} of {:?} with {}", body.signal, body.workflow_id, Shown(&body.input))
        }
        EventKind::ExternalCancelRequested(body) => format!("{name} of {:?}", body.workflow_id),
        EventKind::AttributesUpserted(body) => {
            format!("{name} {:?}", Vec::from_iter(body.attributes.keys().chain(&body.removed)))
        }
        EventKind::MemoUpserted(body) => {
            format!("{name} {:?}", Vec::from_iter(body.memo.keys().chain(&body.removed)))
        }
        other => match other.answers() {
            Some(request) => format!("{name} of request {request}"),
            None => match other.told_by_child().map(|(scheduled, _)| scheduled).or(other.outcome_of()) {
                Some(event) => format!("{name} of event {event}"),
                None => name.to_owned(),
            },
        },
    }
}

/// A step or local activity is another call than one through the queue.
fn local(call: &ActivityScheduled) -> &'static str {
    if call.local { " (local)" } else { "" }
}

/// A payload that two lines can be told apart by without printing it.
struct Shown<'a>(&'a Payload);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = (self.0.data.iter())
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        write!(f, "{} bytes of {} (#{hash:08x})", self.0.data.len(), self.0.encoding.as_str())
    }
}
