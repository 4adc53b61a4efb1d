//! Opening a run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::commit::NewRecord;
use super::message::{ClosingEvent, NewMessage};
use crate::vocabulary::{
    Attributes, EventId, IdReusePolicy, Memo, RequestId, RunId, RunKey, SemanticsVersion, TaskQueue,
    Timestamp, WorkerId, WorkflowType,
};

/// Opens a run with event 1, if the workflow ID allows it.
///
/// The store checks `request_id` first (a known one returns its first outcome), then the open run of the workflow ID
/// (`conflict`), then, if none is open, the run of it that was started last (`reuse`).
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The new run.
    pub run: RunKey,
    /// The identity of this write. Where it is the run ID, the run itself is all that need be kept of it.
    pub request_id: RequestId,
    /// The code that it is bound to.
    pub workflow: WorkflowType,
    /// The semantics that its history is written under; claims of older workers pass it by.
    pub semantics: SemanticsVersion,
    /// Where its tasks are picked up.
    pub task_queue: TaskQueue,
    /// Greater goes first; kept for claims to order by.
    pub priority: i32,
    /// The group within which turns are taken; kept for claims to order by.
    pub fairness_key: Option<Arc<str>>,
    /// What the run can be found by.
    pub attributes: Attributes,
    /// What it shows beside its history, as it passed the codec.
    pub memo: Memo,
    /// Event 1, alone in its record.
    pub record: NewRecord,
    /// The events from 2 on, of a run that begins as a copy of another; none for any other. Such a run may have open calls
    /// without rows: it counts as [`rowless`](super::OpenRun::rowless) until a commit says otherwise.
    pub copied: Vec<NewRecord>,
    /// What to do when the workflow ID is open.
    pub conflict: IdConflictPolicy,
    /// What to do when the workflow ID has closed before.
    pub reuse: IdReusePolicy,
    /// The worker that holds it from the start with token 1, if it is alive; else the run is open to claims, the first
    /// of which gets token 1.
    pub owner: Option<WorkerId>,
    /// Messages that lie in its inbox from the start, in order, from position 1, accepted at the time of event 1. The
    /// owner knows them: they are not shown to it again. Their request IDs may be those of messages sent before.
    pub inbox: Vec<NewMessage>,
    /// When it first needs a worker.
    pub wake_at: Timestamp,
    /// As in [`OpenRun`](super::OpenRun): whether others are to be told if it is terminated.
    pub dependents: bool,
}

impl Start {
    /// Whether the run that it opens says by its run ID that this is applied: then a store need keep no other identity.
    #[must_use]
    pub fn goes_by_run_id(&self) -> bool {
        self.request_id.0 == self.run.run_id.0
    }
}

/// What a start does when its workflow ID has an open run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IdConflictPolicy {
    /// Refuses with [`IdTaken`](super::Refusal::IdTaken).
    #[default]
    Reject,
    /// Returns the open run; nothing is started.
    UseExisting,
    /// Puts the messages of `inbox` into the open run's inbox, in order, as [`Send`](super::Send) would at the time of
    /// the new run's event 1; nothing is started. While that run's door is shut and it does not continue as new:
    /// [`RunClosed`](super::Refusal::RunClosed), and trying again soon starts the new run.
    SendToExisting,
    /// Ends the open run with this closing event as [`Terminate`](super::Terminate) does, at the time of the new
    /// run's event 1, and starts the new one; `reuse` is not asked.
    TerminateExisting(ClosingEvent),
    /// Ends the open run and starts the new one in its place; `reuse` is not asked.
    ReplaceExisting(Replacement),
}

/// The open run that a start takes the place of.
///
/// Refused with [`RunAdvanced`](super::Refusal::RunAdvanced) if another run is open, or if it has another head; if none
/// is open, the start goes on as if it had no policy. The open run ends as by [`Terminate`](super::Terminate), but what
/// its history has not taken in goes to the end of the new run's inbox, in order, with request IDs and times, and wakes
/// it; outcomes of its activities are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The run that is expected to be open.
    pub run: RunId,
    /// Its expected last event.
    pub head: EventId,
    /// How it ends.
    pub closing: ClosingEvent,
    /// When, by the store's time as the client knows it.
    pub at: Timestamp,
}

/// The run that holds a workflow ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingId {
    /// The open run, or the latest closed one.
    pub run: RunKey,
    /// How it closed; `None` while it is open.
    pub closed: Option<CloseStatus>,
}

/// How a run closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CloseStatus {
    /// Its function returned a value.
    Completed,
    /// Its function returned an error.
    Failed,
    /// It ended because of a cancel request.
    Cancelled,
    /// A client ended it.
    Terminated,
    /// It took longer than it may.
    TimedOut,
    /// It goes on as a new run of the same workflow ID.
    ContinuedAsNew,
}
