//! Leases and claims: how workers come to hold runs and activities.

use std::time::Duration;

use bytes::Bytes;

use crate::vocabulary::{
    ActivityName, Attempt, EventId, Failure, FencingToken, Namespace, Payload, Position, RequestId, RunKey,
    SemanticsVersion, TaskQueue, Timestamp, WorkerId, WorkflowType,
};
use crate::write::TaskFailure;

/// What a worker asks for. Work that it does not serve is left alone, whatever stands before it (promise H11).
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Who asks; registered and alive.
    pub worker: WorkerId,
    /// The identity of this claim among the worker's: asked again under the number of its last one, the store answers
    /// what it answered then, at the time of then, whatever else is asked for. 0 has no identity, and is new each time.
    pub number: u64,
    /// The tenant.
    pub namespace: Namespace,
    /// The queue.
    pub task_queue: TaskQueue,
    /// The workflow names and versions that it serves.
    pub workflows: Vec<WorkflowType>,
    /// The newest semantics that it knows.
    pub semantics: SemanticsVersion,
    /// The most runs to answer with; 0 for none. Unread inboxes do not count.
    pub runs_max: usize,
    /// Groups of activities that share slots.
    pub activities: Vec<ActivityRequest>,
}

/// A group of activities and how many of them a worker has room for.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityRequest {
    /// The names that it serves.
    pub names: Vec<ActivityName>,
    /// The most to answer with; 0 for none.
    pub max: usize,
}

/// What a worker got.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claimed {
    /// The store's time.
    pub now: Timestamp,
    /// Runs that it holds from now on: open ones without a living holder that are due, or whose dead holder left
    /// rowless work, and unsettled ones without a living holder. Longest due first; ties in any order. Their doors are open.
    pub runs: Vec<ClaimedRun>,
    /// New messages for all runs that it held before, of any queue; each message is shown to a holder once.
    pub unread: Vec<UnreadInbox>,
    /// Activities that it runs from now on, in the order of the groups asked for; in each the longest visible first.
    pub activities: Vec<ClaimedActivity>,
    /// When something that it serves and no living worker holds is next due, if that lies ahead, whatever the most
    /// that it asked for; it need not ask before then unless something changes.
    pub next_due: Option<Timestamp>,
}

/// A run that needs a worker, and its new holder's token.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedRun {
    /// Which run.
    pub run: RunKey,
    /// Greater than that of every holder before.
    pub token: FencingToken,
    /// Its code.
    pub workflow: WorkflowType,
    /// Its last event.
    pub head: EventId,
    /// The last position that its history has taken in.
    pub taken_in: Position,
    /// What lies in its inbox beyond that, in order.
    pub inbox: Vec<InboxMessage>,
    /// Whether its last holder left running activities without a row in the queue.
    pub rowless: bool,
    /// Why its last workflow task failed, if it did.
    pub failure: Option<TaskFailure>,
    /// Whether it is closed and not settled: it was terminated while others depended on it, and whoever claims it
    /// tells them with a commit that says [`Settled`](crate::write::Next::Settled). Its code is not asked any more.
    pub unsettled: bool,
}

/// New messages for a run that the worker holds.
#[derive(Debug, Clone, PartialEq)]
pub struct UnreadInbox {
    /// Which run.
    pub run: RunKey,
    /// The worker's token.
    pub token: FencingToken,
    /// The messages, in order.
    pub messages: Vec<InboxMessage>,
}

/// A message that waits in an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxMessage {
    /// Its place in the inbox.
    pub position: Position,
    /// Its identity.
    pub request_id: RequestId,
    /// When it was accepted.
    pub at: Timestamp,
    /// An encoded event kind.
    pub body: Bytes,
}

/// A queued activity that a worker is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedActivity {
    /// Its run.
    pub run: RunKey,
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// Which activity.
    pub activity: ActivityName,
    /// What is called: an encoded `ActivityScheduled`.
    pub call: Bytes,
    /// The attempt to run. One more than its row's if the claim took it from a dead worker.
    pub attempt: Attempt,
    /// Whether a dead worker had it before.
    pub taken_over: bool,
    /// When the whole call must have ended.
    pub close_by: Option<Timestamp>,
    /// What the last attempt left.
    pub last_failure: Option<Failure>,
    /// What an attempt said last of how far it is, as it passed the codec.
    pub details: Option<Payload>,
    /// Whether its run has asked it to stop.
    pub cancel_requested: bool,
    /// Whether this attempt has run, was to end from outside, and has not done so in its time.
    pub deferred: bool,
}

/// A worker's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Whose lease.
    pub worker: WorkerId,
    /// What to do with it.
    pub action: LeaseAction,
}

/// What to do with a worker's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAction {
    /// Opens it. A worker ID is opened once; opening a living one again is the same request applied again, and prolongs
    /// it; one that is over stays over.
    Register {
        /// For people: host and process.
        identity: String,
        /// How long it lasts unless renewed.
        lease: Duration,
    },
    /// Prolongs it.
    Renew {
        /// How long it lasts from now.
        lease: Duration,
    },
    /// Ends it: what the worker still holds is free at once, as if it had died. Never refused.
    Retire,
}

/// A lease that was registered, renewed or retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// The store's time.
    pub now: Timestamp,
}
