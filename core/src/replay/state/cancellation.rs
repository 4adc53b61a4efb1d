//! What a cancellation does to the call of an activity, as its kind says.
//!
//! The kind that history holds goes on to apply after a change of the code. `Wait` leaves an `ActivityCancelRequested`
//! and the call open; `Abandon` leaves nothing, and the call open for nobody; `Try` leaves an `ActivityCancelled`.

use super::super::operations::{Kind, Operation, Reach, Slot};
use super::{Released, State};
use crate::command::CommandKind;
use crate::history::{ActivityCancellation, ChildWorkflowCancelRequested};
use crate::vocabulary::EventId;

impl State {
    /// What a cancellation does to an open call; only activities know more than one way.
    pub(super) fn cancellation_of(&mut self, slot: Slot) -> ActivityCancellation {
        let operation = self.operations.operation(slot);
        match &operation.kind {
            Kind::Activity(Some(body)) => body.cancellation,
            // Its command has not become an event yet.
            _ => operation.cancellation,
        }
    }

    /// Asks an activity to stop; its call waits on.
    pub(super) fn request_cancel(&mut self, slot: Slot, reach: Reach) {
        let operation = self.operations.operation(slot);
        // Its scope may have been cancelled before the run.
        if operation.asked.is_some() {
            return;
        }
        operation.asked = Some(reach);
        let (scheduled, location) = (operation.event, operation.location);
        let command = match &operation.kind {
            Kind::Child(child) => CommandKind::RequestChildCancel(ChildWorkflowCancelRequested {
                scheduled,
                workflow_id: child.workflow_id.clone(),
                run_id: child.run_id,
            }),
            _ => CommandKind::RequestActivityCancel { scheduled },
        };
        self.command(command, Some(location));
    }

    /// Whether an open call was asked to stop.
    pub(in crate::replay) fn is_asked_to_stop(&mut self, scheduled: EventId) -> bool {
        let slot = self.operations.open(scheduled);
        slot.is_some_and(|slot| self.operations.operation(slot).asked.is_some())
    }

    /// Leaves an open call to itself. What stood for it stands for nothing any more.
    pub(super) fn abandon_call(&mut self, slot: Slot) {
        let operation = self.operations.operation(slot);
        let event = std::mem::replace(&mut operation.event, EventId(0));
        let kind = std::mem::replace(&mut operation.kind, Kind::Activity(None));
        let (location, shielded, first_polled) =
            (operation.location, operation.shielded, operation.first_polled);
        self.operations.close(event);
        self.operations.insert(Operation {
            kind,
            event,
            location,
            shielded,
            scope: None,
            first_polled,
            attached: false,
            asked: None,
            waker: None,
            outcome: None,
            cancellation: ActivityCancellation::Abandon,
            step: None,
        });
    }

    /// The code lets go of a call that goes on without it.
    pub(super) fn leave_running(&mut self, slot: Slot) -> Released {
        self.detach(slot)
    }
}
