//! The rows that a transaction works on: as they were read, and as its members leave them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use retell::vocabulary::{
    Attributes, EventId, Memo, Namespace, Payload, RequestId, RunId, RunKey, Timestamp, WorkerId, WorkflowId,
};
use retell::write::{Refusal, Target, TaskFailure};

use super::activity::Queued;
use super::request::Kept;
use super::run::{OPEN, Run};
use crate::names::Names;
use crate::time::Instant;

/// The row of nobody among workers.
pub(crate) const NOBODY: i64 = 0;

/// A workflow ID: its namespace's row, and itself.
pub(crate) type Place = (i64, WorkflowId);

/// All that a transaction has read, and what is to be written.
pub(crate) struct World<'a> {
    pub(crate) names: &'a Names,
    /// Wall time, the same for all members.
    pub(crate) now: Timestamp,
    /// The time that leases and identities run on, in microseconds.
    pub(crate) age: i64,
    pub(crate) workers: HashMap<WorkerId, Worker>,
    pub(crate) ids: HashMap<Place, IdRow>,
    pub(crate) runs: BTreeMap<i64, Run>,
    pub(crate) by_key: HashMap<RunKey, i64>,
    pub(crate) requests: HashMap<(i64, RequestId), Kept>,
    /// Queued activities by their runs' rows and events: all that the batch names.
    pub(crate) tasks: BTreeMap<(i64, EventId), Queued>,
    /// Which token wrote a record, by its run and first event: of those that a member must know.
    pub(crate) tokens: HashMap<(i64, u64), u64>,
    /// Row numbers for new runs.
    pub(crate) fresh: Vec<i64>,
    pub(crate) records: Vec<RecordRow>,
    /// The last answer to each request, and the run that gave it.
    pub(crate) answers: BTreeMap<(i64, RequestId), (i64, Bytes)>,
    /// What is left of the rows of runs that are removed: nothing.
    pub(crate) removed: Vec<i64>,
    pub(crate) heard: Heard,
}

/// A worker's row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worker {
    pub(crate) row: i64,
    /// At which age its lease ends.
    pub(crate) expires_at: i64,
}

/// The row of a workflow ID, locked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdRow {
    /// The run that was started last. If one is open it is this one.
    pub(crate) latest: Option<i64>,
    /// How many runs it has had.
    pub(crate) started: i64,
    pub(crate) dirty: bool,
    /// Whether it is believed to have no row.
    pub(crate) is_new: bool,
    /// For a member that removes the latest run: the one before it.
    pub(crate) before: Option<i64>,
}

/// A record to be written.
pub(crate) struct RecordRow {
    pub(crate) run: i64,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) at: Timestamp,
    pub(crate) token: u64,
    pub(crate) bytes: Bytes,
}

/// What changes of the wide part of a run's row. `None` stays as it is.
#[derive(Debug, Default)]
pub(crate) struct Details {
    /// What never changes; of new runs only.
    pub(crate) of_new: Option<(i32, Option<Bytes>)>,
    pub(crate) attributes: Option<Attributes>,
    pub(crate) memo: Option<Memo>,
    pub(crate) failure: Option<Option<TaskFailure>>,
    pub(crate) published: Option<Payload>,
    pub(crate) closing: Option<Closing>,
}

/// What a run has left.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) outcome: Bytes,
    pub(crate) continued_as: Option<RunId>,
}

/// What a transaction is announced as once it is committed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Something may be claimed or read.
    pub(crate) work: bool,
    /// A run has closed.
    pub(crate) closings: bool,
    /// A request was answered.
    pub(crate) answers: bool,
}

impl Heard {
    /// Whether there is anything to announce.
    pub(crate) fn is_something(self) -> bool {
        self != Self::default()
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            work: self.work | other.work,
            closings: self.closings | other.closings,
            answers: self.answers | other.answers,
        }
    }
}

impl<'a> World<'a> {
    /// Without any rows yet.
    pub(crate) fn over(names: &'a Names, instant: Instant, fresh: Vec<i64>) -> Self {
        Self {
            names,
            now: instant.now,
            age: instant.age,
            workers: HashMap::new(),
            ids: HashMap::new(),
            runs: BTreeMap::new(),
            by_key: HashMap::new(),
            requests: HashMap::new(),
            tasks: BTreeMap::new(),
            tokens: HashMap::new(),
            fresh,
            records: Vec::new(),
            answers: BTreeMap::new(),
            removed: Vec::new(),
            heard: Heard::default(),
        }
    }
}

impl World<'_> {
    /// The runs that were changed, as they are left.
    pub(crate) fn left(&self) -> Vec<Run> {
        self.runs.values().filter(|run| run.dirty).map(Run::left).collect()
    }

    /// The row of a worker whose lease has not run out.
    pub(crate) fn alive(&self, worker: WorkerId) -> Option<i64> {
        let worker = self.workers.get(&worker)?;
        (worker.expires_at > self.age).then_some(worker.row)
    }

    /// The row of a worker, alive or not.
    pub(crate) fn worker_row(&self, worker: WorkerId) -> Option<i64> {
        self.workers.get(&worker).map(|worker| worker.row)
    }

    pub(crate) fn run(&self, row: i64) -> &Run {
        self.runs.get(&row).expect("every row number here is of a run that was read or made")
    }

    pub(crate) fn run_mut(&mut self, row: i64) -> &mut Run {
        let run = self.runs.get_mut(&row).expect("every row number here is of a run that was read or made");
        run.dirty = true;
        run
    }

    pub(crate) fn place(&self, namespace: &Namespace, workflow_id: &WorkflowId) -> Option<Place> {
        Some((self.names.namespace(namespace)?, workflow_id.clone()))
    }

    /// The run that was started last under a workflow ID.
    pub(crate) fn latest(&self, namespace: &Namespace, workflow_id: &WorkflowId) -> Option<i64> {
        let id = self.ids.get(&self.place(namespace, workflow_id)?)?;
        id.latest.filter(|row| self.runs.contains_key(row))
    }

    /// The run that a target means, open or closed.
    pub(crate) fn find(&self, target: &Target) -> Option<i64> {
        let Target { namespace, workflow_id, run_id } = target.clone();
        match run_id {
            Some(run_id) => self.by_key.get(&RunKey { namespace, workflow_id, run_id }).copied(),
            None => self.latest(&namespace, &workflow_id),
        }
    }

    /// The open run that a target means.
    pub(crate) fn open_run(&self, target: &Target) -> Result<i64, Refusal> {
        let row = self.find(target).ok_or(Refusal::RunNotFound)?;
        let run = self.run(row);
        if run.status == OPEN { Ok(row) } else { Err(Refusal::RunClosed(run.key.clone())) }
    }

    /// Drops the queued activities of a run that closes.
    pub(crate) fn drop_open(&mut self, row: i64) {
        let run = self.run_mut(row);
        run.tasks_dropped = true;
        let of_run = (row, EventId(0))..=(row, EventId(u64::MAX));
        for (_, queued) in self.tasks.range_mut(of_run) {
            queued.now = None;
        }
        self.heard.closings = true;
    }
}
