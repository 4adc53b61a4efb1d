//! One step: an inbox event is applied, and the code polled until all rests.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use super::Conclusion;
use super::error::{HistoryFault, TaskError};
use super::machine::{Machine, PanicPolicy};
use super::presence::{self, Doing};
use super::random::Random;
use super::state::Aftermath;
use crate::history::{Event, EventKind, WorkflowStarted};
use crate::vocabulary::{EventId, Failure, FailureKind, Place, SemanticsVersion};

impl Machine {
    /// Applies an inbox event, whichever way it came, and polls until all rests.
    pub(super) fn step(&mut self, event: Event) -> Result<(), TaskError> {
        self.check_inbox_event(&event)?;
        self.family.take(event.id, &event.kind);
        (self.head, self.last_at) = (event.id, event.at);
        self.world.state().measure(&event.kind);
        let Some(event) = self.hold_while_paused(event) else { return Ok(()) };
        self.lookout.work();
        self.world.state().begin(event.id, event.at);
        let polled = catch_unwind(AssertUnwindSafe(|| self.apply_and_poll(event)));
        let done = polled.unwrap_or_else(|panic| self.panicked(panic.as_ref()));
        let conclusion = self.world.state().conclusion.take();
        if let (Ok(()), Some(conclusion)) = (&done, conclusion) {
            self.conclude(conclusion);
        }
        self.lookout.rest();
        done?;
        self.check_rest()
    }

    fn check_inbox_event(&self, event: &Event) -> Result<(), HistoryFault> {
        let first = matches!(event.kind, EventKind::WorkflowStarted(_));
        if first != (event.id == EventId(1)) {
            return Err(HistoryFault::Misplaced(event.id));
        }
        let told = event.kind.told_by_child().map(|(scheduled, _)| scheduled);
        let Some(of) = told.or(event.kind.outcome_of()) else { return Ok(()) };
        if of >= event.id {
            return Err(HistoryFault::OutcomeOfNothing { event_id: event.id, of });
        }
        Ok(())
    }

    fn apply_and_poll(&mut self, event: Event) -> Result<(), TaskError> {
        match event.kind {
            EventKind::WorkflowStarted(body) => self.launch(body)?,
            EventKind::WorkflowTerminated(_) | EventKind::WorkflowTimedOut(_) => {
                self.absorb_held();
                self.closed = true;
                self.abandon();
                return Ok(());
            }
            EventKind::WorkflowReset(body) => {
                self.world.state().random = Random::from_seed(body.seed);
                self.world.sees(body.run_id);
                return Ok(());
            }
            EventKind::WorkflowResumed(_) => return self.apply_held(),
            _ => return self.apply(event),
        }
        self.poll_until_rest();
        Ok(())
    }

    /// Applies an event that concerns what the code waits for, and polls until all rests.
    pub(super) fn apply(&mut self, event: Event) -> Result<(), TaskError> {
        {
            let _inside = presence::enter(self.id, Doing::Applying);
            // Its room is used again, by the next event.
            let mut aftermath = std::mem::take(&mut self.aftermath);
            let applied = self.world.state().apply(event.kind, &mut aftermath);
            applied.map_err(|of| HistoryFault::OutcomeOfNothing { event_id: event.id, of })?;
            aftermath.wakers.drain(..).for_each(Waker::wake);
            aftermath.dropped.clear();
            self.aftermath = aftermath;
        }
        self.poll_until_rest();
        Ok(())
    }

    fn poll_until_rest(&mut self) {
        let _inside = presence::enter(self.id, Doing::Polling);
        loop {
            self.tasks.poll_until_rest();
            let mut aftermath = Aftermath::default();
            let mut state = self.world.state();
            state.wake_overlooked(&mut aftermath);
            if aftermath.wakers.is_empty() {
                if state.conclusion.is_none() {
                    state.refuse_unknown_updates();
                }
                return;
            }
            drop(state);
            aftermath.wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn launch(&mut self, body: Arc<WorkflowStarted>) -> Result<(), TaskError> {
        if body.semantics > SemanticsVersion::CURRENT {
            return Err(HistoryFault::NewerSemantics(body.semantics).into());
        }
        let given = self.definition.workflow_type();
        if body.workflow != *given {
            return Err(
                HistoryFault::OtherWorkflow { bound: body.workflow.clone(), given: given.clone() }.into()
            );
        }
        let input = body.input.clone();
        if let Some(run_id) = body.copied_from {
            self.world.sees(run_id);
        }
        self.world.state().start(body);
        let world = self.world.clone();
        let _inside = presence::enter(self.id, Doing::Polling);
        let main = (self.definition.launch(world.clone(), &input))
            .map_err(|source| TaskError::Undecodable { event_id: EventId(1), source })?;
        self.tasks.insert(Box::pin(async move {
            let conclusion = main.await;
            world.state().conclusion = Some(conclusion);
        }));
        Ok(())
    }

    /// What a panic of the code means.
    fn panicked(&mut self, panic: &(dyn Any + Send)) -> Result<(), TaskError> {
        let message = panic_message(panic);
        let place = self.world.state().location.map(Place::of);
        if is_missing_runtime(&message) {
            let reason = format!("tokio was used inside of the workflow, which no runtime polls: {message}");
            return Err(TaskError::ForeignAwait { reason, place });
        }
        if self.panics == PanicPolicy::FailTask {
            return Err(TaskError::Panic { message, place });
        }
        let failure = Failure::of_kind(FailureKind::Panic, message);
        self.world.state().conclusion = Some(Conclusion::Failed(failure));
        Ok(())
    }

    fn conclude(&mut self, conclusion: Conclusion) {
        self.absorb_held();
        let run_id = self.world.run().run_id;
        self.world.state().conclude(conclusion, run_id);
        self.abandon();
    }

    /// Drops the futures of the code and what they have called. Nothing is recorded, and a panic in there is nobody's.
    pub(super) fn abandon(&mut self) {
        // Each round drops at least one future.
        while catch_unwind(AssertUnwindSafe(|| self.tasks.clear())).is_err() {}
        let _inside = presence::enter(self.id, Doing::Dropping);
        let operations = self.world.state().abandon();
        for operation in operations {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(operation)));
        }
    }

    fn check_rest(&mut self) -> Result<(), TaskError> {
        let (near, waiting) = {
            let state = self.world.state();
            (state.location, state.waiting)
        };
        if let Some(foreign) = self.lookout.found(near) {
            return Err(foreign);
        }
        if waiting == 0 && self.tasks.main_is_alive() {
            return Err(TaskError::NeverEndingAwait { place: near.map(Place::of) });
        }
        Ok(())
    }
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}

/// Tokio's words when it is used outside of a runtime.
fn is_missing_runtime(message: &str) -> bool {
    [
        "must be called from the context of a Tokio",
        "there is no reactor running",
        "outside of a `task::LocalSet`",
    ]
    .iter()
    .any(|words| message.contains(words))
}
