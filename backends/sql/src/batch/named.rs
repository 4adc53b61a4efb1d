//! What the members of a batch name: all that is to be locked and read before they are planned.

use std::collections::{BTreeSet, HashSet};

use retell::vocabulary::{
    ActivityName, EventId, Namespace, RequestId, RunKey, TaskQueue, WorkerId, WorkflowId,
};
use retell::write::{
    ActivityReport, ActivityVerdict, Commit, Errand, IdConflictPolicy, Next, Start, Target, Write,
};

/// What a batch names.
#[derive(Default)]
pub(crate) struct Named<'a> {
    pub(crate) namespaces: HashSet<&'a Namespace>,
    /// Namespaces that get a number if they have none.
    pub(crate) made: HashSet<&'a Namespace>,
    pub(crate) starts: Vec<&'a Start>,
    pub(crate) activities: Vec<(&'a Namespace, &'a TaskQueue, &'a ActivityName)>,
    /// Workflow IDs whose latest run is meant or may change.
    pub(crate) ids: BTreeSet<(&'a Namespace, &'a WorkflowId)>,
    /// Those among them that are to be there.
    pub(crate) started: BTreeSet<(&'a Namespace, &'a WorkflowId)>,
    /// Those among them whose latest run may be removed.
    pub(crate) removed: BTreeSet<(&'a Namespace, &'a WorkflowId)>,
    pub(crate) runs: BTreeSet<&'a RunKey>,
    /// Runs that are only looked up: nothing of them changes.
    pub(crate) peeked: BTreeSet<&'a RunKey>,
    /// Workflow IDs whose latest run's inbox may be handed on.
    pub(crate) replaced: BTreeSet<(&'a Namespace, &'a WorkflowId)>,
    /// Runs whose inbox may be handed on.
    pub(crate) continued: BTreeSet<&'a RunKey>,
    pub(crate) requests: HashSet<(&'a Namespace, RequestId)>,
    pub(crate) workers: BTreeSet<WorkerId>,
    pub(crate) tasks: BTreeSet<(&'a RunKey, EventId)>,
    pub(crate) commits: Vec<&'a Commit>,
    /// Run keys of targets and starts, made here.
    pub(crate) targets: BTreeSet<RunKey>,
    /// How many runs may be opened.
    pub(crate) fresh: usize,
}

impl<'a> Named<'a> {
    /// What these writes name.
    pub(crate) fn of(writes: impl IntoIterator<Item = &'a Write>) -> Self {
        let mut named = Self::default();
        for write in writes {
            match write {
                Write::Start(start) => named.start(start),
                Write::Send(send) => named.target(&send.target, send.message.request_id),
                Write::Terminate(terminate) => named.target(&terminate.target, terminate.request_id),
                Write::Commit(commit) => named.commit(commit),
                Write::Remove(remove) => {
                    let id = (&remove.run.namespace, &remove.run.workflow_id);
                    named.namespaces.insert(id.0);
                    named.ids.insert(id);
                    named.removed.insert(id);
                    named.runs.insert(&remove.run);
                }
                Write::Activity(report) => named.report(report),
            }
        }
        named
    }

    fn opened(&mut self, start: &'a Start) {
        let id = (&start.run.namespace, &start.run.workflow_id);
        self.namespaces.insert(id.0);
        self.made.insert(id.0);
        self.ids.insert(id);
        self.started.insert(id);
        self.starts.push(start);
        self.workers.extend(start.owner);
        self.fresh += 1;
    }

    fn start(&mut self, start: &'a Start) {
        self.opened(start);
        self.runs.insert(&start.run);
        self.requests.insert((&start.run.namespace, start.request_id));
        if matches!(start.conflict, IdConflictPolicy::ReplaceExisting(_)) {
            self.replaced.insert((&start.run.namespace, &start.run.workflow_id));
        }
    }

    fn target(&mut self, target: &'a Target, request_id: RequestId) {
        let Target { namespace, workflow_id, run_id } = target;
        self.namespaces.insert(namespace);
        self.requests.insert((namespace, request_id));
        match run_id {
            None => _ = self.ids.insert((namespace, workflow_id)),
            Some(run_id) => {
                let (namespace, workflow_id) = (namespace.clone(), workflow_id.clone());
                self.targets.insert(RunKey { namespace, workflow_id, run_id: *run_id });
            }
        }
    }

    fn commit(&mut self, commit: &'a Commit) {
        let run = &commit.run;
        self.namespaces.insert(&run.namespace);
        self.runs.insert(run);
        self.workers.insert(commit.worker);
        self.requests.extend(commit.request_id.map(|request_id| (&run.namespace, request_id)));
        self.commits.push(commit);
        for task in &commit.schedule {
            self.activities.push((&run.namespace, &task.task_queue, &task.activity));
        }
        let scheduled = commit.schedule.iter().map(|task| task.scheduled);
        let ended = commit.ended.iter().map(|(scheduled, _)| *scheduled);
        let named = commit.cancelled.iter().chain(&commit.cancel_requested).copied();
        self.tasks.extend(scheduled.chain(ended).chain(named).map(|scheduled| (run, scheduled)));
        if let Next::Continued { successor, .. } = &commit.next {
            self.opened(successor);
            self.continued.insert(run);
        }
        for outgoing in &commit.outgoing {
            match &outgoing.errand {
                Errand::Send(send) => self.target(&send.target, send.message.request_id),
                Errand::Start(start) => self.start(start),
                Errand::Terminate(terminate) => self.target(&terminate.target, terminate.request_id),
            }
        }
    }

    fn report(&mut self, report: &'a ActivityReport) {
        let run = &report.run;
        self.namespaces.insert(&run.namespace);
        self.workers.extend(report.worker);
        self.tasks.insert((run, report.scheduled));
        if matches!(report.verdict, ActivityVerdict::Heartbeat { .. }) {
            self.peeked.insert(run);
        } else {
            self.runs.insert(run);
            self.requests.insert((&run.namespace, report.request_id));
        }
    }
}
