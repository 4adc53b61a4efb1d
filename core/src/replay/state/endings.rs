//! How a run is made to end, and ends.

use super::super::Conclusion;
use super::super::operations::{Kind, Reach, Resolution, Slot};
use super::super::scope::Scope;
use super::{Aftermath, Cancellation, State};
use crate::command::CommandKind;
use crate::history::{ActivityCancellation, WorkflowCancelRequested};
use crate::vocabulary::{Failure, RunId, Timestamp};

impl State {
    /// Ends each await outside a shield, in the order of first polls.
    pub(super) fn cancel_run(&mut self, request: WorkflowCancelRequested, aftermath: &mut Aftermath) {
        if self.cancellation.is_some() {
            return;
        }
        self.cancellation = Some(Cancellation { arrival: self.arrival(), request, seen: false });
        for slot in self.operations.all_cancellable() {
            self.cancel_await(slot, Reach::Run, aftermath);
        }
    }

    /// Ends each await in the scope and in those inside of it, in the order of first polls.
    pub(in crate::replay) fn cancel_scope(&mut self, scope: &Scope, aftermath: &mut Aftermath) {
        for slot in scope.begin_cancel().into_values() {
            if self.operations.operation(slot).waits() {
                self.cancel_await(slot, Reach::Scope, aftermath);
            }
        }
    }

    pub(super) fn cancel_await(&mut self, slot: Slot, reach: Reach, aftermath: &mut Aftermath) {
        match self.cancellation_of(slot) {
            ActivityCancellation::Wait => return self.request_cancel(slot, reach),
            ActivityCancellation::Abandon => self.abandon_call(slot),
            ActivityCancellation::Try => {}
        }
        let operation = self.operations.operation(slot);
        self.waiting -= usize::from(operation.can_wake());
        operation.outcome = Some(Resolution::Cancelled(reach));
        let (event, location) = (operation.event, operation.location);
        self.leave(slot);
        if self.operations.close(event).is_some() {
            self.cancel_command(slot, event, location);
        }
        self.wake(slot, aftermath);
    }

    /// The code has ended: cancels what is open, in the order in which it was issued, and closes the run.
    pub(in crate::replay) fn conclude(&mut self, conclusion: Conclusion, run_id: RunId) {
        for (event, slot) in self.operations.all_open() {
            self.operations.close(event);
            // Children follow their parent close policy.
            if matches!(self.operations.operation(slot).kind, Kind::Child(_)) {
                continue;
            }
            let location = self.operations.operation(slot).location;
            self.cancel_command(slot, event, location);
        }
        let command = match conclusion {
            Conclusion::Completed(result) => CommandKind::CompleteWorkflow { result },
            Conclusion::Failed(failure) => {
                let retried_as = self.retried_as(run_id, &failure, self.now);
                CommandKind::FailWorkflow { failure, retried_as }
            }
            Conclusion::Cancelled => CommandKind::CancelWorkflow,
            Conclusion::ContinueAsNew { workflow, input, headers } => {
                CommandKind::ContinueAsNew { workflow, input, new_run_id: self.new_run_id(), headers }
            }
        };
        self.command(command, None);
    }

    /// The run as which one that ends with this failure is tried again, if it is.
    pub(in crate::replay) fn retried_as(
        &mut self,
        run_id: RunId,
        failure: &Failure,
        at: Timestamp,
    ) -> Option<RunId> {
        self.started.clone()?.retried_at(run_id, failure, at)?;
        Some(self.new_run_id())
    }

    /// A UUIDv7 of this event's time, its random part from the run's numbers.
    fn new_run_id(&mut self) -> RunId {
        let millis = u64::try_from(self.now.as_micros().max(0) / 1_000).unwrap_or_default();
        let mut random = [0; 10];
        random.copy_from_slice(&self.random.next_bytes()[..10]);
        RunId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}
