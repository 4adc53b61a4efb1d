//! What runs ask of each other: modelled as the store must do it, and compared with what histories tell at the end.

use retell::history::{Event, EventKind};
use retell::vocabulary::{RunId, RunKey, WorkflowId};
use retell::write::{CloseStatus, Commit, Errand, IdConflictPolicy, IdReusePolicy, Start, Target, Terminate};

use super::super::report::{Broken, ensure};
use super::run::Run;
use super::{Now, Oracle};

impl Oracle {
    /// Does what a commit asks of other runs, as its store has.
    pub(super) fn run_errands(&mut self, commit: &Commit, now: Now) -> Result<(), Broken> {
        for outgoing in &commit.outgoing {
            match &outgoing.errand {
                Errand::Start(start) => self.start_of_errand(start, now)?,
                Errand::Terminate(terminate) => self.termination_of_errand(terminate)?,
                // Whether the other run's door was open is not known here: it may have the message.
                Errand::Send(send) => _ = self.errands.insert(send.message.request_id),
            }
        }
        Ok(())
    }

    fn start_of_errand(&mut self, start: &Start, now: Now) -> Result<(), Broken> {
        if self.requests.contains_key(&start.request_id) {
            return Ok(());
        }
        let id = &start.run.workflow_id;
        let open = self.open().find(|run| run.workflow_id == *id).cloned();
        match (open, &start.conflict) {
            (Some(open), IdConflictPolicy::TerminateExisting(closing)) => {
                self.terminate(&open, closing, start.record.at)?;
            }
            (Some(_), _) => return Ok(()),
            (None, _) => {
                let latest = self.order.iter().rev().find(|run| run.workflow_id == *id);
                let closed = latest.and_then(|run| self.runs[run].closed);
                if closed.is_some_and(|status| !may_reuse(start.reuse, status)) {
                    return Ok(());
                }
            }
        }
        self.requests.insert(start.request_id, start.run.clone());
        self.figures.children += 1;
        self.open_run(start, now)
    }

    fn termination_of_errand(&mut self, terminate: &Terminate) -> Result<(), Broken> {
        let Target { namespace, workflow_id, run_id } = &terminate.target;
        let is_meant = |run: &&RunKey| {
            run.namespace == *namespace
                && run.workflow_id == *workflow_id
                && run_id.is_none_or(|run_id| run.run_id == run_id)
        };
        let Some(run) = self.open().find(is_meant).cloned() else { return Ok(()) };
        if self.requests.insert(terminate.request_id, run.clone()).is_some() {
            return Ok(());
        }
        self.terminate(&run, &terminate.closing, terminate.at)
    }

    /// What a history tells of children is what came of them.
    pub(super) fn check_children(&self, run: &Run) -> Result<(), Broken> {
        for event in &run.events {
            let Some((scheduled, first)) = event.kind.told_by_child() else { continue };
            let Some(EventKind::ChildWorkflowScheduled(child)) = run.event(scheduled) else {
                return Err(Broken::new(
                    "H5",
                    format!("event {} of {} tells of no child", event.id, run.key),
                ));
            };
            ensure!(
                child.run_id == first,
                "H4",
                "event {} of {} tells of another run's child",
                event.id,
                run.key
            );
            let end = self.end_of_child(run, &child.workflow_id, first);
            let right = match (&event.kind, end) {
                (EventKind::ChildWorkflowCompleted(told), Some(EventKind::WorkflowCompleted(end))) => {
                    told.result == end.result
                }
                (EventKind::ChildWorkflowFailed(told), Some(EventKind::WorkflowFailed(end))) => {
                    told.failure == end.failure
                }
                (EventKind::ChildWorkflowCancelled(_), Some(EventKind::WorkflowCancelled(_)))
                | (EventKind::ChildWorkflowTerminated(_), Some(EventKind::WorkflowTerminated(_)))
                | (EventKind::ChildWorkflowStarted(_) | EventKind::ChildWorkflowContinued(_), Some(_))
                | (EventKind::ChildWorkflowRefused(_), None) => true,
                _ => false,
            };
            ensure!(right, "H4", "{} was told {event}, and its child came to {end:?}", run.key);
        }
        Ok(())
    }

    /// The closing event of the last run of a child.
    fn end_of_child(&self, parent: &Run, id: &WorkflowId, first: RunId) -> Option<&EventKind> {
        let last = self.runs_of_child(parent, id, first).last()?;
        last.event(last.head())
    }

    /// The runs of a child, from its first.
    fn runs_of_child(&self, parent: &Run, id: &WorkflowId, first: RunId) -> impl Iterator<Item = &Run> {
        let key = |run_id| RunKey { workflow_id: id.clone(), run_id, ..parent.key.clone() };
        std::iter::successors(self.runs.get(&key(first)), move |run| match run.event(run.head())? {
            EventKind::WorkflowContinuedAsNew(body) => self.runs.get(&key(body.new_run_id)),
            _ => None,
        })
    }

    /// Whether a child that a run's program counts on, or a child of that, was asked to cancel: the sum is another then.
    pub(super) fn lost_a_child(&self, run: &Run) -> bool {
        let cancelled = |event: &Event| matches!(event.kind, EventKind::WorkflowCancelRequested(_));
        run.events.iter().any(|event| match &event.kind {
            EventKind::ChildWorkflowScheduled(child) => self
                .runs_of_child(run, &child.workflow_id, child.run_id)
                .any(|child| child.events.iter().any(cancelled) || self.lost_a_child(child)),
            _ => false,
        })
    }
}

fn may_reuse(policy: IdReusePolicy, closed: CloseStatus) -> bool {
    match policy {
        IdReusePolicy::Allow => true,
        IdReusePolicy::AllowUnlessCompleted => closed != CloseStatus::Completed,
        IdReusePolicy::Reject => false,
    }
}
