//! What comes to a shard, and what it asks of the world.

use std::sync::Arc;

use super::activities::{EndedActivity, EndedSideEffect, Job};
use super::committer::Order;
use super::context::Life;
use super::first_task::{FirstTask, PendingStart};
use super::heartbeats::RowRequest;
use super::queries::Question;
use super::run::{Loaded, Standing, Trouble};
use super::running::Stop;
use crate::backend::{ClaimedRun, UnreadInbox};
use crate::vocabulary::{EventId, FencingToken, RunId, RunKey, WorkerId};
use crate::write::Outcome;

/// What comes to a shard.
pub(super) enum Input {
    /// A start with its first task.
    Start(Arc<PendingStart>),
    /// A run that was started, and is held here, without its first task.
    Begin(Box<FirstTask>),
    Claimed(Box<ClaimedRun>),
    Unread(UnreadInbox),
    /// What was read for a run, under this token and by this load.
    Loaded(RunId, (FencingToken, u32), Result<Loaded, Trouble>),
    Activity(Box<EndedActivity>),
    /// A call that runs without a row needs one.
    NeedsRow(RunId, FencingToken, RowRequest),
    /// A step of this run waits for its next attempt.
    Waits(RunId, FencingToken),
    /// Where the calls of this run stand.
    Looked(RunId, FencingToken, Standing),
    SideEffect(EndedSideEffect),
    /// What became of commits that this worker made, under the identity that it had then.
    Outcomes(WorkerId, Vec<(RunId, FencingToken, Outcome)>),
    /// Something foreign woke the code of this run while it was at rest.
    Alarm(RunId, FencingToken),
    /// This run was ended from outside.
    Terminated(RunId),
    /// Someone asks a run.
    Question(Question),
    /// A timer is due.
    Tick,
    /// The lease was lost: everything held is gone, and a new life begins.
    NewLife(Arc<Life>),
    /// Give everything back that does not run.
    Drain,
    /// The thread ends.
    Stop,
}

/// A history to be read.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) run: RunKey,
    pub(super) token: FencingToken,
    /// Which load of the run this is.
    pub(super) number: u32,
    /// The last event that it has.
    pub(super) head: EventId,
    /// Whether to find out which activities have a row in the queue.
    pub(super) find_queued: bool,
}

/// A look at where the calls of a run stand.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) run: RunKey,
    pub(super) token: FencingToken,
}

/// What a shard asks of the world.
#[derive(Default)]
pub(super) struct Effects {
    /// For the store, in one batch.
    pub(super) orders: Vec<Order>,
    pub(super) loads: Vec<Load>,
    pub(super) looks: Vec<Look>,
    /// User effects whose commands are already stored.
    pub(super) jobs: Vec<Job>,
    pub(super) stops: Vec<Stop>,
}
