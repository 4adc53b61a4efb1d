//! What transactions of this process left behind: runs as they last were, and what else a step must know.
//!
//! It may be out of date, and is only ever believed under the condition that the server finds it true (`batch/unread`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use retell::vocabulary::{RunKey, WorkerId};

use crate::plan::{NOBODY, OPEN, Run, Worker};
use crate::time::{Instant, Source};

/// The most runs that are remembered; beyond that all are forgotten, and read again when they take their next step.
const RUNS_MAX: usize = 20_000;
/// The most workers that are remembered; a process has one or a few.
const WORKERS_MAX: usize = 64;
/// The most batches that are read for one that was wrongly believed.
const READ_MAX: u32 = 64;

/// What is remembered of a store.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Open runs that a worker holds.
    runs: HashMap<RunKey, Run>,
    /// The rows of workers that were alive.
    workers: HashMap<WorkerId, i64>,
    /// The server's time, and when it told.
    told: Option<(i64, std::time::Instant)>,
    /// How many batches are still to be read, and how many the next disappointment costs.
    wary: u32,
    price: u32,
}

impl Remembered {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a transaction has read: the time, and workers that are alive.
    pub(crate) fn read(&self, instant: Instant, workers: &HashMap<WorkerId, Worker>) {
        let mut memory = self.memory();
        memory.told = Some((instant.age, std::time::Instant::now()));
        if memory.workers.len() > WORKERS_MAX {
            memory.workers.clear();
        }
        let alive = workers.iter().filter(|(_, worker)| worker.expires_at > instant.age);
        memory.workers.extend(alive.map(|(id, worker)| (*id, worker.row)));
    }

    /// Keeps runs as a transaction has left them.
    pub(crate) fn keep(&self, left: Vec<Run>) {
        let mut memory = self.memory();
        if memory.runs.len() + left.len() > RUNS_MAX {
            memory.runs.clear();
        }
        for run in left {
            if run.status == OPEN && run.owner != NOBODY && run.door.is_none() {
                memory.runs.insert(run.key.clone(), run);
            } else {
                memory.runs.remove(&run.key);
            }
        }
    }

    /// Forgets a run that has another row than the remembered one.
    pub(crate) fn forget(&self, key: &RunKey) {
        self.memory().runs.remove(key);
    }

    /// A run as it was left.
    pub(crate) fn run(&self, key: &RunKey) -> Option<Run> {
        self.memory().runs.get(key).map(Run::left)
    }

    /// The number of a run's row. Like all such numbers it is right unless the run has been removed.
    pub(crate) fn row(&self, key: &RunKey) -> Option<i64> {
        self.memory().runs.get(key).map(|run| run.row)
    }

    /// The row of a worker that was alive.
    pub(crate) fn worker(&self, worker: WorkerId) -> Option<i64> {
        self.memory().workers.get(&worker).copied()
    }

    /// The age that leases and identities run on, about.
    pub(crate) fn age(&self, source: &Source) -> Option<i64> {
        match source {
            Source::Injected(_) => Some(source.instant(0).age),
            Source::Server => {
                let (age, told) = self.memory().told?;
                Some(age.saturating_add(i64::try_from(told.elapsed().as_micros()).unwrap_or(i64::MAX)))
            }
        }
    }

    /// Whether what is remembered may be believed now: not soon after it was wrong.
    pub(crate) fn is_trusted(&self) -> bool {
        let mut memory = self.memory();
        memory.wary = memory.wary.saturating_sub(1);
        memory.wary == 0
    }

    /// What was believed was true, or it was not.
    pub(crate) fn was_right(&self, right: bool) {
        let mut memory = self.memory();
        memory.price = if right { 1 } else { (memory.price * 2).clamp(2, READ_MAX) };
        memory.wary = if right { 0 } else { memory.price };
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").field("runs", &self.memory().runs.len()).finish_non_exhaustive()
    }
}
