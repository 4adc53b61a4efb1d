//! Children: scheduled, started, held, ended.
//!
//! A child's call has up to two waits, one after the other: for its start, and for its end. In between it is held, and
//! its end is kept for whoever awaits it.

use std::task::Waker;

use super::super::child::StartedChild;
use super::super::operations::{Kind, Reach, Resolution, Slot};
use super::{Aftermath, Manner, Released, State};
use crate::command::CommandKind;
use crate::history::{ActivityCancellation, ChildCancellation, ChildWorkflowScheduled};
use crate::vocabulary::{EventId, RunId, WorkflowId};

/// What a call of a child asks for.
pub(crate) struct ChildRequest {
    /// What the event will hold; the run ID is derived when it is issued.
    pub(crate) body: ChildWorkflowScheduled,
    /// The child's workflow ID, if the code gives it.
    pub(crate) workflow_id: Option<WorkflowId>,
}

/// An open child.
pub(in crate::replay) struct OpenChild {
    pub(in crate::replay) workflow_id: WorkflowId,
    pub(in crate::replay) run_id: RunId,
    /// Whether the code waits for its start.
    starting: bool,
    /// Whether the code holds it, so that its end is kept.
    held: bool,
    /// How it has ended, until the code asks.
    ended: Option<Box<Resolution>>,
}

impl State {
    pub(super) fn schedule_child(
        &mut self,
        request: ChildRequest,
        event: EventId,
    ) -> (Kind, ActivityCancellation, CommandKind) {
        let ChildRequest { mut body, workflow_id } = request;
        let given = workflow_id.is_some();
        body.run_id = self.run_id.derive_run(event, self.now);
        body.workflow_id = workflow_id.unwrap_or_else(|| unnamed(self.run_id, event));
        let child = OpenChild {
            workflow_id: body.workflow_id.clone(),
            run_id: body.run_id,
            starting: body.tells_start,
            held: false,
            ended: None,
        };
        let cancellation = manner_of(body.cancellation);
        (Kind::Child(Box::new(child)), cancellation, CommandKind::ScheduleChild(Box::new(body), given))
    }

    /// A child's command has become an event: what that says counts.
    pub(in crate::replay) fn child_recorded(&mut self, event: EventId, body: &ChildWorkflowScheduled) {
        let Some(slot) = self.operations.open(event) else { return };
        let operation = self.operations.operation(slot);
        operation.cancellation = manner_of(body.cancellation);
        if let Kind::Child(child) = &mut operation.kind {
            child.workflow_id.clone_from(&body.workflow_id);
            child.run_id = body.run_id;
        }
    }

    /// The child is open: tells the code, if it waits for that.
    pub(super) fn child_started(&mut self, event: EventId, aftermath: &mut Aftermath) -> Result<(), EventId> {
        let Some(slot) = self.operations.open(event) else { return Ok(()) };
        let operation = self.operations.operation(slot);
        let Kind::Child(child) = &mut operation.kind else { return Err(event) };
        if std::mem::take(&mut child.starting) && operation.attached {
            let (workflow_id, run_id) = (child.workflow_id.clone(), child.run_id);
            operation.outcome = Some(Resolution::Started(StartedChild { slot, workflow_id, run_id }));
            self.waiting -= 1;
            self.wake(slot, aftermath);
        }
        Ok(())
    }

    /// There is no child.
    pub(super) fn child_refused(&mut self, event: EventId, aftermath: &mut Aftermath) -> Result<(), EventId> {
        let Some(slot) = self.operations.open(event) else { return Ok(()) };
        let Kind::Child(child) = &self.operations.operation(slot).kind else { return Err(event) };
        let workflow_id = child.workflow_id.clone();
        self.resolve(event, Resolution::IdTaken(workflow_id), aftermath)
    }

    /// Keeps how a child has ended, if the code is to hear of something before it. Hands it back if not.
    pub(super) fn keep_for_later(
        &mut self,
        slot: Slot,
        resolution: Resolution,
        aftermath: &mut Aftermath,
    ) -> Option<Resolution> {
        let refused = matches!(resolution, Resolution::IdTaken(_));
        let operation = self.operations.operation(slot);
        let attached = operation.attached;
        let told = operation.outcome.is_some();
        let Kind::Child(child) = &mut operation.kind else { return Some(resolution) };
        let starting = child.starting && attached && !refused;
        if !(starting || told || child.held) {
            return Some(resolution);
        }
        child.ended = Some(Box::new(resolution));
        let event = operation.event;
        if starting {
            // Its end has come before the word of its start: one is told after the other.
            _ = self.child_started(event, aftermath);
        }
        self.operations.close(event);
        None
    }

    /// The code has learnt of the start: from now on it holds the child.
    pub(super) fn hold(&mut self, slot: Slot) -> Released {
        let operation = self.operations.operation(slot);
        operation.attached = false;
        if let Kind::Child(child) = &mut operation.kind {
            child.held = true;
        }
        let (first_polled, scope) = (operation.first_polled, operation.scope.take());
        let waker = operation.waker.take();
        if let Some(scope) = scope {
            scope.leave(first_polled);
        }
        Released::waker(waker)
    }

    /// The code lets go of a child that it holds. It goes on.
    pub(in crate::replay) fn unhold(&mut self, slot: Slot) -> Released {
        let operation = self.operations.operation(slot);
        let ended = match &mut operation.kind {
            Kind::Child(child) => {
                child.held = false;
                child.ended.is_some()
            }
            _ => false,
        };
        if ended { Released::operation(self.release(slot)) } else { Released::default() }
    }

    /// The code begins to wait for the end of a child that it holds.
    pub(in crate::replay) fn attach(&mut self, slot: Slot, manner: &Manner, waker: &Waker) {
        let first_polled = self.first_polls;
        self.first_polls += 1;
        let operation = self.operations.operation(slot);
        operation.location = manner.location;
        operation.shielded = manner.shielded;
        operation.first_polled = first_polled;
        operation.attached = true;
        operation.waker = Some(waker.clone());
        if let Kind::Child(child) = &mut operation.kind {
            child.held = false;
            operation.outcome = child.ended.take().map(|ended| *ended);
        }
        if operation.outcome.is_some() {
            return;
        }
        self.waiting += 1;
        let by_run = self.is_cancelled() && !manner.shielded;
        let cancelled = self.cancels(manner);
        let scope = manner.scope.clone().filter(|_| !cancelled);
        if let Some(scope) = &scope {
            scope.enter(first_polled, slot);
        }
        self.operations.operation(slot).scope = scope;
        if cancelled {
            let reach = if by_run { Reach::Run } else { Reach::Scope };
            self.cancel_await(slot, reach, &mut Aftermath::default());
        }
    }
}

fn manner_of(cancellation: ChildCancellation) -> ActivityCancellation {
    match cancellation {
        ChildCancellation::Try => ActivityCancellation::Try,
        ChildCancellation::Wait => ActivityCancellation::Wait,
        ChildCancellation::Abandon => ActivityCancellation::Abandon,
    }
}

/// The ID of a child that the code gives none.
fn unnamed(run: RunId, event: EventId) -> WorkflowId {
    WorkflowId::new(format!("{run}/{event}")).expect("a run ID and a number have less than 255 bytes")
}
