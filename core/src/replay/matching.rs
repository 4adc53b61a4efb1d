//! Matching a stored history with what the code asks for, event by event.

use super::error::{HistoryFault, Nondeterminism, TaskError};
use super::machine::Machine;
use crate::command::{Command, describe};
use crate::history::{Event, EventKind};
use crate::vocabulary::{EventId, Place};

/// The first event that history took in after the code had ended.
///
/// Right if the closing event follows; else it is where the code, by ending, parted from history.
pub(super) struct Passed {
    event: EventId,
    description: String,
}

const ENDS_EARLY: &str = "the code ends earlier than it did; guard such a change with `cx.patched`, or deploy it under a new version of the workflow";
const ASKS_MORE: &str = "a call was added or moved; guard such a change with `cx.patched`, or deploy it under a new version of the workflow";
const ASKS_LESS: &str = "a call was removed or moved, or what leads to it is not replayed: the order of a HashMap, the clock, randomness";

const PATCH_GONE: &str = "a call of `cx.patched` was removed, or moved past an await; keep `cx.deprecate_patch` there as long as histories hold its marker";

impl Machine {
    /// Takes stored events in, in order, a page at a time.
    ///
    /// The last inbox event, and what was asked for after it, is held back until the next one comes, or
    /// [`replayed`](Self::replayed) says that none does: errors are returned as late.
    ///
    /// # Errors
    /// [`TaskError`]; the run closes by none of them.
    pub fn replay(&mut self, events: Vec<Event>) -> Result<(), TaskError> {
        self.check()?;
        self.world.set_replaying(true);
        let done = events.into_iter().try_for_each(|event| self.hold_back(event));
        self.remember(done)
    }

    /// Holds an inbox event back until all that was asked for after it is known: the code may ask whether a patch is
    /// among it. Messages that nothing was asked for after are held back together: the run's time may have been over
    /// before them.
    fn hold_back(&mut self, event: Event) -> Result<(), TaskError> {
        let last = self.held_back.back().map(|last| (last.kind.is_message(), last.kind.is_command()));
        match (&event.kind, last) {
            (kind, None) if kind.is_command() => return self.replay_one(event),
            (_, None) => {}
            (EventKind::WorkflowTimedOut(body), Some(_)) => {
                self.tell_all_but(body.absorbed as usize)?;
                while let Some(absorbed) = self.held_back.pop_front() {
                    self.absorb_replayed(absorbed)?;
                }
            }
            (kind, Some((_, after_command))) if kind.is_command() => {
                if !after_command {
                    self.tell_all_but(1)?;
                }
            }
            (kind, Some((true, _))) if kind.is_message() => {}
            _ => self.tell_all_but(0)?,
        }
        self.held_back.push_back(event);
        Ok(())
    }

    /// Tells what is held back, step by step, and goes on holding back the last of it.
    fn tell_all_but(&mut self, kept: usize) -> Result<(), TaskError> {
        while self.held_back.len() > kept {
            let behind = self.held_back.range(1..self.held_back.len() - kept);
            let commands = behind.take_while(|event| event.kind.is_command()).count();
            self.world.state().foresee(self.held_back.range(1..=commands));
            for _ in 0..=commands {
                let Some(event) = self.held_back.pop_front() else { break };
                self.replay_one(event)?;
            }
        }
        Ok(())
    }

    /// Takes in what is held back, when nothing more will come.
    pub(super) fn replay_rest(&mut self) -> Result<(), TaskError> {
        self.check()?;
        self.world.set_replaying(false);
        if self.held_back.is_empty() {
            return Ok(());
        }
        // The store holds event 1 alone until the first workflow task is committed: what follows from it is new.
        let first_task = self.held_back.back().is_some_and(|event| event.id == EventId(1));
        self.world.set_replaying(!first_task);
        let done = self.tell_all_but(0);
        self.world.set_replaying(false);
        self.world.state().foresee([]);
        self.remember(done)
    }

    /// Says that the history ends here: the code must have asked for nothing that it does not hold.
    ///
    /// # Errors
    /// [`TaskError::Nondeterminism`] otherwise.
    pub fn replayed(&mut self) -> Result<(), TaskError> {
        self.replay_rest()?;
        // Event 1 alone asks for what is not stored yet.
        if self.closed || self.head <= EventId(1) {
            return Ok(());
        }
        let passed = self.passed.take();
        let done = match (self.world.state().issued.front(), passed) {
            (None, _) => Ok(()),
            (Some(command), Some(passed)) => Err(passed.mismatch(command)),
            (Some(command), None) => {
                Err(mismatch(self.head.next(), "the end of the history".to_owned(), command, ASKS_MORE))
            }
        };
        self.remember(done)
    }

    fn replay_one(&mut self, event: Event) -> Result<(), TaskError> {
        if self.closed {
            return Err(HistoryFault::AfterClose(event.id).into());
        }
        if event.id != self.head.next() {
            return Err(HistoryFault::Gap { expected: self.head.next(), found: event.id }.into());
        }
        if event.at < self.last_at {
            return Err(HistoryFault::TimeGoesBack(event.id).into());
        }
        if event.kind.is_command() { self.match_command(event) } else { self.match_inbox_event(event) }
    }

    /// An inbox event stands where the code has asked for nothing more; or the code has ended and it passed by.
    fn match_inbox_event(&mut self, event: Event) -> Result<(), TaskError> {
        {
            let mut state = self.world.state();
            match state.issued.front() {
                None => {}
                // A run can be terminated before its first workflow task is committed.
                Some(_) if ends_before_first_task(&event) => {
                    state.issued.clear();
                }
                Some(command) if command.kind.closes() => {
                    let description = describe(&event.kind);
                    self.passed.get_or_insert(Passed { event: event.id, description });
                    (self.head, self.last_at) = (event.id, event.at);
                    state.measure(&event.kind);
                    state.absorb(event.kind);
                    return Ok(());
                }
                Some(command) => return Err(mismatch(event.id, describe(&event.kind), command, ASKS_MORE)),
            }
        }
        self.step(event)
    }

    fn match_command(&mut self, event: Event) -> Result<(), TaskError> {
        let mut state = self.world.state();
        if let EventKind::PatchRecorded(marker) = &event.kind
            && state.match_patch(marker)
        {
            (self.head, self.last_at) = (event.id, event.at);
            state.measure(&event.kind);
            return Ok(());
        }
        let patch_gone = matches!(event.kind, EventKind::PatchRecorded(_)).then_some(PATCH_GONE);
        // What does not match stays, so that a divergence can show all that the code asked for.
        let Some(command) = state.issued.front() else {
            return Err(Nondeterminism {
                event_id: event.id,
                expected: describe(&event.kind),
                actual: "nothing more".to_owned(),
                place: event.place,
                hint: patch_gone.unwrap_or(ASKS_LESS),
            }
            .into());
        };
        if let Err(hint) = command.kind.matches(&event.kind) {
            return Err(match self.passed.take() {
                Some(passed) => passed.mismatch(command),
                None => mismatch(event.id, describe(&event.kind), command, patch_gone.unwrap_or(hint)),
            });
        }
        (self.head, self.last_at) = (event.id, event.at);
        self.closed = command.kind.closes();
        state.issued.pop_front();
        self.family.take(event.id, &event.kind);
        if let EventKind::ChildWorkflowScheduled(body) = &event.kind {
            state.child_recorded(event.id, body);
        }
        state.measure(&event.kind);
        state.show(&event.kind, true);
        if let EventKind::ActivityScheduled(body) = &event.kind {
            state.recorded(event.id, event.at, body);
        }
        Ok(())
    }
}

impl Passed {
    fn mismatch(self, command: &Command) -> TaskError {
        mismatch(self.event, self.description, command, ENDS_EARLY)
    }
}

/// Whether a run was ended from outside before its first workflow task was committed.
fn ends_before_first_task(event: &Event) -> bool {
    let before = match &event.kind {
        EventKind::WorkflowTerminated(_) => 1,
        EventKind::WorkflowTimedOut(body) => 1 + u64::from(body.absorbed),
        _ => return false,
    };
    event.id == EventId(before).next()
}

fn mismatch(event_id: EventId, expected: String, command: &Command, hint: &'static str) -> TaskError {
    let place: Option<Place> = command.place();
    Nondeterminism { event_id, expected, actual: command.kind.to_string(), place, hint }.into()
}
