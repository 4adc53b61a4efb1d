//! Queued activities and the ends of their attempts.

use retell::vocabulary::{Attempt, Failure, Timestamp, WorkerId};
use retell::write::{ActivityReport, ActivityVerdict, Applied, NewActivityTask, Outcome, Refusal};

use crate::state::State;

/// A queued activity: what was scheduled, and where it stands.
pub(crate) struct Task {
    pub(crate) new: NewActivityTask,
    pub(crate) attempt: Attempt,
    pub(crate) visible_at: Timestamp,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) worker: Option<WorkerId>,
}

impl Task {
    pub(crate) fn new(new: &NewActivityTask) -> Self {
        Self {
            attempt: new.attempt,
            visible_at: new.visible_at,
            last_failure: new.last_failure.clone(),
            worker: None,
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
        if !task.is_claimed(report.worker, report.attempt) {
            return Err(Refusal::TaskLost);
        }
        self.heard.work = true;
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
        }
        Ok(Applied::Reported)
    }
}
