//! What a cancellation does to the call of an activity, as its kind says.
//!
//! The kind that history holds goes on to apply after a change of the code. `Wait` leaves an `ActivityCancelRequested`
//! and the call open; `Abandon` leaves nothing, and the call open for nobody; `Try` leaves an `ActivityCancelled`.

use super::super::operations::{Kind, Operation, Slot};
use super::{Released, State};
use crate::command::CommandKind;
use crate::history::ActivityCancellation;
use crate::vocabulary::EventId;

impl State {
    /// What a cancellation does to an open call; only activities know more than one way.
    pub(super) fn cancellation_of(&mut self, slot: Slot) -> ActivityCancellation {
        let operation = self.operations.operation(slot);
        let event = operation.event;
        match &operation.kind {
            Kind::Activity(Some(body)) => body.cancellation,
            // Its command has not become an event yet.
            Kind::Activity(None) => self.issued_cancellation(event),
            Kind::Timer(_) | Kind::SideEffect(_) | Kind::Signal(_) => ActivityCancellation::Try,
        }
    }

    fn issued_cancellation(&self, event: EventId) -> ActivityCancellation {
        let from_end = usize::try_from(self.next_id.0 - event.0).unwrap_or(usize::MAX);
        let index = self.issued.len().checked_sub(from_end);
        match index.and_then(|index| self.issued.get(index)).map(|command| &command.kind) {
            Some(CommandKind::ScheduleActivity(body)) => body.cancellation,
            _ => ActivityCancellation::Try,
        }
    }

    /// Asks an activity to stop; its call waits on.
    pub(super) fn request_cancel(&mut self, slot: Slot) {
        let operation = self.operations.operation(slot);
        operation.asked = true;
        let (scheduled, location) = (operation.event, operation.location);
        self.command(CommandKind::RequestActivityCancel { scheduled }, Some(location));
    }

    /// Whether an open call was asked to stop.
    pub(in crate::replay) fn is_asked_to_stop(&mut self, scheduled: EventId) -> bool {
        let slot = self.operations.open(scheduled);
        slot.is_some_and(|slot| self.operations.operation(slot).asked)
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
            first_polled,
            attached: false,
            asked: false,
            waker: None,
            outcome: None,
        });
    }

    /// The code lets go of a call that goes on without it.
    pub(super) fn leave_running(&mut self, slot: Slot) -> Released {
        self.detach(slot)
    }
}
