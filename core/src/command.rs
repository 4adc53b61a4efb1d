//! Commands: what the workflow's code asked for in one step, before it is committed as events.
//!
//! Pure values. Replay collects them live and matches them with the events of a history; what counts as the same
//! decision is said here and nowhere else. Imports vocabulary and history only.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::history::{
    ActivityCancelRequested, ActivityCancelled, ActivityScheduled, AttributesUpserted,
    ChildWorkflowCancelRequested, ChildWorkflowDropped, ChildWorkflowScheduled, EventKind,
    ExternalCancelRequested, ExternalSignalRequested, MemoUpserted, PatchRecorded, SideEffectScheduled,
    SignalSetAside, TimerCancelled, TimerStarted, UpdateAccepted, UpdateCompleted, UpdateFailed,
    UpdateRejected, WorkflowCancelled, WorkflowCompleted, WorkflowContinuedAsNew, WorkflowFailed,
};
use crate::vocabulary::{EventId, Failure, Headers, PatchId, Payload, Place, RunId, Timestamp, WorkflowType};

/// One decision of the code, and where in the user's source it was taken.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) kind: CommandKind,
    pub(crate) location: Option<&'static Location<'static>>,
}

#[derive(Debug)]
pub(crate) enum CommandKind {
    ScheduleActivity(Arc<ActivityScheduled>),
    CancelActivity {
        scheduled: EventId,
    },
    RequestActivityCancel {
        scheduled: EventId,
    },
    StartTimer {
        due: Timestamp,
    },
    CancelTimer {
        started: EventId,
    },
    ScheduleSideEffect,
    RecordPatch {
        patch: PatchId,
        deprecated: bool,
    },
    SetSignalAside(SignalSetAside),
    AcceptUpdate(UpdateAccepted),
    RejectUpdate(UpdateRejected),
    CompleteUpdate(UpdateCompleted),
    FailUpdate(UpdateFailed),
    CompleteWorkflow {
        result: Payload,
    },
    FailWorkflow {
        failure: Failure,
        retried_as: Option<RunId>,
    },
    CancelWorkflow,
    ContinueAsNew {
        workflow: WorkflowType,
        input: Payload,
        new_run_id: RunId,
        headers: Headers,
    },
    /// The flag says whether the code gave the workflow ID.
    ScheduleChild(Box<ChildWorkflowScheduled>, bool),
    RequestChildCancel(ChildWorkflowCancelRequested),
    DropChild(ChildWorkflowDropped),
    SignalExternal(Box<ExternalSignalRequested>),
    CancelExternal(Box<ExternalCancelRequested>),
    UpsertAttributes(AttributesUpserted),
    UpsertMemo(MemoUpserted),
}

impl Command {
    /// The place in the user's source; `None` for what the engine itself decides.
    pub(crate) fn place(&self) -> Option<Place> {
        self.location.map(interned)
    }
}

impl CommandKind {
    /// Whether it ends the run.
    pub(crate) fn closes(&self) -> bool {
        matches!(
            self,
            Self::CompleteWorkflow { .. }
                | Self::FailWorkflow { .. }
                | Self::CancelWorkflow
                | Self::ContinueAsNew { .. }
        )
    }

    /// The event that it becomes.
    pub(crate) fn into_event(self) -> EventKind {
        match self {
            Self::ScheduleActivity(body) => EventKind::ActivityScheduled(body),
            Self::CancelActivity { scheduled } => ActivityCancelled { scheduled }.into(),
            Self::RequestActivityCancel { scheduled } => ActivityCancelRequested { scheduled }.into(),
            Self::StartTimer { due } => TimerStarted { due }.into(),
            Self::CancelTimer { started } => TimerCancelled { started }.into(),
            Self::ScheduleSideEffect => SideEffectScheduled {}.into(),
            Self::RecordPatch { patch, deprecated } => PatchRecorded { patch, deprecated }.into(),
            Self::SetSignalAside(body) => body.into(),
            Self::AcceptUpdate(body) => body.into(),
            Self::RejectUpdate(body) => body.into(),
            Self::CompleteUpdate(body) => body.into(),
            Self::FailUpdate(body) => body.into(),
            Self::CompleteWorkflow { result } => WorkflowCompleted { result }.into(),
            Self::FailWorkflow { failure, retried_as } => WorkflowFailed { failure, retried_as }.into(),
            Self::CancelWorkflow => WorkflowCancelled {}.into(),
            Self::ContinueAsNew { workflow, input, new_run_id, headers } => {
                WorkflowContinuedAsNew { workflow, input, new_run_id, headers }.into()
            }
            Self::ScheduleChild(body, _) => (*body).into(),
            Self::RequestChildCancel(body) => body.into(),
            Self::DropChild(body) => body.into(),
            Self::SignalExternal(body) => (*body).into(),
            Self::CancelExternal(body) => (*body).into(),
            Self::UpsertAttributes(body) => body.into(),
            Self::UpsertMemo(body) => body.into(),
        }
    }

    /// Compares with what history holds in its place; `Err` says what to look for in the code.
    ///
    /// The kind, the name, the input (before codecs) and the time that a timer is due count. Retry policy, timeouts,
    /// headers, queue and place may change in a deploy; what a run ended with is the history's to say.
    pub(crate) fn matches(&self, event: &EventKind) -> Result<(), &'static str> {
        const OTHER: &str = "a call was added, removed or moved; guard such a change with `cx.patched`, or deploy it under a new version of the workflow";
        const INPUT: &str = "the input depends on what is not replayed: the order of a HashMap, the clock, randomness, \
                             the environment; or the code that makes it was changed";
        const CHILD_ID: &str = "the child's workflow ID was changed, or depends on what is not replayed";
        let same = |same: bool, hint| if same { Ok(()) } else { Err(hint) };
        match (self, event) {
            (Self::ScheduleActivity(asked), EventKind::ActivityScheduled(held)) => {
                same(asked.activity == held.activity && asked.local == held.local, OTHER)?;
                same(asked.input == held.input, INPUT)
            }
            (Self::StartTimer { due }, EventKind::TimerStarted(held)) => same(
                *due == held.due,
                "the length of the sleep was changed, or depends on what is not replayed",
            ),
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

/// The place of a location, its text shared by all commands that this thread collects.
fn interned(location: &'static Location<'static>) -> Place {
    thread_local! {
        // Bounded by the call sites of the program. Only looked up by key, never walked.
        static PLACES: RefCell<HashMap<(usize, u32), Place>> = RefCell::default();
    }
    let key = (location.file().as_ptr().addr(), location.line());
    PLACES.with_borrow_mut(|places| places.entry(key).or_insert_with(|| Place::of(location)).clone())
}
