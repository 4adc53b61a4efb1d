//! What can be read of a store without touching a history.

use std::sync::Arc;

use bytes::Bytes;

use crate::vocabulary::{
    ActivityName, Attempt, AttributeValue, Attributes, EventId, Failure, Memo, Namespace, Payload, RequestId,
    RunId, RunKey, TaskQueue, Timestamp, WorkerId, WorkflowId, WorkflowName, WorkflowType,
};
use crate::write::{CloseStatus, TaskFailure};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// Open.
    Running,
    /// Closed, and how.
    Closed(CloseStatus),
}

/// A run as it stands, without its history.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// Which run.
    pub run: RunKey,
    /// Its code.
    pub workflow: WorkflowType,
    /// Its queue.
    pub task_queue: TaskQueue,
    /// Greater goes first.
    pub priority: i32,
    /// The group within which turns are taken.
    pub fairness_key: Option<Arc<str>>,
    /// What it can be found by.
    pub attributes: Attributes,
    /// What else it shows, as it passed the codec.
    pub memo: Memo,
    /// Open, or how it closed.
    pub status: RunStatus,
    /// When it started: the time of event 1.
    pub started_at: Timestamp,
    /// When it closed: the time of its last event.
    pub closed_at: Option<Timestamp>,
    /// Its last event.
    pub head: EventId,
    /// How many messages wait in its inbox.
    pub inbox: u64,
    /// When it next needs a worker, if it is open.
    pub wake_at: Option<Timestamp>,
    /// Who holds it, alive or not; nobody once it is closed.
    pub owner: Option<WorkerId>,
    /// Why its last workflow task failed, if it did; kept by a termination.
    pub failure: Option<TaskFailure>,
    /// The closing event, encoded alone ([`decode_kind`](crate::history::decode_kind)).
    pub outcome: Option<Bytes>,
    /// The run that it continued as.
    pub continued_as: Option<RunId>,
    /// What it shows of its state, as it passed the codec.
    pub published: Option<Payload>,
    /// Whether its code rests until it is resumed.
    pub paused: bool,
}

/// A request whose answer is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AnswerKey {
    /// The tenant.
    pub namespace: Namespace,
    /// The workflow ID that the request was sent to; where a store keeps its answer.
    pub workflow_id: WorkflowId,
    /// The request.
    pub request_id: RequestId,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The run that gave it.
    pub run: RunKey,
    /// An encoded event kind.
    pub body: Bytes,
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRequest {
    /// The tenant.
    pub namespace: Namespace,
    /// Only of this workflow ID.
    pub workflow_id: Option<WorkflowId>,
    /// Only of this workflow name.
    pub workflow: Option<WorkflowName>,
    /// Only of this status.
    pub status: StatusFilter,
    /// Only with attributes that meet all of these.
    pub attributes: Vec<AttributeFilter>,
    /// The most runs on a page, 1 to 1,000.
    pub page_size: usize,
    /// Where the page before ended; `None` for the first.
    pub after: Option<PageToken>,
}

/// A filter on where runs stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StatusFilter {
    /// All.
    #[default]
    Any,
    /// Open ones.
    Open,
    /// Open ones whose last workflow task failed.
    Parked,
    /// Open ones whose code rests until they are resumed.
    Paused,
    /// Closed ones.
    Closed,
    /// Those that closed so.
    ClosedAs(CloseStatus),
}

/// A condition on an attribute. A run without the attribute, or with a value of another type, does not meet it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeFilter {
    /// The attribute's name.
    pub name: Arc<str>,
    /// What its value must be.
    pub value: AttributeMatch,
}

/// See [`AttributeFilter`]. Texts compare by their bytes, `false` comes before `true`.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeMatch {
    /// Equal to this.
    Is(AttributeValue),
    /// This or greater.
    AtLeast(AttributeValue),
    /// This or less.
    AtMost(AttributeValue),
}

/// Where a page ended: the start time and ID of its last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageToken {
    /// When that run started.
    pub started_at: Timestamp,
    /// That run.
    pub run_id: RunId,
}

/// A page of runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Newest start first; among equals the greater run ID first.
    pub runs: Vec<RunInfo>,
    /// Where to go on; `None` on the last page.
    pub next: Option<PageToken>,
}

/// An activity that stands in a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedActivity {
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// Which activity.
    pub activity: ActivityName,
    /// The attempt that runs or is next.
    pub attempt: Attempt,
    /// When it may be claimed.
    pub visible_at: Timestamp,
    /// Who runs it, alive or not.
    pub worker: Option<WorkerId>,
    /// What the last attempt left.
    pub last_failure: Option<Failure>,
    /// What an attempt said last of how far it is, as it passed the codec.
    pub details: Option<Payload>,
    /// Whether its run has asked it to stop.
    pub cancel_requested: bool,
    /// Whether it waits to be ended from outside.
    pub deferred: bool,
}

/// What a namespace holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Open runs.
    pub open: u64,
    /// Open runs whose last workflow task failed.
    pub parked: u64,
    /// Closed runs.
    pub closed: u64,
    /// Queued activities.
    pub queued: u64,
    /// Messages in inboxes.
    pub messages: u64,
}
