//! Bringing a run into memory: its history is told to a new machine, page by page, and open work finds its place.

use std::collections::HashSet;
use std::sync::Arc;

use super::park::Trouble;
use super::places::Place;
use super::settle::{LocalCall, Row};
use super::{Incoming, Phase, Run};
use crate::activity::ActivityInfo;
use crate::history::{ActivityScheduled, Event, EventKind, Record, decode_kind, decode_record};
use crate::replay::{Machine, MachineOptions};
use crate::vocabulary::{Attempt, EventId, Failure, FailureKind, Position, Timestamp};
use crate::worker::activities::{EndedActivity, Job};
use crate::worker::context::Context;
use crate::write::NewActivityTask;

/// What a loader read for a run.
pub(in crate::worker) enum Loaded {
    /// Some of its history, in order; more follows.
    Page(Vec<Record>),
    /// The history's end, and which of its activities have a row in the queue.
    End {
        /// The events that scheduled them.
        queued: HashSet<EventId>,
        /// How many messages waited in the inbox after that was read: an outcome may be among them.
        inbox: u64,
    },
}

impl Run {
    /// Begins to load; the history is to be read from its first event. Returns whether to find out, too, which of its
    /// activities have a row in the queue: a holder before left some that have none.
    pub(in crate::worker) fn loading(&mut self, options: MachineOptions) -> bool {
        let machine = Machine::new(self.definition.clone(), self.key.clone(), options);
        self.phase = Phase::Loading(Some(Box::new(machine)));
        self.loads += 1;
        self.loaded_until = None;
        self.overdue.clear();
        self.places.is_none() && self.left_rowless
    }

    /// Takes what a loader read; side effects that were under way elsewhere come back as jobs.
    pub(in crate::worker) fn loaded(
        &mut self,
        cx: &Context,
        now: Timestamp,
        loaded: Loaded,
    ) -> Result<Vec<Job>, Trouble> {
        let definition = self.definition.clone();
        let _busy = cx.polls.begin(&self.key, definition.workflow_type());
        match loaded {
            Loaded::Page(records) => self.replay_page(cx, &records).map(|()| Vec::new()),
            Loaded::End { queued, inbox } => {
                self.loaded_until = Some((queued, Position(self.taken_in.0 + inbox)));
                self.finish_loading(cx, now)
            }
        }
    }

    /// Goes live when all that the store had for it has come; an activity whose outcome is on its way is not lost.
    pub(in crate::worker) fn finish_loading(
        &mut self,
        cx: &Context,
        now: Timestamp,
    ) -> Result<Vec<Job>, Trouble> {
        if self.loaded_until.is_none() {
            return Ok(Vec::new());
        }
        let last = self.last_waiting();
        match self.loaded_until.take_if(|(_, inbox)| *inbox <= last) {
            Some((queued, _)) => self.loaded_all(cx, now, &queued),
            None => Ok(Vec::new()),
        }
    }

    fn replay_page(&mut self, cx: &Context, records: &[Record]) -> Result<(), Trouble> {
        let Phase::Loading(Some(machine)) = &mut self.phase else { return Ok(()) };
        for record in records {
            let mut events = decode_record(record, cx.codec.as_ref())?;
            if let Some(Event { id: EventId(1), kind: EventKind::WorkflowStarted(started), .. }) =
                events.first()
            {
                self.limit = started.limit(record.at);
                self.started = Some(started.clone());
                if self.head == EventId(1) {
                    // No task has been committed yet: the first one runs live.
                    self.begin_at = Some(started.begins(record.at));
                    events.clear();
                }
            }
            let is_reset = |event: &Event| matches!(event.kind, EventKind::WorkflowReset(_));
            if events.iter().any(is_reset) {
                // Its time counts from there.
                self.limit = self.started.as_ref().and_then(|started| started.limit(record.at));
            }
            self.fresh_copy = events.last().is_some_and(is_reset);
            unheard(|| machine.replay(events))?;
        }
        Ok(())
    }

    fn loaded_all(
        &mut self,
        cx: &Context,
        now: Timestamp,
        queued: &HashSet<EventId>,
    ) -> Result<Vec<Job>, Trouble> {
        let Phase::Loading(machine) = &mut self.phase else { return Ok(Vec::new()) };
        let Some(mut machine) = machine.take() else { return Ok(Vec::new()) };
        let first_task = self.begin_at.is_some();
        if self.started.is_none() || (!first_task && machine.head() != self.head) {
            let found = machine.head();
            return Err(Trouble::Refused(format!("its history ends at event {found}, not at {}", self.head)));
        }
        if !first_task {
            unheard(|| machine.replayed())?;
        }
        let side_effects = machine.open_side_effects();
        let left_behind = match self.places {
            Some(_) => LeftBehind::default(),
            None if self.left_rowless => self.left_behind(cx, now, &machine, queued)?,
            None => LeftBehind::queued(machine.open_activities()),
        };
        let mut local = Vec::new();
        for (scheduled, call, last_failure) in left_behind.local {
            let first = LocalCall::new(cx, &mut machine, scheduled, call)?;
            let attempt = if last_failure.is_some() { Attempt(2) } else { first.attempt };
            local.push(LocalCall { attempt, last_failure, ..first });
        }
        self.dependents = machine.family().depends();
        self.paused = machine.is_paused();
        self.phase = Phase::Live(machine);
        self.lost.extend(left_behind.rows);
        self.incoming.extend(left_behind.ended.into_iter().map(|ended| Incoming::Activity(Box::new(ended))));
        let places = self.places.get_or_insert_default();
        left_behind.places.into_iter().for_each(|(scheduled, place)| places.set(scheduled, place));
        let mut jobs = Vec::new();
        jobs.extend(local.into_iter().map(|local| self.local_call(local)));
        for scheduled in side_effects {
            let places = self.places.get_or_insert_default();
            if !places.contains(scheduled) {
                places.set(scheduled, Place::Local);
                jobs.extend(self.side_effect(scheduled));
            }
        }
        self.places.get_or_insert_default().keep();
        Ok(jobs)
    }

    /// Finds out where the calls are that the last holder left open.
    ///
    /// A call without a row was in its first attempt, on a worker that is gone: the second attempt gets a row, or the
    /// call has failed if there is none. One whose outcome lies in the inbox has lost its row to that outcome.
    fn left_behind(
        &self,
        cx: &Context,
        now: Timestamp,
        machine: &Machine,
        queued: &HashSet<EventId>,
    ) -> Result<LeftBehind, Trouble> {
        let failure = Failure::of_kind(FailureKind::WorkerLost, "the worker that ran the attempt is gone");
        let cancelled =
            Failure::of_kind(FailureKind::Cancelled, "its worker is gone, and it was asked to stop");
        let mut left = LeftBehind::default();
        let ended = self.ended_in_inbox(cx)?;
        for (scheduled, call) in machine.open_activities() {
            let scheduled_at = machine.scheduled_at(scheduled);
            let close_by = call.schedule_to_close.zip(scheduled_at).map(|(length, at)| at + length);
            let asked = machine.is_asked_to_stop(scheduled);
            if queued.contains(&scheduled) || ended.contains(&scheduled) {
                left.places.push((scheduled, Place::Queued));
            } else if !asked && self.fresh_copy && call.local {
                left.places.push((scheduled, Place::Local));
                left.local.push((scheduled, call, None));
            } else if !asked && self.fresh_copy {
                // Nobody has run it for this run.
                left.rows.push(self.row(cx, Row::of(scheduled, &call, close_by, now))?);
                left.places.push((scheduled, Place::Queued));
            } else if !asked && call.local && call.retry.delay_after(Attempt(1), &failure).is_some() {
                left.places.push((scheduled, Place::Local));
                left.local.push((scheduled, call, Some(failure.clone())));
            } else if !asked && call.retry.delay_after(Attempt(1), &failure).is_some() {
                let last_failure = Some(failure.clone());
                let (call, attempt, visible_at) = (&call, Attempt(2), now);
                let row = Row::of(scheduled, call, close_by, visible_at);
                let row = Row { attempt, last_failure, ..row };
                left.rows.push(self.row(cx, row)?);
                left.places.push((scheduled, Place::Queued));
            } else {
                left.places.push((scheduled, Place::Rowless));
                left.ended.push(EndedActivity {
                    info: Arc::new(ActivityInfo::first(self.key.clone(), call.activity.clone(), scheduled)),
                    token: self.token,
                    load: self.loads,
                    call,
                    close_by,
                    result: Err(if asked { cancelled.clone() } else { failure.clone() }),
                    asked,
                    deferred: None,
                    details: None,
                    queued: None,
                    at: now,
                });
            }
        }
        Ok(left)
    }

    /// The calls whose outcomes have come as messages.
    fn ended_in_inbox(&self, cx: &Context) -> Result<HashSet<EventId>, Trouble> {
        let mut ended = HashSet::new();
        for incoming in &self.incoming {
            if let Incoming::Message(message) = incoming {
                ended.extend(decode_kind(&message.body, cx.codec.as_ref())?.outcome_of());
            }
        }
        Ok(ended)
    }
}

/// What user code logs while its history is told again was logged before.
fn unheard<T>(replay: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), replay)
}

/// What the last holder of a run left open.
#[derive(Default)]
struct LeftBehind {
    places: Vec<(EventId, Place)>,
    rows: Vec<NewActivityTask>,
    /// Local calls that begin, or begin again after a failure.
    local: Vec<(EventId, Arc<ActivityScheduled>, Option<Failure>)>,
    ended: Vec<EndedActivity>,
}

impl LeftBehind {
    /// Nothing was left without a row: each open call stands in the queue, or its outcome in the inbox.
    fn queued(open: Vec<(EventId, Arc<ActivityScheduled>)>) -> Self {
        let places = open.into_iter().map(|(scheduled, _)| (scheduled, Place::Queued)).collect();
        Self { places, ..Self::default() }
    }
}
