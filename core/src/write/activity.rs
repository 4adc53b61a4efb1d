//! Activities that stand in a queue, and the ends of their attempts.

use bytes::Bytes;

use super::message::NewMessage;
use crate::vocabulary::{
    ActivityName, Attempt, EventId, Failure, Payload, RequestId, RunKey, TaskQueue, Timestamp, WorkerId,
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
    /// What is called: an encoded `ActivityScheduled` ([`encode_kind`](crate::history::encode_kind)).
    pub call: Bytes,
    /// The attempt that the next claim runs.
    pub attempt: Attempt,
    /// When it may be claimed.
    pub visible_at: Timestamp,
    /// When the whole call must have ended. A store keeps it for whoever runs an attempt; the run's holder acts on it.
    pub close_by: Option<Timestamp>,
    /// What the attempt before this one left.
    pub last_failure: Option<Failure>,
    /// What an attempt said last of how far it is, as it passed the codec.
    pub details: Option<Payload>,
    /// Whether the worker that commits runs this attempt already: then the row is claimed by it from the start.
    pub running: bool,
}

/// Says how an attempt of a queued activity stands, or how it ended.
///
/// Refused with [`TaskLost`](super::Refusal::TaskLost) unless the task stands in the queue, claimed by `worker` in
/// this attempt, and its run is open. The worker's lease is not asked: what it did counts until another has the task.
/// Without a worker it comes by a token, from outside: then the attempt alone is asked, whoever runs it or nobody.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityReport {
    /// The run.
    pub run: RunKey,
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// The attempt.
    pub attempt: Attempt,
    /// Who ran it; `None` if this comes by a token.
    pub worker: Option<WorkerId>,
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
    /// It goes on. Answered with [`Wanted`](super::Applied::Wanted), and not remembered: applied again, it does the same.
    Heartbeat {
        /// How far it is, as it passed the codec; kept until another attempt says more. `None` keeps what there was.
        details: Option<Payload>,
        /// If the row is deferred: until when it is so from now on.
        visible_at: Option<Timestamp>,
    },
    /// Nobody runs it any more: it ends from outside, by a token. Whoever claims it at `visible_at` is told that it is
    /// deferred, and what becomes of it is for the engine to say. Any other verdict but `Heartbeat` ends that.
    Deferred {
        /// When it may be claimed: when its time is over.
        visible_at: Timestamp,
    },
}
