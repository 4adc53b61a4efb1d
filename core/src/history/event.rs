//! The events: what history can hold. Past tense, one struct a kind.
//!
//! A field added later has a `default`, so that older histories replay for ever; a new kind is refused by older
//! engines as unknown and left to newer workers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::activity::{
    ActivityCancelRequested, ActivityCancelled, ActivityCompleted, ActivityFailed, ActivityScheduled,
};
use super::child::{
    ChildWorkflowCancelRequested, ChildWorkflowCancelled, ChildWorkflowCompleted, ChildWorkflowContinued,
    ChildWorkflowDropped, ChildWorkflowFailed, ChildWorkflowRefused, ChildWorkflowScheduled,
    ChildWorkflowStarted, ChildWorkflowTerminated, ChildWorkflowTimedOut,
};
use super::external::{ExternalCancelRequested, ExternalDelivered, ExternalRefused, ExternalSignalRequested};
use super::runs::{
    AttributesUpserted, MemoUpserted, WorkflowPaused, WorkflowReset, WorkflowResumed, WorkflowTimedOut,
};
use super::started::WorkflowStarted;
use super::update::{UpdateAccepted, UpdateCompleted, UpdateFailed, UpdateRejected, UpdateRequested};
use crate::vocabulary::{
    EventId, Failure, Headers, PatchId, Payload, Place, RequestId, RunId, SignalName, Timestamp, WorkflowType,
};

/// One decision or one thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its sequence number.
    pub id: EventId,
    /// When it was taken in; never earlier than the event before it.
    pub at: Timestamp,
    /// Where the user's code asked for it; only events that come from commands have one.
    pub place: Option<Place>,
    /// What it is.
    pub kind: EventKind,
}

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $name:ident $(in $shared:ident)?,)+) => {
        /// What an event is. Cloning one is cheap: large bodies are shared.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* $name(event_kinds!(@body $name $(in $shared)?)),)+
        }

        impl EventKind {
            /// The names of all kinds, as they are stored.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// The name of this kind, as it is stored.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                }
            }
        }

        $(impl From<$name> for EventKind {
            fn from(body: $name) -> Self {
                Self::$name(body.into())
            }
        })+
    };
    (@body $name:ident) => { $name };
    (@body $name:ident in $shared:ident) => { $shared<$name> };
}

event_kinds! {
    /// Event 1 of every run.
    WorkflowStarted in Arc,
    /// The function returned a value. Closes the run.
    WorkflowCompleted,
    /// The function returned an error. Closes the run.
    WorkflowFailed in Arc,
    /// The function returned because of a cancel request. Closes the run.
    WorkflowCancelled,
    /// A client ended the run without asking its code. Closes the run.
    WorkflowTerminated,
    /// The run goes on as a new one with an empty history. Closes the run.
    WorkflowContinuedAsNew in Arc,
    /// A client asked the run to cancel.
    WorkflowCancelRequested,
    /// A signal was taken in.
    SignalReceived,
    /// The code came to a signal that is not of the type that it waits for, and went on without it.
    SignalSetAside,
    /// An update was taken in.
    UpdateRequested,
    /// The code has let the update in.
    UpdateAccepted,
    /// The code has not let the update in.
    UpdateRejected in Arc,
    /// The update's handler returned a value.
    UpdateCompleted,
    /// The update's handler returned an error.
    UpdateFailed in Arc,
    /// The code called an activity.
    ActivityScheduled in Arc,
    /// The activity returned a value.
    ActivityCompleted,
    /// The activity's last attempt failed.
    ActivityFailed in Arc,
    /// The code let go of the activity before its outcome.
    ActivityCancelled,
    /// The code asked the activity to stop, and waits for how it ends.
    ActivityCancelRequested,
    /// The code started to sleep.
    TimerStarted,
    /// The sleep is over.
    TimerFired,
    /// The code let go of the sleep before its end.
    TimerCancelled,
    /// The code asked for a side effect.
    SideEffectScheduled,
    /// The side effect ran; its value.
    SideEffectRecorded,
    /// The run goes the new way of a change to its code.
    PatchRecorded,
    /// The code started a child workflow.
    ChildWorkflowScheduled in Arc,
    /// The code asked the child to cancel, and waits for how it ends.
    ChildWorkflowCancelRequested,
    /// The code let go of the child before its outcome, and asked it to cancel. The child is on its own from then on.
    ChildWorkflowDropped,
    /// The child is open. Only where the code waits for that.
    ChildWorkflowStarted,
    /// There is no child: another run has its workflow ID.
    ChildWorkflowRefused,
    /// The child goes on as another run. Told once.
    ChildWorkflowContinued,
    /// The child returned a value.
    ChildWorkflowCompleted,
    /// The child returned an error.
    ChildWorkflowFailed in Arc,
    /// The child ended because of a cancel request.
    ChildWorkflowCancelled,
    /// The child was ended without asking its code.
    ChildWorkflowTerminated,
    /// The child took longer than it may.
    ChildWorkflowTimedOut,
    /// The code signalled another run.
    ExternalSignalRequested in Arc,
    /// The code asked another run to cancel.
    ExternalCancelRequested,
    /// What was asked of another run is in its inbox.
    ExternalDelivered,
    /// The run of which something was asked is closed, or there is none.
    ExternalRefused,
    /// The run took longer than it may. Closes the run.
    WorkflowTimedOut,
    /// A client has paused the run: its code rests until it is resumed.
    WorkflowPaused,
    /// A client has resumed the run.
    WorkflowResumed,
    /// The run begins as a copy of another one's events up to here.
    WorkflowReset in Arc,
    /// The code changed what the run can be found by.
    AttributesUpserted in Arc,
    /// The code changed what the run shows beside its history.
    MemoUpserted in Arc,
}

/// See [`EventKind::WorkflowCompleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowCompleted {
    /// What the function returned.
    pub result: Payload,
}

/// See [`EventKind::WorkflowFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowFailed {
    /// What the function returned.
    pub failure: Failure,
    /// The run as which it is tried again, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_as: Option<RunId>,
}

/// See [`EventKind::WorkflowCancelled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowCancelled {}

/// See [`EventKind::WorkflowTerminated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowTerminated {
    /// Why, in the client's words.
    pub reason: Arc<str>,
    /// The run as which it was reset, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_as: Option<RunId>,
}

/// See [`EventKind::WorkflowContinuedAsNew`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowContinuedAsNew {
    /// The code of the new run.
    pub workflow: WorkflowType,
    /// Its argument.
    pub input: Payload,
    /// The new run. Drawn from this run's random numbers, so that replay finds the same one.
    pub new_run_id: RunId,
    /// The headers of the new run. Never compared.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
}

/// See [`EventKind::WorkflowCancelRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowCancelRequested {
    /// The request's identity.
    pub request_id: RequestId,
    /// Why, in the client's words.
    pub reason: Arc<str>,
    /// The child that its parent means, by its first run; another run of the workflow ID passes it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
}

/// See [`EventKind::SignalReceived`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalReceived {
    /// The signal's name.
    pub signal: SignalName,
    /// Its argument.
    pub input: Payload,
    /// The message's identity, kept through continue-as-new.
    pub request_id: RequestId,
    /// What the sender let travel with it.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
}

/// See [`EventKind::SignalSetAside`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalSetAside {
    /// The signal's name.
    pub signal: SignalName,
    /// The message's identity. Compared at replay.
    pub request_id: RequestId,
    /// Why, for a person to read.
    pub reason: Arc<str>,
}

/// See [`EventKind::TimerStarted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimerStarted {
    /// When it is due. Compared at replay.
    pub due: Timestamp,
}

/// See [`EventKind::TimerFired`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimerFired {
    /// The event that started it.
    pub started: EventId,
}

/// See [`EventKind::TimerCancelled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimerCancelled {
    /// The event that started it.
    pub started: EventId,
}

/// See [`EventKind::SideEffectScheduled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideEffectScheduled {}

/// See [`EventKind::SideEffectRecorded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideEffectRecorded {
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// What the closure returned.
    pub value: Payload,
}

/// See [`EventKind::PatchRecorded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatchRecorded {
    /// Which change.
    pub patch: PatchId,
    /// Whether code that knows nothing of the change may pass over this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
}

impl EventKind {
    /// Whether this is what a command of the workflow's code became; every other event came through the inbox.
    #[must_use]
    pub fn is_command(&self) -> bool {
        match self {
            Self::WorkflowStarted(_)
            | Self::WorkflowTerminated(_)
            | Self::WorkflowCancelRequested(_)
            | Self::SignalReceived(_)
            | Self::UpdateRequested(_)
            | Self::ActivityCompleted(_)
            | Self::ActivityFailed(_)
            | Self::TimerFired(_)
            | Self::SideEffectRecorded(_)
            | Self::ChildWorkflowStarted(_)
            | Self::ChildWorkflowRefused(_)
            | Self::ChildWorkflowContinued(_)
            | Self::ChildWorkflowCompleted(_)
            | Self::ChildWorkflowFailed(_)
            | Self::ChildWorkflowCancelled(_)
            | Self::ChildWorkflowTerminated(_)
            | Self::ChildWorkflowTimedOut(_)
            | Self::ExternalDelivered(_)
            | Self::ExternalRefused(_)
            | Self::WorkflowTimedOut(_)
            | Self::WorkflowPaused(_)
            | Self::WorkflowResumed(_)
            | Self::WorkflowReset(_) => false,
            Self::ActivityScheduled(_)
            | Self::ActivityCancelled(_)
            | Self::ActivityCancelRequested(_)
            | Self::TimerStarted(_)
            | Self::TimerCancelled(_)
            | Self::SideEffectScheduled(_)
            | Self::PatchRecorded(_)
            | Self::SignalSetAside(_)
            | Self::UpdateAccepted(_)
            | Self::UpdateRejected(_)
            | Self::UpdateCompleted(_)
            | Self::UpdateFailed(_)
            | Self::ChildWorkflowScheduled(_)
            | Self::ChildWorkflowCancelRequested(_)
            | Self::ChildWorkflowDropped(_)
            | Self::ExternalSignalRequested(_)
            | Self::ExternalCancelRequested(_)
            | Self::AttributesUpserted(_)
            | Self::MemoUpserted(_) => true,
            Self::WorkflowCompleted(_)
            | Self::WorkflowFailed(_)
            | Self::WorkflowCancelled(_)
            | Self::WorkflowContinuedAsNew(_) => true,
        }
    }

    /// The request that this answers.
    #[must_use]
    pub fn answers(&self) -> Option<RequestId> {
        match self {
            Self::UpdateAccepted(body) => Some(body.request_id),
            Self::UpdateRejected(body) => Some(body.request_id),
            Self::UpdateCompleted(body) => Some(body.request_id),
            Self::UpdateFailed(body) => Some(body.request_id),
            _ => None,
        }
    }

    /// Whether this is the last event of its run.
    #[must_use]
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::WorkflowCompleted(_)
                | Self::WorkflowFailed(_)
                | Self::WorkflowCancelled(_)
                | Self::WorkflowTerminated(_)
                | Self::WorkflowTimedOut(_)
                | Self::WorkflowContinuedAsNew(_)
        )
    }

    /// The event whose outcome this is: the call, sleep or side effect that it ends. Each has one outcome at most.
    #[must_use]
    pub fn outcome_of(&self) -> Option<EventId> {
        match self {
            Self::ActivityCompleted(body) => Some(body.scheduled),
            Self::ActivityFailed(body) => Some(body.scheduled),
            Self::ActivityCancelled(body) => Some(body.scheduled),
            Self::TimerFired(body) => Some(body.started),
            Self::TimerCancelled(body) => Some(body.started),
            Self::SideEffectRecorded(body) => Some(body.scheduled),
            Self::ChildWorkflowDropped(body) => Some(body.scheduled),
            Self::ChildWorkflowRefused(body) => Some(body.scheduled),
            Self::ChildWorkflowCompleted(body) => Some(body.scheduled),
            Self::ChildWorkflowFailed(body) => Some(body.scheduled),
            Self::ChildWorkflowCancelled(body) => Some(body.scheduled),
            Self::ChildWorkflowTerminated(body) => Some(body.scheduled),
            Self::ChildWorkflowTimedOut(body) => Some(body.scheduled),
            Self::ExternalDelivered(body) => Some(body.requested),
            Self::ExternalRefused(body) => Some(body.requested),
            Self::WorkflowStarted(_)
            | Self::WorkflowCompleted(_)
            | Self::WorkflowFailed(_)
            | Self::WorkflowCancelled(_)
            | Self::WorkflowTerminated(_)
            | Self::WorkflowContinuedAsNew(_)
            | Self::WorkflowCancelRequested(_)
            | Self::SignalReceived(_)
            | Self::ActivityScheduled(_)
            | Self::ActivityCancelRequested(_)
            | Self::TimerStarted(_)
            | Self::SideEffectScheduled(_)
            | Self::PatchRecorded(_)
            | Self::SignalSetAside(_)
            | Self::UpdateRequested(_)
            | Self::UpdateAccepted(_)
            | Self::UpdateRejected(_)
            | Self::UpdateCompleted(_)
            | Self::UpdateFailed(_)
            | Self::ChildWorkflowScheduled(_)
            | Self::ChildWorkflowCancelRequested(_)
            | Self::ChildWorkflowStarted(_)
            | Self::ChildWorkflowContinued(_)
            | Self::ExternalSignalRequested(_)
            | Self::ExternalCancelRequested(_)
            | Self::WorkflowTimedOut(_)
            | Self::WorkflowPaused(_)
            | Self::WorkflowResumed(_)
            | Self::WorkflowReset(_)
            | Self::AttributesUpserted(_)
            | Self::MemoUpserted(_) => None,
        }
    }

    /// The child that tells this of itself: the event that scheduled it, and its first run.
    #[must_use]
    pub fn told_by_child(&self) -> Option<(EventId, RunId)> {
        match self {
            Self::ChildWorkflowStarted(body) => Some((body.scheduled, body.run_id)),
            Self::ChildWorkflowRefused(body) => Some((body.scheduled, body.run_id)),
            Self::ChildWorkflowContinued(body) => Some((body.scheduled, body.run_id)),
            Self::ChildWorkflowCompleted(body) => Some((body.scheduled, body.run_id)),
            Self::ChildWorkflowFailed(body) => Some((body.scheduled, body.run_id)),
            Self::ChildWorkflowCancelled(body) => Some((body.scheduled, body.run_id)),
            Self::ChildWorkflowTerminated(body) => Some((body.scheduled, body.run_id)),
            Self::ChildWorkflowTimedOut(body) => Some((body.scheduled, body.run_id)),
            _ => None,
        }
    }
}
