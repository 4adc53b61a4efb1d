//! The end of a run whose time is over: taken in without asking the code.
//!
//! What is stored with the closing event, or before it, was not shown to the code: the event counts it, and replay passes
//! over as much. The worker says when; a failed run's retry policy, and whether there is time left, stand in event 1.

use super::error::{HistoryFault, TaskError};
use super::machine::Machine;
use crate::history::{Event, WorkflowTimedOut};
use crate::vocabulary::{Failure, TimeoutKind, Timestamp};

impl Machine {
    /// Closes the run, which has passed this limit: appends a `WorkflowTimedOut` to `into`. What the inbox still holds
    /// goes to [`absorb`](Self::absorb).
    ///
    /// # Errors
    /// As for [`take_in`](Self::take_in).
    pub fn time_out(
        &mut self,
        at: Timestamp,
        limit: TimeoutKind,
        into: &mut Vec<Event>,
    ) -> Result<(), TaskError> {
        let (run_id, at) = (self.world.run().run_id, at.max(self.last_at()));
        let retried_as = match limit {
            TimeoutKind::Run => self.world.state().retried_as(run_id, &timed_out(limit), at),
            // Nothing goes on beyond that.
            _ => None,
        };
        self.take_in(at, WorkflowTimedOut { limit, absorbed: 0, retried_as }.into(), into)
    }

    /// Passes over an event that was not shown to the code.
    pub(super) fn absorb_replayed(&mut self, event: Event) -> Result<(), TaskError> {
        if event.id != self.head.next() {
            return Err(HistoryFault::Gap { expected: self.head.next(), found: event.id }.into());
        }
        (self.head, self.last_at) = (event.id, event.at);
        let mut state = self.world.state();
        state.measure(&event.kind);
        state.absorb(event.kind);
        Ok(())
    }
}

/// The failure of a run that has passed a limit.
pub(crate) fn timed_out(limit: TimeoutKind) -> Failure {
    let message = match limit {
        TimeoutKind::Execution => "the workflow did not end within its execution timeout",
        _ => "the run did not end within its run timeout",
    };
    Failure::timed_out(limit, message)
}
