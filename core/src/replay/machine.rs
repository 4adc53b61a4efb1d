//! The machine: events in, commands out, as events.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use super::error::{HistoryFault, TaskError};
use super::foreign::{Alarm, Lookout};
use super::matching::Passed;
use super::presence::{self, Doing, MachineId};
use super::state::Aftermath;
use super::tasks::Tasks;
use super::world::World;
use super::{Conclusion, Definition, SideEffect};
use crate::history::{ActivityScheduled, Event, EventKind, WorkflowStarted};
use crate::vocabulary::{EventId, Failure, FailureKind, Place, RunKey, SemanticsVersion, Timestamp};

/// One run's code, as far as its history tells it.
///
/// Made with [`new`](Self::new), brought to where the history stands with [`replay`](Self::replay) and
/// [`replayed`](Self::replayed), and then fed with [`take_in`](Self::take_in). Once a method has returned an error,
/// every further step returns it again: throw the machine away. Dropping one at any time records nothing.
///
/// Drive it from any thread, one at a time, but not from within an async runtime: so that code which reaches for the
/// runtime fails at once, by name.
pub struct Machine {
    definition: Arc<dyn Definition>,
    panics: PanicPolicy,
    id: MachineId,
    pub(super) world: World,
    lookout: Arc<Lookout>,
    tasks: Tasks,
    pub(super) head: EventId,
    pub(super) last_at: Timestamp,
    pub(super) closed: bool,
    /// What history took in after the code had ended.
    pub(super) passed: Option<Passed>,
    pub(super) fault: Option<TaskError>,
}

/// How a machine is run.
#[derive(Clone, Default)]
pub struct MachineOptions {
    /// What a panic of the code does.
    pub panics: PanicPolicy,
    /// Called when the resting code is woken from outside: the next step, or [`Machine::check`], returns the error.
    pub alarm: Option<Alarm>,
}

/// What a panic of the code does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PanicPolicy {
    /// It fails the workflow task: the run keeps its place, and a fixed deploy heals it.
    #[default]
    FailTask,
    /// It fails the run.
    FailRun,
}

impl Machine {
    /// A machine that has taken nothing in, and polled nothing.
    #[must_use]
    pub fn new(definition: Arc<dyn Definition>, run: RunKey, options: MachineOptions) -> Self {
        let id = MachineId::fresh();
        let lookout = Arc::new(Lookout::new(options.alarm));
        Self {
            definition,
            panics: options.panics,
            id,
            world: World::new(id, run, lookout.clone()),
            tasks: Tasks::new(id, lookout.clone()),
            lookout,
            head: EventId(0),
            last_at: Timestamp::EPOCH,
            closed: false,
            passed: None,
            fault: None,
        }
    }

    /// Takes an event of the inbox in: applies it, polls until all rests, and appends it and its commands to `into`.
    ///
    /// Event 1 is taken in like any other. The time is raised to that of the last event if it is earlier, and to the
    /// due time of a timer that fires; events of one record share one time, so fire what is [`due`](Self::due) by it.
    /// If this closes the run, the closing event is the last one of `into`, and what the inbox still holds goes to
    /// [`absorb`](Self::absorb).
    ///
    /// # Errors
    /// [`TaskError`]; `into` is as it was then.
    pub fn take_in(
        &mut self,
        at: Timestamp,
        kind: EventKind,
        into: &mut Vec<Event>,
    ) -> Result<(), TaskError> {
        self.check()?;
        let kept = into.len();
        self.first_commands(at, into);
        let at = self.world.state().not_before(&kind).max(self.last_at).max(at);
        let event = Event { id: self.head.next(), at, place: None, kind };
        self.world.set_replaying(false);
        let done = if self.closed {
            Err(HistoryFault::AfterClose(event.id).into())
        } else if event.kind.is_command() {
            Err(HistoryFault::Misplaced(event.id).into())
        } else {
            into.push(event.clone());
            self.step(event)
        };
        match done {
            Ok(()) => self.collect(at, into),
            Err(_) => into.truncate(kept),
        }
        self.remember(done)
    }

    /// Appends the commands of event 1, if [`replay`](Self::replay) has found a history that ends there: the store
    /// holds event 1 from the start on, the first workflow task was never committed. Otherwise appends nothing.
    pub fn first_commands(&mut self, at: Timestamp, into: &mut Vec<Event>) {
        if self.head == EventId(1) {
            self.last_at = at.max(self.last_at);
            self.collect(self.last_at, into);
        }
    }

    /// Takes an event in that came after the code had ended, without polling: before the closing event, which the
    /// store refused and which stays the last one of `into`. It gets that event's time. A message joins
    /// [`unread`](Self::unread).
    ///
    /// # Panics
    /// If the last event of `into` does not close the run.
    pub fn absorb(&mut self, kind: EventKind, into: &mut Vec<Event>) {
        let mut closing = into
            .pop()
            .filter(|event| event.kind.closes())
            .expect("events are absorbed before the closing event, which stands last");
        into.push(Event { id: closing.id, at: closing.at, place: None, kind: kind.clone() });
        self.world.state().absorb(kind);
        self.head = closing.id.next();
        closing.id = self.head;
        into.push(closing);
    }

    /// Whether something foreign was found since the last step, or a step has failed.
    ///
    /// # Errors
    /// What was found.
    pub fn check(&mut self) -> Result<(), TaskError> {
        if self.fault.is_none() {
            let near = self.world.state().location;
            self.fault = self.lookout.found(near);
        }
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// The last event.
    #[must_use]
    pub fn head(&self) -> EventId {
        self.head
    }

    /// The time of the last event.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// Whether the run has its closing event.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.world.state().next_due().map(|(due, _)| due)
    }

    /// The event that started the first timer that is due: the earliest, then the one started first.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<EventId> {
        self.world.state().next_due().filter(|(due, _)| *due <= now).map(|(_, event)| event)
    }

    /// The activities that have neither an outcome nor been let go of, in the order in which they were scheduled.
    ///
    /// Walks all open calls: for a takeover. Live, the events that `take_in` appends say what is new.
    #[must_use]
    pub fn open_activities(&self) -> Vec<(EventId, ActivityScheduled)> {
        self.world.state().open_activities()
    }

    /// Whether this event scheduled a call that still waits for its outcome; any other outcome counts for nothing.
    #[must_use]
    pub fn is_open(&self, scheduled: EventId) -> bool {
        self.world.state().is_open(scheduled)
    }

    /// The side effects that have no value yet and are still wanted, in the order in which they were scheduled.
    #[must_use]
    pub fn open_side_effects(&self) -> Vec<EventId> {
        self.world.state().open_side_effects()
    }

    /// Hands out the closure of a side effect, once; `None` if nobody wants its value.
    #[must_use]
    pub fn take_side_effect(&mut self, scheduled: EventId) -> Option<SideEffect> {
        self.world.state().take_side_effect(scheduled)
    }

    /// The messages that the code has not read, in the order of arrival: signals, and a cancel request because of
    /// which no await has returned. A run that continues as new leaves them to its successor.
    #[must_use]
    pub fn unread(&self) -> Vec<EventKind> {
        self.world.state().unread()
    }

    /// The handle that the code sees the run by.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// About how many bytes this machine keeps in memory. What the code itself has put on the heap is not counted.
    #[must_use]
    pub fn bytes_estimate(&self) -> usize {
        size_of::<Self>() + self.tasks.bytes() + self.world.state().bytes_estimate()
    }

    /// Applies an inbox event, whichever way it came, and polls until all rests.
    pub(super) fn step(&mut self, event: Event) -> Result<(), TaskError> {
        self.check_inbox_event(&event)?;
        self.lookout.work();
        (self.head, self.last_at) = (event.id, event.at);
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

    /// Fails from now on as it has failed.
    pub(super) fn remember(&mut self, done: Result<(), TaskError>) -> Result<(), TaskError> {
        self.fault = done.as_ref().err().cloned();
        done
    }

    fn check_inbox_event(&self, event: &Event) -> Result<(), HistoryFault> {
        let first = matches!(event.kind, EventKind::WorkflowStarted(_));
        if first != (event.id == EventId(1)) {
            return Err(HistoryFault::Misplaced(event.id));
        }
        let of = match &event.kind {
            EventKind::ActivityCompleted(body) => body.scheduled,
            EventKind::ActivityFailed(body) => body.scheduled,
            EventKind::TimerFired(body) => body.started,
            EventKind::SideEffectRecorded(body) => body.scheduled,
            _ => return Ok(()),
        };
        if of >= event.id {
            return Err(HistoryFault::OutcomeOfNothing { event_id: event.id, of });
        }
        Ok(())
    }

    fn apply_and_poll(&mut self, event: Event) -> Result<(), TaskError> {
        match event.kind {
            EventKind::WorkflowStarted(body) => self.launch(body)?,
            EventKind::WorkflowTerminated(_) => {
                self.closed = true;
                self.abandon();
                return Ok(());
            }
            kind => {
                let _inside = presence::enter(self.id, Doing::Applying);
                let mut aftermath = Aftermath::default();
                let applied = self.world.state().apply(kind, &mut aftermath);
                applied.map_err(|of| HistoryFault::OutcomeOfNothing { event_id: event.id, of })?;
                aftermath.wakers.into_iter().for_each(Waker::wake);
            }
        }
        let _inside = presence::enter(self.id, Doing::Polling);
        self.tasks.poll_until_rest();
        Ok(())
    }

    fn launch(&mut self, body: WorkflowStarted) -> Result<(), TaskError> {
        if body.semantics > SemanticsVersion::CURRENT {
            return Err(HistoryFault::NewerSemantics(body.semantics).into());
        }
        let given = self.definition.workflow_type();
        if body.workflow != *given {
            return Err(HistoryFault::OtherWorkflow { bound: body.workflow, given: given.clone() }.into());
        }
        let input = body.input.clone();
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
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a value that is no text".to_owned());
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
        self.world.state().conclude(conclusion);
        self.abandon();
    }

    /// Drops the futures of the code and what they have called. Nothing is recorded, and a panic in there is nobody's.
    fn abandon(&mut self) {
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

    /// Makes events of the commands of this step.
    fn collect(&mut self, at: Timestamp, into: &mut Vec<Event>) {
        let mut state = self.world.state();
        while let Some(command) = state.issued.pop_front() {
            self.head = self.head.next();
            let place = command.place();
            let kind = command.kind.into_event();
            if let EventKind::ActivityScheduled(body) = &kind {
                state.recorded(self.head, || body.clone());
            }
            self.closed |= kind.closes();
            into.push(Event { id: self.head, at, place, kind });
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.lookout.retire();
        self.abandon();
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("run", self.world.run())
            .field("workflow", self.definition.workflow_type())
            .field("head", &self.head)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MachineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineOptions")
            .field("panics", &self.panics)
            .field("alarm", &self.alarm.is_some())
            .finish()
    }
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
