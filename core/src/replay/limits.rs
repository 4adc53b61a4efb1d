//! Limits of whole calls: until when an activity must have begun, and until when it must have ended.
//!
//! Nothing of this is persisted by itself: the event that schedules the call holds the lengths, its time is what they
//! count from, so that every replay finds the same instants. Replay fires none of them: whoever drives a live machine
//! takes those that are [`due`](super::Machine::take_overdue), finds out whether the call has really passed its limit,
//! and takes an `ActivityFailed` in that says so. Calls without limits are not known here.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::ActivityScheduled;
use crate::vocabulary::{EventId, TimeoutKind, Timestamp};

/// A call whose time may be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overdue {
    /// When its time was over.
    pub due: Timestamp,
    /// The event that scheduled it.
    pub scheduled: EventId,
    /// Which limit it is.
    pub limit: TimeoutKind,
}

/// The limits of open calls that have any.
#[derive(Debug, Default)]
pub(super) struct Limits {
    by_due: BTreeSet<Overdue>,
    /// When each call was scheduled.
    scheduled_at: BTreeMap<EventId, Timestamp>,
}

impl Limits {
    /// Notes the limits of a call that was scheduled at this time.
    pub(super) fn insert(&mut self, scheduled: EventId, at: Timestamp, call: &ActivityScheduled) {
        for overdue in limits(scheduled, at, call) {
            self.by_due.insert(overdue);
            self.scheduled_at.insert(scheduled, at);
        }
    }

    /// Forgets a call that is no longer open.
    pub(super) fn remove(&mut self, scheduled: EventId, call: &ActivityScheduled) {
        if let Some(at) = self.scheduled_at.remove(&scheduled) {
            limits(scheduled, at, call).for_each(|overdue| _ = self.by_due.remove(&overdue));
        }
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.by_due.first().map(|overdue| overdue.due)
    }

    /// Takes the first limit that has passed; it is not told again.
    pub(super) fn take_overdue(&mut self, now: Timestamp) -> Option<Overdue> {
        self.by_due.first().filter(|overdue| overdue.due <= now)?;
        self.by_due.pop_first()
    }

    pub(super) fn scheduled_at(&self, scheduled: EventId) -> Option<Timestamp> {
        self.scheduled_at.get(&scheduled).copied()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn limits(scheduled: EventId, at: Timestamp, call: &ActivityScheduled) -> impl Iterator<Item = Overdue> {
    let start = call.schedule_to_start.map(|length| (TimeoutKind::ScheduleToStart, length));
    let close = call.schedule_to_close.map(|length| (TimeoutKind::ScheduleToClose, length));
    let overdue = move |(limit, length)| Overdue { due: at + length, scheduled, limit };
    start.into_iter().chain(close).map(overdue)
}
