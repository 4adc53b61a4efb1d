//! The table of what the code has called and not finished with: activities, timers, side effects, awaited signals
//! and what the code itself brings about.
//!
//! A slot lives as long as either a future of the code or an outcome still to come needs it, and is used again after
//! that: the table is as large as what is open, whatever the length of the history.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

use super::child::StartedChild;
use super::scope::Scope;
use super::state::OpenChild;
use super::{SideEffect, Step};
use crate::history::{ActivityCancellation, ActivityScheduled};
use crate::vocabulary::{EventId, Failure, Payload, SignalName, SpreadIds, Timestamp, WorkflowId};

/// The slot of an operation. Valid until the operation is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// One call of the code.
pub(super) struct Operation {
    pub(super) kind: Kind,
    /// The event that the call becomes; meaningless for what is no command.
    pub(super) event: EventId,
    pub(super) location: &'static Location<'static>,
    pub(super) shielded: bool,
    /// The scope that it is awaited in.
    pub(super) scope: Option<Scope>,
    /// The place in the order of first polls.
    pub(super) first_polled: u64,
    /// Whether a future of the code stands for it.
    pub(super) attached: bool,
    /// Whether it was asked to stop, and its outcome is waited for.
    pub(super) asked: Option<Reach>,
    pub(super) waker: Option<Waker>,
    pub(super) outcome: Option<Resolution>,
    /// What a cancellation does to it, until its command has become an event, which says so.
    pub(super) cancellation: ActivityCancellation,
    /// What it does, if it is a step.
    pub(super) step: Option<Step>,
}

pub(super) enum Kind {
    /// The event's body, once the command has become one.
    Activity(Option<Arc<ActivityScheduled>>),
    Timer(Timestamp),
    SideEffect(Option<SideEffect>),
    Signal(SignalName),
    /// The place of a handler of updates; not cancelled.
    Updates,
    /// Something that only the code itself can bring about.
    Standing,
    Child(Box<OpenChild>),
    /// Something that is asked of another run.
    External,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// The activity returned this.
    Value(Payload),
    /// The activity failed for good.
    Failed(Failure),
    /// The timer fired.
    Fired,
    /// The side effect had this value.
    Recorded(Payload),
    /// The run was asked to cancel, or the code has cancelled its scope.
    Cancelled(Reach),
    /// The child is open.
    Started(StartedChild),
    /// What was asked of another run is in its inbox.
    Delivered,
    /// The run of which something was asked is not open.
    Refused,
    /// There is no child: another run has this workflow ID.
    IdTaken(WorkflowId),
    /// The child ended because of a cancel request.
    ChildCancelled,
    /// The child was ended without asking its code, for this reason.
    Terminated(Arc<str>),
    /// The child took longer than it may.
    TimedOut,
}

/// How far a cancellation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Run,
    Scope,
}

#[derive(Default)]
pub(super) struct Operations {
    slots: Vec<Option<Operation>>,
    free: Vec<Slot>,
    /// From the event of a call to its slot, while the outcome is still to come. Never walked.
    awaiting_outcome: HashMap<EventId, Slot, SpreadIds>,
}

impl Operation {
    /// Whether the code waits for it.
    pub(super) fn waits(&self) -> bool {
        self.attached && self.outcome.is_none()
    }

    /// Whether the code waits for it, and something from outside can end that.
    pub(super) fn can_wake(&self) -> bool {
        self.waits() && !matches!(self.kind, Kind::Standing)
    }
}

impl Operations {
    pub(super) fn insert(&mut self, operation: Operation) -> Slot {
        let event = match operation.kind {
            Kind::Signal(..) | Kind::Updates | Kind::Standing => None,
            _ => Some(operation.event),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            Slot(u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 calls fit into memory"))
        });
        self.slots[slot.0 as usize] = Some(operation);
        if let Some(event) = event {
            self.awaiting_outcome.insert(event, slot);
        }
        slot
    }

    pub(super) fn operation(&mut self, slot: Slot) -> &mut Operation {
        self.slots[slot.0 as usize].as_mut().expect("a slot is let go of once, by its owner")
    }

    /// The operation whose event this is, while its outcome is still to come.
    pub(super) fn open(&self, event: EventId) -> Option<Slot> {
        self.awaiting_outcome.get(&event).copied()
    }

    /// No outcome is expected for it any more. Says whether one was.
    pub(super) fn close(&mut self, event: EventId) -> Option<Slot> {
        self.awaiting_outcome.remove(&event)
    }

    /// Frees a slot that nothing refers to any more. What it held may be the user's: drop it outside of the lock.
    #[must_use]
    pub(super) fn remove(&mut self, slot: Slot) -> Operation {
        self.free.push(slot);
        self.slots[slot.0 as usize].take().expect("a slot is let go of once, by its owner")
    }

    /// What still expects an outcome, in the order in which it was issued.
    pub(super) fn all_open(&self) -> Vec<(EventId, Slot)> {
        let mut open: Vec<_> = (0..)
            .map(Slot)
            .zip(&self.slots)
            .filter_map(|(slot, operation)| Some((operation.as_ref()?.event, slot)))
            .filter(|(event, slot)| self.open(*event) == Some(*slot))
            .collect();
        open.sort_unstable_by_key(|(event, _)| *event);
        open
    }

    /// What the code waits for outside a shield, in the order in which it was first polled.
    pub(super) fn all_cancellable(&self) -> Vec<Slot> {
        let mut waiting: Vec<_> = (0..)
            .map(Slot)
            .zip(&self.slots)
            .filter_map(|(slot, operation)| Some((operation.as_ref()?, slot)))
            .filter(|(operation, _)| operation.waits() && !operation.shielded)
            .map(|(operation, slot)| (operation.first_polled, slot))
            .collect();
        waiting.sort_unstable_by_key(|(first_polled, _)| *first_polled);
        waiting.into_iter().map(|(_, slot)| slot).collect()
    }

    /// Empties the table. What it held may be the user's: drop it outside of the lock.
    #[must_use]
    pub(super) fn take_all(&mut self) -> Vec<Option<Operation>> {
        self.awaiting_outcome.clear();
        self.free.clear();
        std::mem::take(&mut self.slots)
    }

    /// How many slots there are room for: what the table takes in memory.
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}
