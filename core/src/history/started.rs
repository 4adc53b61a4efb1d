//! A run's first event: what it was started with, and what follows from that for its time.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::child::ParentLink;
#[cfg(doc)]
use super::event::EventKind;
use super::runs::WorkflowReset;
use crate::vocabulary::{
    Attempt, Attributes, EventId, Failure, Headers, Memo, Payload, RetryPolicy, RunId, SemanticsVersion,
    TaskQueue, TimeoutKind, Timestamp, WorkflowType,
};

/// See [`EventKind::WorkflowStarted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowStarted {
    /// The code that the run is bound to.
    pub workflow: WorkflowType,
    /// The engine semantics that the history is written under.
    pub semantics: SemanticsVersion,
    /// The queue on which its tasks are picked up.
    pub task_queue: TaskQueue,
    /// The argument.
    pub input: Payload,
    /// What the run's random numbers start from.
    pub seed: u64,
    /// Its priority; a run that continues it inherits it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// Its fairness key; a run that continues it inherits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness_key: Option<Arc<str>>,
    /// What it was started with to be found by; a run that continues it inherits them.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// The run that continued as this one, or failed and is tried again as this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_from: Option<RunId>,
    /// The run that it is a child of; a run that continues it inherits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentLink>,
    /// What it was started with to travel with all that it calls; a run that continues it inherits them.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// What it was started with to be shown; a run that continues it inherits what is shown then.
    #[serde(default, skip_serializing_if = "Memo::is_empty")]
    pub memo: Memo,
    /// When its code begins, if that is later than this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    /// The longest that the run may take, from when its code begins; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Duration>,
    /// When it must have ended, with all runs that it continues as; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_deadline: Option<Timestamp>,
    /// When it is tried again if it fails; a run that continues it inherits the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<RetryPolicy>>,
    /// Which try it is.
    #[serde(default = "first_attempt", skip_serializing_if = "is_first_attempt")]
    pub attempt: Attempt,
    /// What the try before this one left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Box<Failure>>,
    /// The run whose events this one begins with a copy of, if it is not the first: the code sees it as its own run until
    /// a [`WorkflowReset`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<RunId>,
    /// What it came from, if it was reset to its first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Box<WorkflowReset>>,
}

impl WorkflowStarted {
    /// The first event of a run under today's semantics, and every option as it is unless it is set.
    #[must_use]
    pub fn new(workflow: WorkflowType, task_queue: TaskQueue, input: Payload, seed: u64) -> Self {
        Self {
            workflow,
            semantics: SemanticsVersion::CURRENT,
            task_queue,
            input,
            seed,
            priority: 0,
            fairness_key: None,
            attributes: Attributes::new(),
            continued_from: None,
            parent: None,
            headers: Headers::new(),
            memo: Memo::new(),
            begins_at: None,
            run_timeout: None,
            execution_deadline: None,
            retry: None,
            attempt: Attempt(1),
            last_failure: None,
            copied_from: None,
            reset: None,
        }
    }

    /// When the code begins, of a run whose first event is of this time.
    #[must_use]
    pub fn begins(&self, at: Timestamp) -> Timestamp {
        self.begins_at.map_or(at, |begins_at| begins_at.max(at))
    }

    /// When the run must have ended, and by which limit, if it has gone on since `since`.
    #[must_use]
    pub fn limit(&self, since: Timestamp) -> Option<(Timestamp, TimeoutKind)> {
        let run = self.run_timeout.map(|length| (self.begins(since) + length, TimeoutKind::Run));
        let execution = self.execution_deadline.map(|due| (due, TimeoutKind::Execution));
        run.into_iter().chain(execution).min()
    }

    /// When the run is tried again if it ends at `at` with this failure; `None` if that is the last word.
    #[must_use]
    pub fn retried_at(&self, run_id: RunId, failure: &Failure, at: Timestamp) -> Option<Timestamp> {
        let again = self.retry.as_ref()?.delay_in((run_id, EventId(1)), self.attempt, failure)?;
        Some(at + again).filter(|at| self.execution_deadline.is_none_or(|deadline| *at < deadline))
    }
}

fn first_attempt() -> Attempt {
    Attempt(1)
}

fn is_first_attempt(attempt: &Attempt) -> bool {
    *attempt == Attempt(1)
}

fn is_zero(priority: &i32) -> bool {
    *priority == 0
}
