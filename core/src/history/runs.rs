//! The events of a run as a whole: its limits, its rests, its copies, and what it shows of itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::EventKind;
use crate::vocabulary::{Attributes, EventId, Memo, RequestId, RunId, TimeoutKind};

/// See [`EventKind::WorkflowTimedOut`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowTimedOut {
    /// Which limit was passed.
    pub limit: TimeoutKind,
    /// How many events directly before this one were taken in without asking the code, since its time was over. Replay
    /// does not show them to it either.
    #[serde(default, skip_serializing_if = "is_none")]
    pub absorbed: u32,
    /// The run as which it is tried again, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_as: Option<RunId>,
}

/// See [`EventKind::WorkflowPaused`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowPaused {
    /// The request's identity.
    pub request_id: RequestId,
    /// Why, in the client's words.
    pub reason: Arc<str>,
}

/// See [`EventKind::WorkflowResumed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowResumed {
    /// The request's identity.
    pub request_id: RequestId,
}

/// See [`EventKind::WorkflowReset`].
///
/// What lies before it is told to the code as that of the run it was copied from; from here on the code sees `run_id` as
/// its run, and draws its random numbers from `seed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowReset {
    /// The run that was copied.
    pub from: RunId,
    /// The last event that was copied.
    pub to: EventId,
    /// The run that goes on from here.
    pub run_id: RunId,
    /// What its random numbers start from.
    pub seed: u64,
    /// Why, in the client's words.
    pub reason: Arc<str>,
    /// The request's identity.
    pub request_id: RequestId,
}

/// See [`EventKind::AttributesUpserted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributesUpserted {
    /// The attributes that are set, with their new values. Replay compares the names.
    pub attributes: Attributes,
    /// The attributes that are removed. Compared at replay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Arc<str>>,
}

/// See [`EventKind::MemoUpserted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemoUpserted {
    /// The entries that are set, with their new values. Replay compares the names.
    pub memo: Memo,
    /// The entries that are removed. Compared at replay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Arc<str>>,
}

impl AttributesUpserted {
    /// Changes these as it says.
    pub(crate) fn apply(&self, attributes: &mut Attributes) {
        attributes.extend(self.attributes.clone());
        attributes.retain(|name, _| !self.removed.contains(name));
    }
}

impl MemoUpserted {
    /// Changes this as it says.
    pub(crate) fn apply(&self, memo: &mut Memo) {
        memo.extend(self.memo.clone());
        memo.retain(|name, _| !self.removed.contains(name));
    }
}

fn is_none(absorbed: &u32) -> bool {
    *absorbed == 0
}

impl EventKind {
    /// The run that whoever waits for the result of a run which closes so waits for next.
    #[must_use]
    pub fn goes_on_as(&self) -> Option<RunId> {
        match self {
            Self::WorkflowContinuedAsNew(body) => Some(body.new_run_id),
            Self::WorkflowFailed(body) => body.retried_as,
            Self::WorkflowTimedOut(body) => body.retried_as,
            Self::WorkflowTerminated(body) => body.reset_as,
            _ => None,
        }
    }

    /// Whether this is a message to the run that no call of its code waits for.
    pub(crate) fn is_message(&self) -> bool {
        let first = matches!(self, Self::WorkflowStarted(_) | Self::WorkflowReset(_));
        !(first || self.is_command() || self.closes() || self.outcome_of().is_some())
    }

    /// The identity of the message that this event came by, if clients send such.
    #[must_use]
    pub fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::SignalReceived(body) => Some(body.request_id),
            Self::WorkflowCancelRequested(body) => Some(body.request_id),
            Self::UpdateRequested(body) => Some(body.request_id),
            Self::WorkflowPaused(body) => Some(body.request_id),
            Self::WorkflowResumed(body) => Some(body.request_id),
            _ => None,
        }
    }
}
