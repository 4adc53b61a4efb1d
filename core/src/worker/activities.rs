//! User effects, activity bodies and side effects: what begins, and how it ended.

use std::sync::Arc;
use std::time::Duration;

use crate::activity::{ActivityDefinition, ActivityInfo, CancelFlag};
use crate::history::{ActivityCompleted, ActivityFailed, ActivityScheduled, EventKind};
use crate::replay::SideEffect;
use crate::vocabulary::{EventId, Failure, FailureKind, FencingToken, Payload, RunId, Timestamp, WorkerId};

/// A user effect that may begin: every earlier event is acknowledged.
pub(super) enum Job {
    Activity(Box<ActivityJob>),
    SideEffect(Box<SideEffectJob>),
}

/// An attempt of an activity.
pub(super) struct ActivityJob {
    /// Which one: what its body is told of it.
    pub(super) info: Arc<ActivityInfo>,
    /// The run's token at the time; meaningless for a queued one.
    pub(super) token: FencingToken,
    /// By which load of the run it was begun; says nothing of a queued one.
    pub(super) load: u32,
    pub(super) call: Arc<ActivityScheduled>,
    /// When the whole call must have ended.
    pub(super) close_by: Option<Timestamp>,
    /// Who claimed it from the queue; `None` if it has no row.
    pub(super) queued: Option<WorkerId>,
    /// By which its body is told to stop.
    pub(super) cancel: CancelFlag,
    /// What it does: a step has it from the beginning, an activity by name from when the job is started.
    pub(super) definition: Option<ActivityDefinition>,
}

/// A side effect's closure.
pub(super) struct SideEffectJob {
    pub(super) run_id: RunId,
    pub(super) token: FencingToken,
    pub(super) scheduled: EventId,
    pub(super) effect: SideEffect,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) struct EndedActivity {
    pub(super) info: Arc<ActivityInfo>,
    pub(super) token: FencingToken,
    pub(super) load: u32,
    pub(super) call: Arc<ActivityScheduled>,
    pub(super) close_by: Option<Timestamp>,
    pub(super) result: Result<Payload, Failure>,
    /// Whether its run has asked it to stop: then it is not tried again.
    pub(super) asked: bool,
    /// If it is to be ended from outside: until when.
    pub(super) deferred: Option<Timestamp>,
    /// What it said last, if that is to go into the row of the next attempt.
    pub(super) details: Option<Payload>,
    /// Who claimed it from the queue; `None` if it has no row.
    pub(super) queued: Option<WorkerId>,
    pub(super) at: Timestamp,
}

impl EndedActivity {
    /// How long to wait before it is tried again; `None` if it has its outcome.
    pub(super) fn retry_delay(&self) -> Option<Duration> {
        let failure = self.result.as_ref().err().filter(|_| !self.asked)?;
        let delay = self.call.retry.delay_in(self.info.call(), self.info.attempt, failure)?;
        // What would begin after the call's end need not wait for it.
        self.close_by.is_none_or(|close_by| self.at + delay < close_by).then_some(delay)
    }

    /// What history holds of it, if it is not tried again.
    pub(super) fn outcome(&self) -> EventKind {
        let (scheduled, attempt) = (self.info.scheduled, self.info.attempt);
        match &self.result {
            Ok(result) => ActivityCompleted { scheduled, attempt, result: result.clone() }.into(),
            Err(failure) => ActivityFailed { scheduled, attempt, failure: failure.clone() }.into(),
        }
    }
}

impl ActivityJob {
    /// The end of this attempt, as its outcome says and nothing else.
    pub(super) fn ended(self, result: Result<Payload, Failure>, at: Timestamp) -> EndedActivity {
        let Self { info, token, load, call, close_by, queued, .. } = self;
        let (asked, deferred, details) = (false, None, None);
        EndedActivity { info, token, load, call, close_by, result, asked, deferred, details, queued, at }
    }

    /// The end of a job that was asked to stop before it began.
    pub(super) fn never_begun(self, at: Timestamp) -> Box<EndedActivity> {
        let result = Err(Failure::of_kind(FailureKind::Cancelled, NEVER_BEGUN));
        Box::new(EndedActivity { asked: true, ..self.ended(result, at) })
    }
}

/// The message of a call that was cancelled before anybody began it.
pub(super) const NEVER_BEGUN: &str = "the activity was cancelled before its attempt began";

/// How a side effect ended.
#[derive(Debug, Clone)]
pub(super) struct EndedSideEffect {
    pub(super) run_id: RunId,
    pub(super) token: FencingToken,
    pub(super) scheduled: EventId,
    pub(super) value: Result<Payload, String>,
    pub(super) at: Timestamp,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::vocabulary::{ActivityName, Namespace, RunKey, WorkflowId};

    /// A job that only stands in line.
    pub(in crate::worker) fn job(scheduled: u64) -> Box<ActivityJob> {
        let run = RunKey {
            namespace: Namespace::default(),
            workflow_id: WorkflowId::new("order-42").unwrap(),
            run_id: RunId::fresh(),
        };
        let activity = ActivityName::new("charge").unwrap();
        Box::new(ActivityJob {
            info: Arc::new(ActivityInfo::first(run, activity.clone(), EventId(scheduled))),
            token: FencingToken(1),
            load: 0,
            call: Arc::new(ActivityScheduled::new(activity, Payload::encode(&()).unwrap())),
            close_by: None,
            queued: None,
            cancel: CancelFlag::default(),
            definition: None,
        })
    }
}
