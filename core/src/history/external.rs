//! The events of what a run asks of runs that are not its children.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::event::EventKind;
use crate::vocabulary::{EventId, Headers, Payload, RequestId, RunId, SignalName, WorkflowId};

/// See [`EventKind::ExternalSignalRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExternalSignalRequested {
    /// Whom it is for. Compared at replay.
    pub workflow_id: WorkflowId,
    /// One run of it, or the open one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The signal's name. Compared at replay.
    pub signal: SignalName,
    /// Its argument. Compared at replay.
    pub input: Payload,
    /// What travels with it.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// Whether this run is not told what became of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
}

/// See [`EventKind::ExternalCancelRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExternalCancelRequested {
    /// Whom it is for. Compared at replay.
    pub workflow_id: WorkflowId,
    /// One run of it, or the open one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// If it is a child of this run: its first run. Whichever run goes on with it is asked, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
    /// Why, in the code's words.
    pub reason: Arc<str>,
    /// Whether this run is not told what became of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
}

/// See [`EventKind::ExternalDelivered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExternalDelivered {
    /// The event that asked for it.
    pub requested: EventId,
    /// What the request is known by, here and there.
    pub request_id: RequestId,
}

/// See [`EventKind::ExternalRefused`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExternalRefused {
    /// The event that asked for it.
    pub requested: EventId,
    /// What the request is known by, here and there.
    pub request_id: RequestId,
}
