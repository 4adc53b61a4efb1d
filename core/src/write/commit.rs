//! What one workflow task leaves: all of it, or nothing.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::activity::NewActivityTask;
use super::message::{Answer, Outgoing};
use super::start::{CloseStatus, Start};
use crate::vocabulary::{
    Attempt, Attributes, EventId, FencingToken, Memo, Payload, Position, RequestId, RunKey, Timestamp,
    WorkerId,
};

/// Commits one workflow task; without a record, changes only how the run is held.
///
/// Conditions, read in this order and all before the first write:
/// 1. The run's head is `expected_head`. Else, if the record from `expected_head` + 1 was written by a commit under
///    `token`, it is this one, applied before: `Committed` again, whoever holds the run now and even if it is closed; if not,
///    [`LeaseLost`](super::Refusal::LeaseLost).
/// 2. The run is open (for [`Next::Settled`]: closed and unsettled), its token is `token`, `worker` holds it and has a
///    lease that has not run out, even if nobody took the run over (else `LeaseLost`).
/// 3. Each of `ended` stands in the queue, claimed by `worker` in that attempt (else
///    [`TaskLost`](super::Refusal::TaskLost)).
/// 4. If `next` closes the run, its inbox ends at `taken_in`, or its door is shut and `taken_in` reaches the door (else
///    [`InboxAdvanced`](super::Refusal::InboxAdvanced)).
///
/// A commit without a record leaves the head where it is. One that queues, ends or sends something therefore has a
/// request ID, which is looked for first: applied again, it is `Committed` again and changes nothing. Any other changes
/// nothing when it is applied again; if it gave the run up, the answer is `LeaseLost`.
/// The commit's time is that of its record as stored, or the store's own if it has none. `schedule` comes before
/// `ended`, `cancelled` and `cancel_requested`; the `outgoing` goes last, when `next` has been done.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Which run.
    pub run: RunKey,
    /// Its holder.
    pub worker: WorkerId,
    /// The holder's token.
    pub token: FencingToken,
    /// The last event before this commit.
    pub expected_head: EventId,
    /// The identity of this write, if it has no record and is not the same done twice.
    pub request_id: Option<RequestId>,
    /// The events, from `expected_head` + 1; `None` if there are none.
    pub record: Option<NewRecord>,
    /// The last inbox position that history has taken in; messages up to here leave the inbox.
    pub taken_in: Position,
    /// Activities that go to the queue. One that is there already stays as it is.
    pub schedule: Vec<NewActivityTask>,
    /// Queued activities whose outcome the record holds, in the attempt that this worker ran; they leave the queue.
    pub ended: Vec<(EventId, Attempt)>,
    /// Activities that the record cancels; they leave the queue if they are there.
    pub cancelled: Vec<EventId>,
    /// Activities that are asked to stop: rows that are there say so from now on, to heartbeats and to claims.
    pub cancel_requested: Vec<EventId>,
    /// What is asked of other runs, in order, each exactly once.
    pub outgoing: Vec<Outgoing>,
    /// What it answers requests with, in order. A later answer to a request takes the place of an earlier one; each is
    /// kept for [`IDENTITY_KEPT`](super::IDENTITY_KEPT) at least, whatever becomes of the run.
    pub answers: Vec<Answer>,
    /// What the run shows of itself from now on. Kept with the run, also when it has closed; no successor gets it.
    pub shown: Shown,
    /// What becomes of the run.
    pub next: Next,
}

/// What a run shows of itself, without its history. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// Its status, as it passed the codec.
    pub published: Option<Payload>,
    /// All that it can be found by.
    pub attributes: Option<Attributes>,
    /// All of its memo, as it passed the codec.
    pub memo: Option<Memo>,
}

/// Encoded events and what a store keeps beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// How many events, at least 1.
    pub count: u32,
    /// When the last of them was taken in. A store keeps the later of this and the time of the record before.
    pub at: Timestamp,
    /// [`encode_record`](crate::history::encode_record).
    pub bytes: Bytes,
}

/// What becomes of a run after a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It stays open. Opens its door again if it was shut: what came through it is shown to the holder like any message.
    Open(OpenRun),
    /// It is closed; its tasks and what is left of its inbox are dropped.
    Closed {
        /// How.
        status: CloseStatus,
        /// The closing event, encoded alone, so that a result is read without history.
        outcome: Bytes,
    },
    /// It is closed, and the successor is open in the same instant, whatever its ID policies say. What came through the shut door goes to the end of the successor's inbox, in order, with its request IDs and
    /// times, and wakes it; outcomes of this run's activities are dropped. The successor's owner is shown what came.
    Continued {
        /// How it closed: `ContinuedAsNew`, or, if it is tried again, as it failed.
        status: CloseStatus,
        /// The new run of the same workflow ID.
        successor: Box<Start>,
        /// The closing event, encoded alone.
        outcome: Bytes,
    },
    /// It was terminated, and all who depended on it are told with this commit, which has no record: it is settled.
    Settled,
}

/// How an open run is held and found after a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    /// When it next needs a worker, its inbox aside: its next timer, or `None`. If messages wait beyond `taken_in`, a
    /// store keeps the earlier of this and the commit's time.
    pub wake_at: Option<Timestamp>,
    /// Whether activities of it are running that have no row in the queue: a takeover must look at it.
    pub rowless: bool,
    /// Whether others are to be told if it is terminated: then it is left [unsettled](crate::backend::ClaimedRun).
    pub dependents: bool,
    /// Whether its code rests until it is resumed. For those who list runs.
    pub paused: bool,
    /// Whether the worker keeps it.
    pub hold: Hold,
    /// Why its last workflow task failed; `None` when it went well.
    pub failure: Option<TaskFailure>,
}

/// Whether a worker keeps a run after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It does.
    Keep,
    /// Nobody holds the run; any worker may claim it from `wake_at` on, or at once if a message waits.
    Release,
}

/// Why a workflow task failed, kept on the run until a later one goes well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailure {
    /// What class of failure.
    pub kind: TaskFailureKind,
    /// For a person to read: what happened, where, and the remedy.
    pub message: String,
    /// How many tasks in a row have failed.
    pub count: u32,
    /// When the last one failed.
    pub at: Timestamp,
}

/// Classes of task failures. None of them closes a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskFailureKind {
    /// The code asked for something else than history holds.
    Nondeterminism,
    /// The code awaits what is not ours, or what nothing can wake.
    ForeignAwait,
    /// The code panicked.
    Panic,
    /// The workflow's input or a stored event does not decode.
    Undecodable,
    /// The history is damaged, has a gap, or was written by a newer engine.
    History,
}
