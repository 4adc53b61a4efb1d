//! The events of updates: the request, whether the code let it in, and what came of it.
//!
//! All name the request by its ID, under which a store keeps the last of them that answers it.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::event::EventKind;
use crate::vocabulary::{Failure, Headers, Payload, RequestId, UpdateName};

/// See [`EventKind::UpdateRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateRequested {
    /// The update's name.
    pub update: UpdateName,
    /// Its argument.
    pub input: Payload,
    /// The request's identity, kept through continue-as-new; its answers are kept under it.
    pub request_id: RequestId,
    /// What the sender let travel with it.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
}

/// See [`EventKind::UpdateAccepted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateAccepted {
    /// The request. Compared at replay.
    pub request_id: RequestId,
}

/// See [`EventKind::UpdateRejected`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateRejected {
    /// The request. Compared at replay.
    pub request_id: RequestId,
    /// What refused it.
    pub refusal: UpdateRefusal,
    /// Why.
    pub failure: Failure,
}

/// What refuses an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum UpdateRefusal {
    /// Its validator returned an error, or panicked.
    Validator,
    /// Its argument is not of the type that the handler takes.
    Argument,
    /// The code handles updates, and none of its name.
    Unknown,
}

/// See [`EventKind::UpdateCompleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateCompleted {
    /// The request. Compared at replay.
    pub request_id: RequestId,
    /// What the handler returned.
    pub result: Payload,
}

/// See [`EventKind::UpdateFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateFailed {
    /// The request. Compared at replay.
    pub request_id: RequestId,
    /// What the handler returned.
    pub failure: Failure,
}
