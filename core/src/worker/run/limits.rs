//! Calls whose time is over: found out about, and ended by the run's holder.
//!
//! What stands in the queue, or in line here, is read before it is judged: a call may have begun in time, and its last
//! failure belongs to the outcome. Nothing is persisted but the outcome: until it is committed, the run's `wake_at` says
//! when the call was due, so that whoever holds the run next looks at once.

use std::collections::HashSet;

use super::{Incoming, Phase, Run};
use crate::backend::QueuedActivity;
use crate::history::ActivityFailed;
use crate::vocabulary::{Attempt, EventId, Failure, FailureKind, TimeoutKind, Timestamp};
use crate::worker::activities::NEVER_BEGUN;
use crate::worker::context::Context;

/// A call that may have to end.
#[derive(Debug)]
struct Doubtful {
    /// Since when.
    due: Timestamp,
    scheduled: EventId,
    reason: Reason,
}

/// Why a call may have to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It may have passed this limit.
    Limit(TimeoutKind),
    /// It was asked to stop, and perhaps nobody runs it who could.
    CancelRequested,
}

/// Calls that may have to end, because their time is over or because they were asked to.
#[derive(Debug, Default)]
pub(super) struct OverdueCalls {
    /// To be looked after.
    waiting: Vec<Doubtful>,
    /// Those that a look under way is for.
    asked: Vec<Doubtful>,
    /// Those that have passed their limit, until that is in history.
    found: Vec<Doubtful>,
}

/// A call that has passed a limit.
#[derive(Debug)]
pub(super) struct TimedOut {
    pub(super) due: Timestamp,
    pub(super) failed: ActivityFailed,
}

/// Where the calls of a run stand: what the queue holds of them, and which wait here without a row.
#[derive(Debug)]
pub(in crate::worker) struct Standing {
    pub(in crate::worker) queued: Vec<QueuedActivity>,
    pub(in crate::worker) in_line: HashSet<EventId>,
}

impl OverdueCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.asked.is_empty() && self.found.is_empty()
    }

    /// The earliest limit among them.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.waiting.iter().chain(&self.asked).chain(&self.found).map(|overdue| overdue.due).min()
    }

    /// Notes a call that stands in the queue and is asked to stop.
    pub(super) fn cancel_requested(&mut self, scheduled: EventId, at: Timestamp) {
        self.waiting.push(Doubtful { due: at, scheduled, reason: Reason::CancelRequested });
    }

    /// Forgets a call that has its outcome.
    pub(super) fn forget(&mut self, scheduled: EventId) {
        for calls in [&mut self.waiting, &mut self.asked, &mut self.found] {
            calls.retain(|overdue| overdue.scheduled != scheduled);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Run {
    /// Takes the limits that have passed out of the machine.
    pub(super) fn note_overdue(&mut self, now: Timestamp) {
        let Phase::Live(machine) = &mut self.phase else { return };
        while let Some(overdue) = machine.take_overdue(now) {
            let reason = Reason::Limit(overdue.limit);
            let (due, scheduled) = (overdue.due, overdue.scheduled);
            if !machine.is_open(scheduled) {
                // Its outcome waits until the run is resumed.
                continue;
            }
            self.overdue.waiting.push(Doubtful { due, scheduled, reason });
        }
    }

    /// Whether to look where its calls stand; answer with [`looked`](Self::looked).
    pub(in crate::worker) fn begins_look(&mut self) -> bool {
        let begins = !self.overdue.waiting.is_empty() && self.overdue.asked.is_empty();
        if begins {
            self.overdue.asked = std::mem::take(&mut self.overdue.waiting);
        }
        begins
    }

    /// Judges the calls that were looked after.
    pub(in crate::worker) fn looked(&mut self, cx: &Context, standing: Standing) {
        for overdue in std::mem::take(&mut self.overdue.asked) {
            let row = standing.queued.iter().find(|row| row.scheduled == overdue.scheduled);
            let begun = match row {
                Some(row) => row.worker.is_some() || row.deferred || row.attempt > Attempt(1),
                None => !standing.in_line.contains(&overdue.scheduled),
            };
            let runs = row.is_none_or(|row| row.worker.is_some() || row.deferred);
            let goes_on = match overdue.reason {
                Reason::Limit(TimeoutKind::ScheduleToStart) => begun,
                Reason::Limit(_) => false,
                // Whoever runs it is told by its row.
                Reason::CancelRequested => runs,
            };
            if goes_on {
                continue;
            }
            let attempt = row.map_or(Attempt(1), |row| row.attempt);
            let mut failure = failure(overdue.reason);
            let last = row.and_then(|row| row.last_failure.clone());
            if let Some(Ok(last)) = last.map(|last| cx.inward(last)) {
                failure.add_cause(&last);
            }
            let failed = ActivityFailed { scheduled: overdue.scheduled, attempt, failure };
            let due = overdue.due;
            self.overdue.found.push(overdue);
            self.incoming.push_back(Incoming::TimedOut(Box::new(TimedOut { due, failed })));
        }
    }
}

fn failure(reason: Reason) -> Failure {
    match reason {
        Reason::Limit(TimeoutKind::ScheduleToStart) => Failure::timed_out(
            TimeoutKind::ScheduleToStart,
            "no worker began the activity within its schedule-to-start timeout",
        ),
        Reason::Limit(limit) => {
            Failure::timed_out(limit, "the activity did not end within its schedule-to-close timeout")
        }
        Reason::CancelRequested => Failure::of_kind(FailureKind::Cancelled, NEVER_BEGUN),
    }
}
