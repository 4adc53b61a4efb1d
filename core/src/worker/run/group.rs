//! Steps that share a commit: what the code has taken in of them is held here, until something must be stored.
//!
//! An outcome is held only while the code goes straight on to another such step, and never across anything else: whatever
//! else comes, begins or ends takes all that is held into its own commit. What is held has not happened for anybody else:
//! nobody is told of it, and a step of a group that died with its machine is no part of the next one.

use super::settle::Settled;
use super::task::TASK_INBOX_EVENTS_MAX;
use super::{Incoming, Run};
use crate::history::{Event, EventKind};
use crate::vocabulary::{EventId, Payload};
use crate::worker::context::Context;

/// The most bytes of payloads that are held; then the group is stored, and the next one begins.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// What a group has come to, and no commit holds.
#[derive(Default)]
pub(super) struct Held {
    pub(super) events: Vec<Event>,
    /// How many of the incoming it holds.
    pub(super) taken: usize,
    bytes: usize,
    published: Option<Payload>,
    /// Whether it is to be stored now, whatever follows.
    closes: bool,
}

impl Run {
    /// How many of the incoming are held.
    pub(super) fn held_count(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.taken)
    }

    /// Whether a group was told to end.
    pub(super) fn closes_group(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.closes)
    }

    /// Lets what is held be stored at once: somebody asks, or the step that runs may take long.
    pub(in crate::worker) fn close_group(&mut self) {
        self.held.iter_mut().for_each(|held| held.closes = true);
    }

    /// Whether a task may be held: it has taken in nothing but outcomes of grouped steps, and begins nothing but such.
    pub(super) fn may_hold(&self, cx: &Context, taken: usize, settled: &Settled) -> bool {
        let Settled { progress, jobs, aborts, asks, rows, grouped, .. } = settled;
        let stores_nothing_else = progress.schedule.is_empty()
            && progress.taken_in == self.taken_in
            && (aborts.is_empty() && asks.is_empty() && rows.is_empty());
        let held = self.held.as_ref();
        let goes_on = match progress.events.is_empty() {
            true => held.is_some(),
            false => !jobs.is_empty() && progress.events.iter().all(|event| is_of_group(&event.kind)),
        };
        let has_room = taken < TASK_INBOX_EVENTS_MAX
            && held.map_or(0, |held| held.bytes) + bytes_of(&progress.events) < HELD_BYTES_MAX;
        let is_free = self.begin_at.is_none() && !self.was_parked && !cx.is_draining();
        *grouped && stores_nothing_else && goes_on && has_room && is_free && !self.closes_group()
    }

    /// Holds what a task has made; its steps may begin.
    pub(super) fn hold(&mut self, taken: usize, events: Vec<Event>, published: Option<Payload>) {
        let held = self.held.get_or_insert_default();
        held.taken = taken;
        held.bytes += bytes_of(&events);
        held.events.extend(events);
        held.published = published.or(held.published.take());
    }

    /// Puts what is held before what a task has made, for the commit of both.
    pub(super) fn release_held(&mut self, settled: &mut Settled) {
        let Some(mut held) = self.held.take() else { return };
        held.events.append(&mut settled.progress.events);
        settled.progress.events = held.events;
        settled.progress.published = settled.progress.published.take().or(held.published);
    }

    /// The live code is thrown away: steps that history knows nothing of die with it.
    pub(super) fn forget_unstored(&mut self) {
        let head = self.head;
        self.held = None;
        self.loads += 1;
        let unknown = |incoming: &Incoming| match incoming {
            Incoming::Activity(ended) => ended.queued.is_none() && ended.info.scheduled > head,
            _ => false,
        };
        self.incoming.retain(|incoming| !unknown(incoming));
        let open = self.places.iter().flat_map(|places| places.after(head));
        self.strays.extend(open);
    }

    /// The bodies to be stopped of steps that history knows nothing of.
    pub(in crate::worker) fn take_strays(&mut self) -> Vec<EventId> {
        std::mem::take(&mut self.strays)
    }
}

/// Whether an event is one that a group may hold: that a grouped step was asked for, or has ended.
fn is_of_group(kind: &EventKind) -> bool {
    match kind {
        EventKind::ActivityScheduled(call) => call.commit_later,
        EventKind::ActivityCompleted(_) | EventKind::ActivityFailed(_) => true,
        _ => false,
    }
}

fn bytes_of(events: &[Event]) -> usize {
    let bytes = |event: &Event| match &event.kind {
        EventKind::ActivityScheduled(call) => call.input.data.len(),
        EventKind::ActivityCompleted(completed) => completed.result.data.len(),
        _ => 0,
    };
    events.iter().map(bytes).sum()
}
