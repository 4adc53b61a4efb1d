//! Everything that the store holds, and the one door for writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use retell::backend::Claimed;
use retell::clock::Clock;
use retell::vocabulary::{EventId, Namespace, RequestId, RunKey, SpreadIds, WorkerId, WorkflowId};
use retell::write::{ActivityVerdict, Applied, Outcome, Refusal, Target, Write};

use crate::activity::Task;
use crate::answer::Answers;
use crate::identity::Identities;
use crate::lease::Leases;
use crate::run::Run;

/// The store's whole state, behind one lock.
pub(crate) struct State {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) leases: Leases,
    pub(crate) identities: Identities,
    /// The last answer to a claim of each worker, and its number.
    pub(crate) claimed: HashMap<WorkerId, (u64, Claimed)>,
    pub(crate) answers: Answers,
    /// All runs, open and closed.
    pub(crate) runs: HashMap<RunKey, Run, SpreadIds>,
    /// The open ones among them.
    pub(crate) open: BTreeSet<RunKey>,
    /// The unsettled ones among them.
    pub(crate) unsettled: BTreeSet<RunKey>,
    /// The run of each workflow ID that was started last. If one is open it is this one.
    pub(crate) latest: HashMap<(Namespace, WorkflowId), RunKey>,
    /// How many runs have been started.
    pub(crate) started: u64,
    /// Queued activities; only open runs have any.
    pub(crate) tasks: BTreeMap<(RunKey, EventId), Task>,
    /// What waiters are to hear of once the lock is free.
    pub(crate) heard: Heard,
}

/// What a change is to be announced as.
#[derive(Default)]
pub(crate) struct Heard {
    /// Something may be claimed or read.
    pub(crate) work: bool,
    /// A run has closed.
    pub(crate) closings: bool,
    /// A request was answered.
    pub(crate) answers: bool,
}

impl State {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            leases: Leases::default(),
            identities: Identities::default(),
            claimed: HashMap::new(),
            answers: Answers::default(),
            runs: HashMap::default(),
            open: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            latest: HashMap::new(),
            started: 0,
            tasks: BTreeMap::new(),
            heard: Heard::default(),
        }
    }

    /// Applies one write, whole or not at all.
    pub(crate) fn apply(&mut self, write: &Write) -> Outcome {
        match write {
            Write::Start(start) => self.start_once(start),
            Write::Send(send) => self.send_once(send),
            Write::Terminate(terminate) => self.terminate_once(terminate),
            Write::Commit(commit) => self.commit(commit),
            Write::Remove(remove) => self.remove(&remove.run),
            // What changes nothing when it is applied again needs no memory of it.
            Write::Activity(report) if matches!(report.verdict, ActivityVerdict::Heartbeat { .. }) => {
                self.report(report)
            }
            Write::Activity(report) => self.once(&report.run.namespace, report.request_id, |state| {
                Ok((state.report(report)?, report.run.clone()))
            }),
        }
    }

    /// Applies what this request asks for, which also says what run it is about, or answers its first outcome. A refusal
    /// is not remembered.
    pub(crate) fn once(
        &mut self,
        namespace: &Namespace,
        request_id: RequestId,
        act: impl FnOnce(&mut Self) -> Result<(Applied, RunKey), Refusal>,
    ) -> Outcome {
        let elapsed = self.clock.elapsed();
        self.identities.forget_old(elapsed);
        if let Some(first) = self.identities.find(namespace, request_id) {
            return Ok(first.clone());
        }
        let (applied, about) = act(self)?;
        self.identities.keep(request_id, (applied.clone(), about), elapsed);
        Ok(applied)
    }

    /// The run that a target means, open or closed.
    pub(crate) fn find(&self, target: &Target) -> Option<RunKey> {
        let (namespace, workflow_id) = (target.namespace.clone(), target.workflow_id.clone());
        match target.run_id {
            Some(run_id) => Some(RunKey { namespace, workflow_id, run_id }),
            None => self.latest.get(&(namespace, workflow_id)).cloned(),
        }
        .filter(|run| self.runs.contains_key(run))
    }

    /// The open run that a target means.
    pub(crate) fn open_run(&self, target: &Target) -> Result<RunKey, Refusal> {
        let run = self.find(target).ok_or(Refusal::RunNotFound)?;
        if self.open.contains(&run) { Ok(run) } else { Err(Refusal::RunClosed(run)) }
    }

    /// Takes a run out of everything that only open runs are in.
    pub(crate) fn drop_open(&mut self, run: &RunKey) {
        self.open.remove(run);
        let tasks: Vec<EventId> = self.tasks_of(run).map(|(scheduled, _)| scheduled).collect();
        for scheduled in tasks {
            self.tasks.remove(&(run.clone(), scheduled));
        }
        self.heard.closings = true;
    }

    /// The queued activities of a run, by the event that scheduled them.
    pub(crate) fn tasks_of(&self, run: &RunKey) -> impl Iterator<Item = (EventId, &Task)> {
        self.tasks
            .range((run.clone(), EventId(0))..=(run.clone(), EventId(u64::MAX)))
            .map(|((_, scheduled), task)| (*scheduled, task))
    }
}
