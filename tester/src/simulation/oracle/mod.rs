//! The oracle: sees what the store does, below all faults, and knows what it must not do.
//!
//! It keeps a model of its own of leases, claims, histories and inboxes, and takes nobody's word for them. The first
//! promise that it sees broken is kept; the driver looks after each poll.

mod bodies;
mod ends;
mod errands;
mod run;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use retell::backend::{Claimed, LeaseAction, Renewal};
use retell::vocabulary::{Attempt, EventId, RequestId, RunId, RunKey, Timestamp, WorkerId};

use super::report::{Broken, Figures, ensure};
use crate::world::ProcessId;
use bodies::Body;
pub(super) use ends::Told;
use run::Run;

/// Both times of the world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) wall: Timestamp,
    pub(super) elapsed: Duration,
}

/// What is known of everything.
#[derive(Default)]
pub(super) struct Oracle {
    pub(super) figures: Figures,
    broken: Option<Broken>,
    /// When each lease runs out.
    leases: BTreeMap<WorkerId, Duration>,
    /// Who each process is, and was.
    workers: BTreeMap<ProcessId, WorkerId>,
    runs: BTreeMap<RunKey, Run>,
    /// In the order in which they were opened.
    order: Vec<RunKey>,
    /// Which run each start opened, and which message each request put where.
    requests: BTreeMap<RequestId, RunKey>,
    /// Messages that runs sent each other.
    errands: BTreeSet<RequestId>,
    tasks: BTreeMap<(RunKey, EventId), Task>,
    /// The last answer to a claim of each worker, and its number.
    answers: BTreeMap<WorkerId, (u64, Claimed)>,
    /// Calls whose outcome the store has accepted as a message.
    ended: BTreeSet<(RunKey, EventId)>,
    bodies: BTreeMap<(RunId, EventId, Attempt), Body>,
    /// What clients were told.
    told: Vec<Told>,
    /// The furthest that the wall clock was ever ahead of elapsed time, in microseconds.
    wall_ahead_max: Option<i64>,
    /// Whether the wall clock has jumped.
    pub(super) jumped: bool,
}

/// A queued activity.
struct Task {
    attempt: Attempt,
    visible_at: Timestamp,
    worker: Option<WorkerId>,
}

impl Oracle {
    /// The first promise that was broken.
    pub(super) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Keeps the first broken promise.
    pub(super) fn judge(&mut self, verdict: Result<(), Broken>) {
        if let (Err(broken), None) = (verdict, &self.broken) {
            self.broken = Some(broken);
        }
    }

    /// Learns how late it can be for anybody.
    pub(super) fn clock_stands_at(&mut self, now: Now) {
        let ahead = now.wall.as_micros() - i64::try_from(now.elapsed.as_micros()).unwrap_or(i64::MAX);
        self.wall_ahead_max = Some(self.wall_ahead_max.map_or(ahead, |max| max.max(ahead)));
    }

    /// Whether it is, or could have been taken for, that late.
    fn may_be(&self, due: Timestamp, now: Now) -> bool {
        let elapsed = i64::try_from(now.elapsed.as_micros()).unwrap_or(i64::MAX);
        self.wall_ahead_max.is_none_or(|ahead| due.as_micros() <= elapsed + ahead)
    }

    fn alive(&self, worker: WorkerId, now: Now) -> bool {
        self.leases.get(&worker).is_some_and(|end| now.elapsed < *end)
    }

    /// A lease was opened, prolonged or ended.
    pub(super) fn renewed(&mut self, process: ProcessId, renewal: &Renewal, now: Now) -> Result<(), Broken> {
        let (worker, alive) = (renewal.worker, self.alive(renewal.worker, now));
        let end = match &renewal.action {
            LeaseAction::Register { lease, .. } => {
                let fresh = !self.leases.contains_key(&worker);
                ensure!(alive || fresh, "H2", "worker {worker}, whose lease is over, was registered again");
                self.workers.insert(process, worker);
                now.elapsed + *lease
            }
            LeaseAction::Renew { lease } => {
                ensure!(alive, "H2", "the lease of worker {worker} was over, and was renewed");
                now.elapsed + *lease
            }
            LeaseAction::Retire => Duration::ZERO,
        };
        self.leases.insert(worker, end);
        Ok(())
    }

    /// Whether a terminated run waits for somebody to tell those who depend on it.
    pub(super) fn has_unsettled(&self) -> bool {
        self.runs.values().any(|run| run.unsettled)
    }

    /// The workflow IDs with an open run.
    pub(super) fn open(&self) -> impl Iterator<Item = &RunKey> {
        self.runs.iter().filter(|(_, run)| run.is_open()).map(|(key, _)| key)
    }
}
