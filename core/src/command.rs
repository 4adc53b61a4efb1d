//! Commands: what the workflow's code asked for in one step, before it is committed as events.
//!
//! Pure values. Replay collects them live and matches them with the events of a history; what counts as the same
//! decision is said in [`matching`] and nowhere else. Imports vocabulary and history only.

mod matching;
mod show;

use std::cell::RefCell;
use std::collections::HashMap;
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
pub(crate) use show::describe;

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
