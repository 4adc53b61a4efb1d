//! What commits of this process left behind: where runs stand that are held here, so that their next step need not be read.
//!
//! What is remembered is the whole of what decides. The script takes a step only if the state of the row is just that; else
//! the step is sent again as any commit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use retell::vocabulary::{EventId, FencingToken, Position, RunKey, Timestamp, WorkerId};
use retell::write::{Commit, Hold, NewRecord, Next, OpenRun, Shown};

/// The most runs that are remembered; beyond that all are forgotten, and read again when they take their next step.
const RUNS_MAX: usize = 20_000;

/// Where a run stands: held, with nothing in its inbox that its worker has not taken in, neither paused nor parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) worker: WorkerId,
    pub(crate) token: FencingToken,
    pub(crate) head: EventId,
    /// The time of the last event.
    pub(crate) last_at: Timestamp,
    pub(crate) inbox: Position,
    pub(crate) wake_at: Option<Timestamp>,
    pub(crate) rowless: bool,
    pub(crate) dependents: bool,
}

/// A commit that is no more than a record and the run's going on, and where it leaves the run.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) before: Standing,
    pub(crate) after: Standing,
    pub(crate) record: &'a NewRecord,
}

/// The runs that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<HashMap<RunKey, Standing>>);

impl Remembered {
    fn runs(&self) -> MutexGuard<'_, HashMap<RunKey, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps where a run stands.
    pub(crate) fn keep(&self, run: &RunKey, standing: Standing) {
        let mut runs = self.runs();
        if runs.len() >= RUNS_MAX {
            runs.clear();
        }
        runs.insert(run.clone(), standing);
    }

    /// Takes a commit's run out of memory; answers the step, if the commit is one.
    pub(crate) fn step<'a>(&self, commit: &'a Commit) -> Option<Step<'a>> {
        let before = self.runs().remove(&commit.run)?;
        Step::of(before, commit)
    }
}

impl<'a> Step<'a> {
    fn of(before: Standing, commit: &'a Commit) -> Option<Self> {
        let (record, open) = (commit.record.as_ref()?, going_on(commit)?);
        let continues = before.worker == commit.worker
            && before.token == commit.token
            && before.head == commit.expected_head
            && before.inbox == commit.taken_in;
        let after = Standing::of(commit, open, record.at.max(before.last_at), before.inbox);
        continues.then_some(Self { before, after, record })
    }
}

impl Standing {
    /// Where a commit left its run, by what the script said of it: the time of its last event, and the last position of
    /// its inbox.
    pub(crate) fn of(commit: &Commit, open: &OpenRun, last_at: Timestamp, inbox: Position) -> Self {
        let events = commit.record.as_ref().map_or(0, |record| record.count);
        let Commit { worker, token, expected_head, .. } = *commit;
        let OpenRun { wake_at, rowless, dependents, .. } = *open;
        let head = EventId(expected_head.0 + u64::from(events));
        Self { worker, token, head, last_at, inbox, wake_at, rowless, dependents }
    }
}

/// What goes on in the run, if that is all that the commit is about.
fn going_on(commit: &Commit) -> Option<&OpenRun> {
    let Commit { request_id, schedule, ended, cancelled, cancel_requested, outgoing, answers, .. } = commit;
    let queues =
        !(schedule.is_empty() && ended.is_empty() && cancelled.is_empty() && cancel_requested.is_empty());
    let tells = !(outgoing.is_empty() && answers.is_empty() && commit.shown == Shown::default());
    match &commit.next {
        Next::Open(open) if request_id.is_none() && !queues && !tells => {
            let is_plain = open.hold == Hold::Keep && !open.paused && open.failure.is_none();
            is_plain.then_some(open)
        }
        _ => None,
    }
}
