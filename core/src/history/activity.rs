//! The events of activities, and of steps: calls, and how they ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::event::EventKind;
use crate::vocabulary::{ActivityName, Attempt, EventId, Failure, Headers, Payload, RetryPolicy, TaskQueue};

/// See [`EventKind::ActivityScheduled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityScheduled {
    /// Which activity.
    pub activity: ActivityName,
    /// Its argument. Compared at replay.
    pub input: Payload,
    /// The queue, if it is not the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<TaskQueue>,
    /// When failed attempts are tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryPolicy,
    /// The longest that one attempt may take; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_to_close: Option<Duration>,
    /// Whether it runs where the workflow task runs, and never stands in a queue: a step, or a local activity. Compared
    /// at replay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
    /// Whether its outcome need not be stored before a further such step begins. Never compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub commit_later: bool,
    /// The longest that the whole call may take, from this event's time; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_close: Option<Duration>,
    /// How long it may wait for its first attempt, from this event's time; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_to_start: Option<Duration>,
    /// How long an attempt may be silent; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Duration>,
    /// What a cancellation of the call does.
    #[serde(default, skip_serializing_if = "ActivityCancellation::is_try")]
    pub cancellation: ActivityCancellation,
    /// What travels with the call into its attempts. Never compared.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
}

/// What a cancellation of an activity's call does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ActivityCancellation {
    /// The call ends at once; its body is stopped, and what it still does goes unheard.
    #[default]
    Try,
    /// The body is asked to stop; the call ends as the body does.
    Wait,
    /// The call ends at once; its body goes on, and its outcome is recorded for nobody.
    Abandon,
}

impl ActivityCancellation {
    fn is_try(&self) -> bool {
        *self == Self::Try
    }
}

impl ActivityScheduled {
    /// A call of an activity with this argument, and every option as it is unless it is set.
    #[must_use]
    pub fn new(activity: ActivityName, input: Payload) -> Self {
        Self {
            activity,
            input,
            task_queue: None,
            retry: RetryPolicy::default(),
            start_to_close: None,
            schedule_to_close: None,
            schedule_to_start: None,
            heartbeat: None,
            cancellation: ActivityCancellation::default(),
            local: false,
            headers: Headers::new(),
            commit_later: false,
        }
    }
}

/// See [`EventKind::ActivityCompleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityCompleted {
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// The attempt that ended it.
    pub attempt: Attempt,
    /// What it returned.
    pub result: Payload,
}

/// See [`EventKind::ActivityFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityFailed {
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// The attempt that ended it.
    pub attempt: Attempt,
    /// What its last attempt left.
    pub failure: Failure,
}

/// See [`EventKind::ActivityCancelled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityCancelled {
    /// The event that scheduled it.
    pub scheduled: EventId,
}

/// See [`EventKind::ActivityCancelRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityCancelRequested {
    /// The event that scheduled it.
    pub scheduled: EventId,
}

fn is_default(policy: &RetryPolicy) -> bool {
    *policy == RetryPolicy::default()
}
