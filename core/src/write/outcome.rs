//! What became of a write.

use super::start::ExistingId;
use crate::vocabulary::{EventId, Position, RunId, RunKey};

/// What became of one member of a batch.
pub type Outcome = Result<Applied, Refusal>;

/// A write that is durably stored; or was, when it is applied again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied {
    /// The run is open.
    Started {
        /// The new run.
        run: RunKey,
        /// Whether the owner that the start named holds it.
        owned: bool,
    },
    /// Nothing was started; this run is open (`UseExisting`), or has the messages (`SendToExisting`).
    Existing(RunKey),
    /// The message is in this run's inbox.
    Sent(RunKey),
    /// The run is closed.
    Terminated(RunKey),
    /// The workflow task is committed.
    Committed {
        /// The last position of the run's inbox, now, also when the commit was applied before; beyond `taken_in`,
        /// messages wait.
        inbox: Position,
        /// The runs that its errands have opened and that its worker holds from the start, with token 1.
        started: Vec<RunId>,
    },
    /// The run is not there any more.
    Removed,
    /// The attempt has ended.
    Reported,
    /// The attempt is wanted still.
    Wanted {
        /// Whether its run has asked it to stop.
        cancel_requested: bool,
    },
}

/// A write that was not applied; nothing of it is stored, and the rest of its batch is untouched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The workflow ID is held by another run: choose another ID or another policy.
    #[error("workflow ID {:?} is taken by run {} ({})", .0.run.workflow_id, .0.run.run_id, closed(.0))]
    IdTaken(ExistingId),
    /// There is no such run.
    #[error("there is no such run")]
    RunNotFound,
    /// The run is closed, or closing.
    #[error("run {0} is closed")]
    RunClosed(RunKey),
    /// The run is open, or not settled: what was asked for is for closed ones.
    #[error("run {0} is open")]
    RunOpen(RunKey),
    /// The open run is another than the one to be replaced, or it has gone on to this event: read it again.
    #[error("the open run is now {run}, at event {head}")]
    RunAdvanced {
        /// The open run.
        run: RunKey,
        /// Its last event.
        head: EventId,
    },
    /// The run has another holder, or the worker's lease is over: throw the live run away.
    #[error("the lease of the run is lost")]
    LeaseLost,
    /// Messages came beyond `taken_in`, up to this position: take them in before the closing event and commit once more.
    ///
    /// The run's door is shut there from now on, until a commit leaves it open, a claim takes it over or it closes.
    /// What is sent meanwhile is refused with `RunClosed`, or, if the refused commit continues as new, accepted but
    /// kept from the holder. Outcomes of queued activities are accepted in either case. If a run that would continue
    /// as new is to close otherwise, what was kept for its successor must be taken in: `InboxAdvanced` once more.
    #[error("the inbox has advanced to position {0}")]
    InboxAdvanced(Position),
    /// The activity's task is not this worker's in this attempt: its result counts for nothing.
    #[error("the activity task is lost to another attempt, or its run is closed")]
    TaskLost,
    /// The store can never hold this value.
    #[error("the store cannot hold this: {0}")]
    Invalid(String),
}

fn closed(existing: &ExistingId) -> String {
    existing.closed.map_or_else(|| "open".to_owned(), |status| format!("closed: {status:?}"))
}
