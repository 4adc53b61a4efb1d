//! Activities that stand in a queue, and the ends of their attempts.

use std::time::Duration;

use super::message::NewMessage;
use crate::vocabulary::{
    ActivityName, Attempt, EventId, Failure, Payload, RequestId, RetryPolicy, RunKey, TaskQueue, Timestamp,
    WorkerId,
};

/// A call of an activity, put into a queue: an overflow, a retry, or work that a lost worker left.
#[derive(Debug, Clone, PartialEq)]
pub struct NewActivityTask {
    /// The event that scheduled it; with the run the task's identity.
    pub scheduled: EventId,
    /// Which activity.
    pub activity: ActivityName,
    /// Where it is picked up.
    pub task_queue: TaskQueue,
    /// Greater goes first; kept for claims to order by.
    pub priority: i32,
    /// The argument as it passed the codec.
    pub input: Payload,
    /// The attempt that the next claim runs.
    pub attempt: Attempt,
    /// When it may be claimed.
    pub visible_at: Timestamp,
    /// When failed attempts are tried again.
    pub retry: RetryPolicy,
    /// The longest that one attempt may take. Stores keep at least whole microseconds of it.
    pub start_to_close: Option<Duration>,
    /// When the whole call must have ended. A store keeps it for whoever runs an attempt; the run's holder acts on it.
    pub close_by: Option<Timestamp>,
    /// What the attempt before this one left.
    pub last_failure: Option<Failure>,
}

/// Says how an attempt of a queued activity ended.
///
/// Refused with [`TaskLost`](super::Refusal::TaskLost) unless the task stands in the queue, claimed by `worker` in
/// this attempt, and its run is open. The worker's lease is not asked: what it did counts until another has the task.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityReport {
    /// The run.
    pub run: RunKey,
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// The attempt.
    pub attempt: Attempt,
    /// Who ran it.
    pub worker: WorkerId,
    /// The identity of this write.
    pub request_id: RequestId,
    /// When, by the store's time as the worker knows it.
    pub at: Timestamp,
    /// What becomes of it.
    pub verdict: ActivityVerdict,
}

/// What becomes of a queued activity after an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum ActivityVerdict {
    /// It has its outcome: the row goes, and the message joins the run's inbox.
    Ended(NewMessage),
    /// It is tried again.
    Retry {
        /// The next attempt.
        attempt: Attempt,
        /// When it may be claimed.
        visible_at: Timestamp,
        /// What this attempt left.
        failure: Failure,
    },
    /// The worker gives it back unfinished; the same attempt may be claimed as before.
    Released,
}
