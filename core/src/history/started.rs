//! What a run's first event says of its time: when its code begins, when it must have ended, when it is tried again.

use super::event::WorkflowStarted;
use crate::vocabulary::{
    Attempt, Attributes, EventId, Failure, Headers, Memo, Payload, RunId, SemanticsVersion, TaskQueue,
    TimeoutKind, Timestamp, WorkflowType,
};

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
