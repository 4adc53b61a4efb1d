//! The machine: events in, commands out, as events.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::Definition;
use super::error::{HistoryFault, TaskError};
use super::family::Family;
use super::foreign::{Alarm, Lookout};
use super::matching::Passed;
use super::pause::Rest;
use super::presence::MachineId;
use super::state::Aftermath;
use super::tasks::Tasks;
use super::world::World;
use crate::history::{Event, EventKind};
use crate::vocabulary::{EventId, RunKey, Timestamp};

/// One run's code, as far as its history tells it.
///
/// Made with [`new`](Self::new), brought to where the history stands with [`replay`](Self::replay) and
/// [`replayed`](Self::replayed), and then fed with [`take_in`](Self::take_in). Once a method has returned an error,
/// every further step returns it again: throw the machine away. Dropping one at any time records nothing.
///
/// Drive it from any thread, one at a time, but not from within an async runtime: so that code which reaches for the
/// runtime fails at once, by name.
pub struct Machine {
    pub(super) definition: Arc<dyn Definition>,
    pub(super) panics: PanicPolicy,
    pub(super) id: MachineId,
    pub(super) world: World,
    pub(super) lookout: Arc<Lookout>,
    pub(super) tasks: Tasks,
    pub(super) head: EventId,
    pub(super) last_at: Timestamp,
    pub(super) closed: bool,
    pub(super) family: Family,
    /// What history took in after the code had ended.
    pub(super) passed: Option<Passed>,
    pub(super) fault: Option<TaskError>,
    /// The last inbox events that were replayed, and the commands after the last, until all that decides about them is
    /// known.
    pub(super) held_back: VecDeque<Event>,
    /// What waits while the run is paused.
    pub(super) rest: Rest,
    /// Empty between two steps.
    pub(super) aftermath: Aftermath,
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
        let tasks = Tasks::new(id, lookout.clone());
        Self {
            definition,
            panics: options.panics,
            id,
            world: World::new(id, run, lookout.clone(), tasks.spawner()),
            tasks,
            lookout,
            head: EventId(0),
            last_at: Timestamp::EPOCH,
            closed: false,
            family: Family::default(),
            passed: None,
            fault: None,
            held_back: VecDeque::new(),
            rest: Rest::default(),
            aftermath: Aftermath::default(),
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
        self.replay_rest()?;
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
        if self.replay_rest().is_ok() && self.head == EventId(1) {
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
        self.family.take(closing.id, &kind);
        if let EventKind::WorkflowTimedOut(body) = &mut closing.kind {
            body.absorbed += 1;
        }
        self.world.state().measure(&kind);
        self.world.state().absorb(kind);
        self.head = closing.id.next();
        closing.id = self.head;
        into.push(closing);
    }

    /// Hears how a child has ended when the code has: it is no longer this run's to see to. History does not hold it.
    pub fn bury(&mut self, kind: &EventKind) {
        self.family.take(self.head, kind);
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

    /// Fails from now on as it has failed.
    pub(super) fn remember(&mut self, done: Result<(), TaskError>) -> Result<(), TaskError> {
        self.fault = done.as_ref().err().cloned();
        done
    }

    /// Makes events of the commands of this step.
    fn collect(&mut self, at: Timestamp, into: &mut Vec<Event>) {
        let mut state = self.world.state();
        while let Some(command) = state.issued.pop_front() {
            self.head = self.head.next();
            let place = command.place();
            let kind = command.kind.into_event();
            if let EventKind::ActivityScheduled(body) = &kind {
                state.recorded(self.head, at, body);
            }
            self.family.take(self.head, &kind);
            state.measure(&kind);
            state.show(&kind, false);
            self.closed |= kind.closes();
            into.push(Event { id: self.head, at, place, kind });
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.lookout.retire();
        self.abandon();
        self.drop_queries();
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
