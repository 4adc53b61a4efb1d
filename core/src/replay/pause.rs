//! A paused run: what is taken in waits, and is applied when the run is resumed.
//!
//! Between `WorkflowPaused` and `WorkflowResumed` the code is not polled and no timer of it fires. The step of
//! `WorkflowResumed` applies what has waited, one event after another, each followed by a poll: the commands of all of
//! them follow that event in history, in this order, and have its time. Replay reads nothing else than the events.

use std::collections::{HashSet, VecDeque};

use super::error::TaskError;
use super::machine::Machine;
use crate::history::{Event, EventKind};
use crate::vocabulary::EventId;

/// What waits in a paused run.
#[derive(Debug, Default)]
pub(super) struct Rest {
    pub(super) paused: bool,
    held: VecDeque<Event>,
    /// The calls whose outcome is among it. Only looked up.
    outcomes: HashSet<EventId>,
}

impl Rest {
    /// Whether the outcome of this call waits.
    pub(super) fn holds_outcome_of(&self, scheduled: EventId) -> bool {
        self.outcomes.contains(&scheduled)
    }

    fn hold(&mut self, event: Event) {
        self.outcomes.extend(event.kind.outcome_of());
        self.held.push_back(event);
    }

    fn next(&mut self) -> Option<Event> {
        let event = self.held.pop_front()?;
        if let Some(scheduled) = event.kind.outcome_of() {
            self.outcomes.remove(&scheduled);
        }
        Some(event)
    }
}

impl Machine {
    /// Whether the code rests until a `WorkflowResumed` is taken in.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.rest.paused
    }

    /// Takes an event that finds the run paused, or pauses it; gives back one that is to be applied.
    pub(super) fn hold_while_paused(&mut self, event: Event) -> Option<Event> {
        match event.kind {
            EventKind::WorkflowPaused(_) => self.rest.paused = true,
            _ if !self.rest.paused => return Some(event),
            EventKind::WorkflowResumed(_)
            | EventKind::WorkflowReset(_)
            | EventKind::WorkflowTerminated(_)
            | EventKind::WorkflowTimedOut(_) => return Some(event),
            _ => self.rest.hold(event),
        }
        None
    }

    /// Applies what has waited, until the code has ended.
    pub(super) fn apply_held(&mut self) -> Result<(), TaskError> {
        self.rest.paused = false;
        while self.world.state().conclusion.is_none() {
            let Some(event) = self.rest.next() else { break };
            self.apply(event)?;
        }
        Ok(())
    }

    /// The code has ended: what waits counts as unread.
    pub(super) fn absorb_held(&mut self) {
        self.rest.paused = false;
        while let Some(event) = self.rest.next() {
            self.world.state().absorb(event.kind);
        }
    }
}
