//! What a task asks of other runs, and what the run owes them when it closes.

use super::Run;
use crate::commit::{self, Progress};
use crate::history::HistoryError;
use crate::replay::Machine;
use crate::worker::committer::Ticket;
use crate::worker::context::Context;
use crate::worker::first_task::FirstTask;

impl Run {
    /// Puts the errands of the task's events into its commit, and the children that may begin here into its ticket.
    pub(super) fn ask_others(
        &self,
        cx: &Context,
        machine: &Machine,
        progress: &mut Progress,
        ticket: &mut Ticket,
    ) -> Result<(), HistoryError> {
        let (Some(last), Some(started)) = (progress.events.last(), &self.started) else { return Ok(()) };
        let owner = |workflow: &_, queue: &_| cx.owner_of(workflow, queue);
        let errands = commit::errands(&self.key, started, &progress.events, &owner, cx.codec.as_ref())?;
        progress.outgoing.extend(errands.outgoing);
        let begun = errands.begun.into_iter();
        ticket.children.extend(begun.map(|child| FirstTask {
            run: child.run,
            started: child.started,
            at: child.at,
            inbox: Vec::new(),
        }));
        if last.kind.closes() {
            let farewell =
                commit::farewell(&self.key, machine.family(), &last.kind, last.at, cx.codec.as_ref())?;
            progress.outgoing.extend(farewell);
        }
        Ok(())
    }
}
