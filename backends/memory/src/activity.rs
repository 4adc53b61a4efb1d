//! Queued activities and the ends of their attempts.

use retell::vocabulary::{Attempt, Failure, Payload, Timestamp, WorkerId};
use retell::write::{ActivityReport, ActivityVerdict, Applied, NewActivityTask, Outcome, Refusal};

use crate::state::State;

/// A queued activity: what was scheduled, and where it stands.
pub(crate) struct Task {
    pub(crate) new: NewActivityTask,
    pub(crate) attempt: Attempt,
    pub(crate) visible_at: Timestamp,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) details: Option<Payload>,
    pub(crate) cancel_requested: bool,
    pub(crate) deferred: bool,
}

impl Task {
    /// A task as it was scheduled, by this worker.
    pub(crate) fn new(new: &NewActivityTask, by: WorkerId) -> Self {
        Self {
            attempt: new.attempt,
            visible_at: new.visible_at,
            last_failure: new.last_failure.clone(),
            worker: new.running.then_some(by),
            details: new.details.clone(),
            cancel_requested: false,
            deferred: false,
            new: new.clone(),
        }
    }

    /// Whether this worker runs this attempt of it.
    pub(crate) fn is_claimed(&self, worker: WorkerId, attempt: Attempt) -> bool {
        self.worker == Some(worker) && self.attempt == attempt
    }
}

impl State {
    pub(crate) fn report(&mut self, report: &ActivityReport) -> Outcome {
        let key = (report.run.clone(), report.scheduled);
        let task = self.tasks.get_mut(&key).ok_or(Refusal::TaskLost)?;
        let is_its_own = report.worker.is_none_or(|worker| task.worker == Some(worker));
        if !is_its_own || task.attempt != report.attempt {
            return Err(Refusal::TaskLost);
        }
        if let ActivityVerdict::Heartbeat { details, visible_at } = &report.verdict {
            if let Some(details) = details {
                task.details = Some(details.clone());
            }
            if let Some(at) = visible_at.filter(|_| task.deferred) {
                task.visible_at = at;
            }
            return Ok(Applied::Wanted { cancel_requested: task.cancel_requested });
        }
        self.heard.work = true;
        task.deferred = matches!(report.verdict, ActivityVerdict::Deferred { .. });
        match &report.verdict {
            ActivityVerdict::Ended(message) => {
                self.tasks.remove(&key);
                self.put(&report.run, message, report.at, true);
            }
            ActivityVerdict::Retry { attempt, visible_at, failure } => {
                task.worker = None;
                task.attempt = *attempt;
                task.visible_at = *visible_at;
                task.last_failure = Some(failure.clone());
            }
            ActivityVerdict::Released => task.worker = None,
            ActivityVerdict::Deferred { visible_at } => {
                task.worker = None;
                task.visible_at = *visible_at;
            }
            ActivityVerdict::Heartbeat { .. } => unreachable!("answered above"),
        }
        Ok(Applied::Reported)
    }
}
