//! What a machine's driver may ask it.

use std::sync::Arc;

use super::family::Family;
use super::limits::Overdue;
use super::machine::Machine;
use super::world::World;
use super::{SideEffect, Step};
use crate::history::{ActivityScheduled, EventKind};
use crate::vocabulary::{Attributes, EventId, Memo, Payload, Purpose, RequestId, RunId, Timestamp};

impl Machine {
    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.world.run().run_id
    }

    /// The last event.
    #[must_use]
    pub fn head(&self) -> EventId {
        self.held_back.back().map_or(self.head, |event| event.id)
    }

    /// The time of the last event.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.held_back.back().map_or(self.last_at, |event| event.at)
    }

    /// Whether the run has its closing event.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// When the next timer is due, or the time of a call is over. Timers of a paused run wait.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let state = self.world.state();
        let timer = state.next_due().map(|(due, _)| due).filter(|_| !self.rest.paused);
        timer.into_iter().chain(state.limits.next_due()).min()
    }

    /// Hands out the first call whose time is over, once: if it has really passed its limit, take an `ActivityFailed` in
    /// for it.
    #[must_use]
    pub fn take_overdue(&mut self, now: Timestamp) -> Option<Overdue> {
        self.world.state().limits.take_overdue(now)
    }

    /// When an open call that has a limit was scheduled.
    #[must_use]
    pub fn scheduled_at(&self, scheduled: EventId) -> Option<Timestamp> {
        self.world.state().limits.scheduled_at(scheduled)
    }

    /// The event that started the first timer that is due: the earliest, then the one started first.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<EventId> {
        let next = self.world.state().next_due().filter(|(due, _)| *due <= now && !self.rest.paused);
        next.map(|(_, event)| event)
    }

    /// The activities that have neither an outcome nor been let go of, in the order in which they were scheduled.
    ///
    /// Walks all open calls: for a takeover. Live, the events that `take_in` appends say what is new.
    #[must_use]
    pub fn open_activities(&self) -> Vec<(EventId, Arc<ActivityScheduled>)> {
        let mut open = self.world.state().open_activities();
        open.retain(|(scheduled, _)| !self.rest.holds_outcome_of(*scheduled));
        open
    }

    /// What was asked for by an activity that [`is_open`](Self::is_open).
    #[must_use]
    pub fn open_activity(&self, scheduled: EventId) -> Option<Arc<ActivityScheduled>> {
        self.world.state().open_activity(scheduled)
    }

    /// Whether an open activity was asked to stop, and its call waits for that.
    #[must_use]
    pub fn is_asked_to_stop(&self, scheduled: EventId) -> bool {
        self.world.state().is_asked_to_stop(scheduled)
    }

    /// Whether this event scheduled a call that still waits for its outcome; any other outcome counts for nothing.
    #[must_use]
    pub fn is_open(&self, scheduled: EventId) -> bool {
        !self.rest.holds_outcome_of(scheduled) && self.world.state().is_open(scheduled)
    }

    /// Whether a message is meant for this run: one that tells of a call that is not open, of a child that is not this
    /// run's, or of the request of another run, is passed over, and so is the cancel request of a parent that means
    /// another child.
    #[must_use]
    pub fn concerns(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::ExternalDelivered(body) => self.has_asked(body.requested, body.request_id),
            EventKind::ExternalRefused(body) => self.has_asked(body.requested, body.request_id),
            EventKind::WorkflowCancelRequested(body) => body
                .child
                .is_none_or(|child| self.family.parent().is_some_and(|parent| parent.child == child)),
            other => match other.told_by_child() {
                Some((scheduled, run_id)) => self.family.has_child(scheduled, run_id),
                None => other.outcome_of().is_none_or(|scheduled| self.is_open(scheduled)),
            },
        }
    }

    fn has_asked(&self, requested: EventId, request_id: RequestId) -> bool {
        let own = self.run_id().derive(requested, Purpose::Request);
        request_id == RequestId(own) && self.is_open(requested)
    }

    /// The run's parent and its open children.
    #[must_use]
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The side effects that have no value yet and are still wanted, in the order in which they were scheduled.
    #[must_use]
    pub fn open_side_effects(&self) -> Vec<EventId> {
        let mut open = self.world.state().open_side_effects();
        open.retain(|scheduled| !self.rest.holds_outcome_of(*scheduled));
        open
    }

    /// Hands out what a step does, once; `None` for the local call of an activity, and if nobody wants its outcome.
    #[must_use]
    pub fn take_step(&mut self, scheduled: EventId) -> Option<Step> {
        self.world.state().take_step(scheduled)
    }

    /// Hands out the closure of a side effect, once; `None` if nobody wants its value.
    #[must_use]
    pub fn take_side_effect(&mut self, scheduled: EventId) -> Option<SideEffect> {
        self.world.state().take_side_effect(scheduled)
    }

    /// What the code has last [published](crate::workflow::WorkflowContext::publish) live, once: it goes with the commit.
    #[must_use]
    pub fn take_published(&mut self) -> Option<Payload> {
        self.world.state().published.take()
    }

    /// What the run can be found by, once after each change: it goes with the commit.
    #[must_use]
    pub fn take_attributes(&mut self) -> Option<Attributes> {
        self.world.state().shown.take_attributes()
    }

    /// The run's memo, once after each change: it goes with the commit.
    #[must_use]
    pub fn take_memo(&mut self) -> Option<Memo> {
        self.world.state().shown.take_memo()
    }

    /// What a run that follows this one is started with to be found by, and as its memo.
    #[must_use]
    pub fn shown(&self) -> (Attributes, Memo) {
        let state = self.world.state();
        (state.shown.attributes.clone(), state.shown.memo.clone())
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
}
