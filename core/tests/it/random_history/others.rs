//! Random events of children, and of what is asked of other runs.

use retell::history::*;
use retell::vocabulary::*;

use super::Random;

impl Random {
    /// The kind of this name with random fields, if it is one of these.
    pub(super) fn kind_of_others(&mut self, name: &str) -> Option<EventKind> {
        let (scheduled, run_id) = (self.id(), RunId(self.uuid()));
        Some(match name {
            "ChildWorkflowScheduled" => self.child_scheduled(run_id).into(),
            "ChildWorkflowCancelRequested" => {
                ChildWorkflowCancelRequested { scheduled, workflow_id: self.workflow_id(), run_id }.into()
            }
            "ChildWorkflowDropped" => {
                ChildWorkflowDropped { scheduled, workflow_id: self.workflow_id(), run_id }.into()
            }
            "ChildWorkflowStarted" => ChildWorkflowStarted { scheduled, run_id }.into(),
            "ChildWorkflowRefused" => ChildWorkflowRefused { scheduled, run_id }.into(),
            "ChildWorkflowContinued" => ChildWorkflowContinued { scheduled, run_id }.into(),
            "ChildWorkflowCompleted" => {
                ChildWorkflowCompleted { scheduled, run_id, result: self.payload() }.into()
            }
            "ChildWorkflowFailed" => {
                ChildWorkflowFailed { scheduled, run_id, failure: self.failure() }.into()
            }
            "ChildWorkflowCancelled" => ChildWorkflowCancelled { scheduled, run_id }.into(),
            "ChildWorkflowTerminated" => {
                ChildWorkflowTerminated { scheduled, run_id, reason: self.text() }.into()
            }
            "ChildWorkflowTimedOut" => ChildWorkflowTimedOut { scheduled, run_id }.into(),
            "ExternalSignalRequested" => ExternalSignalRequested {
                headers: self.headers(),
                workflow_id: self.workflow_id(),
                run_id: self.optional(|random| RunId(random.uuid())),
                signal: SignalName::new(self.name()).unwrap(),
                input: self.payload(),
                unheard: self.flag(),
            }
            .into(),
            "ExternalCancelRequested" => ExternalCancelRequested {
                workflow_id: self.workflow_id(),
                run_id: self.optional(|random| RunId(random.uuid())),
                child: self.optional(|random| RunId(random.uuid())),
                reason: self.text(),
                unheard: self.flag(),
            }
            .into(),
            "ExternalDelivered" => {
                ExternalDelivered { requested: scheduled, request_id: RequestId(run_id.0) }.into()
            }
            "ExternalRefused" => {
                ExternalRefused { requested: scheduled, request_id: RequestId(run_id.0) }.into()
            }
            _ => return None,
        })
    }

    pub(super) fn parent_link(&mut self) -> ParentLink {
        ParentLink {
            workflow_id: self.workflow_id(),
            run_id: RunId(self.uuid()),
            scheduled: self.id(),
            child: RunId(self.uuid()),
            unheard: self.flag(),
            continued: self.flag(),
        }
    }

    fn child_scheduled(&mut self, run_id: RunId) -> ChildWorkflowScheduled {
        let (workflow, workflow_id, input) = (self.workflow(), self.workflow_id(), self.payload());
        ChildWorkflowScheduled {
            headers: self.headers(),
            task_queue: self.optional(|random| TaskQueue::new(random.name()).unwrap()),
            parent_close: [
                ParentClosePolicy::Terminate,
                ParentClosePolicy::RequestCancel,
                ParentClosePolicy::Abandon,
            ][self.below(3) as usize],
            conflict: self.optional(|random| ChildIdConflict::Terminate(random.text())).unwrap_or_default(),
            reuse: [IdReusePolicy::Allow, IdReusePolicy::AllowUnlessCompleted, IdReusePolicy::Reject]
                [self.below(3) as usize],
            attributes: self.attributes(),
            cancellation: [ChildCancellation::Try, ChildCancellation::Wait, ChildCancellation::Abandon]
                [self.below(3) as usize],
            tells_start: self.flag(),
            unheard: self.flag(),
            memo: self.memo(),
            start_delay: self.optional(Self::duration),
            run_timeout: self.optional(Self::duration),
            execution_timeout: self.optional(Self::duration),
            retry: self.optional(|random| Box::new(random.retry())),
            ..ChildWorkflowScheduled::new(workflow, workflow_id, run_id, input)
        }
    }

    fn workflow_id(&mut self) -> WorkflowId {
        WorkflowId::new(self.name()).unwrap()
    }
}
