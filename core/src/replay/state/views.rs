//! What the machine's driver may ask for.

use std::sync::Arc;

use super::super::operations::{Kind, Operation};
use super::super::{SideEffect, Step};
use super::State;
use crate::command::Command;
use crate::history::{ActivityScheduled, EventKind};
use crate::vocabulary::{EventId, Timestamp};

impl State {
    /// Whether the outcome of this event's call is still to come.
    pub(in crate::replay) fn is_open(&self, scheduled: EventId) -> bool {
        self.operations.open(scheduled).is_some()
    }

    /// The earliest time that this event can have: when its timer is due.
    pub(in crate::replay) fn not_before(&mut self, kind: &EventKind) -> Timestamp {
        let EventKind::TimerFired(body) = kind else { return Timestamp::EPOCH };
        match self.operations.open(body.started).map(|slot| &self.operations.operation(slot).kind) {
            Some(Kind::Timer(due)) => *due,
            _ => Timestamp::EPOCH,
        }
    }

    pub(in crate::replay) fn next_due(&self) -> Option<(Timestamp, EventId)> {
        self.timers.first().copied()
    }

    /// Activities whose outcome is still to come, in the order in which they were scheduled.
    pub(in crate::replay) fn open_activities(&mut self) -> Vec<(EventId, Arc<ActivityScheduled>)> {
        let open = self.operations.all_open().into_iter();
        open.filter_map(|(event, slot)| match &self.operations.operation(slot).kind {
            Kind::Activity(Some(body)) => Some((event, body.clone())),
            _ => None,
        })
        .collect()
    }

    pub(in crate::replay) fn open_activity(&mut self, scheduled: EventId) -> Option<Arc<ActivityScheduled>> {
        match &self.operations.operation(self.operations.open(scheduled)?).kind {
            Kind::Activity(Some(body)) => Some(body.clone()),
            _ => None,
        }
    }

    /// Side effects whose value is still to come, in the order in which they were scheduled.
    pub(in crate::replay) fn open_side_effects(&mut self) -> Vec<EventId> {
        let open = self.operations.all_open().into_iter();
        open.filter(|(_, slot)| matches!(self.operations.operation(*slot).kind, Kind::SideEffect(_)))
            .map(|(event, _)| event)
            .collect()
    }

    pub(in crate::replay) fn take_step(&mut self, event: EventId) -> Option<Step> {
        self.operations.operation(self.operations.open(event)?).step.take()
    }

    pub(in crate::replay) fn take_side_effect(&mut self, event: EventId) -> Option<SideEffect> {
        match &mut self.operations.operation(self.operations.open(event)?).kind {
            Kind::SideEffect(closure) => closure.take(),
            _ => None,
        }
    }

    /// About how many bytes this takes.
    pub(in crate::replay) fn bytes_estimate(&self) -> usize {
        self.payload_bytes
            + self.operations.capacity() * size_of::<Option<Operation>>()
            + self.timers.len() * size_of::<(Timestamp, EventId)>()
            + self.issued.capacity() * size_of::<Command>()
    }
}
