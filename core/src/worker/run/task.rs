//! One workflow task: take in what waits, one event at a time, and make one commit of it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::overtime::limit_of;
use super::park::Trouble;
use super::places::Places;
use super::settle::Settled;
use super::{Closing, InFlight, Incoming, Leave, Phase, Run, Stepped, Submission, Then};
use crate::commit::{self, Legacy, Progress};
use crate::history::{EventKind, HistoryError, PayloadCodec, SideEffectRecorded, TimerFired, decode_kind};
use crate::replay::Machine;
use crate::vocabulary::{Attempt, EventId, Payload, Position, Timestamp, WorkerId};
use crate::worker::activities::{EndedActivity, Job};
use crate::worker::committer::Ticket;
use crate::worker::context::Context;
use crate::worker::first_task::{FirstTask, inbox_of};
use crate::write::{Commit, Hold, Next, OpenRun};

/// The most inbox events, and the most timers, that one workflow task takes in.
pub(super) const TASK_INBOX_EVENTS_MAX: usize = 1_000;

/// What a task has taken in.
pub(super) struct Gathered {
    pub(super) progress: Progress,
    /// How many of the incoming it holds.
    pub(super) taken: usize,
    /// Whether they are outcomes of grouped steps and nothing else.
    pub(super) grouped: bool,
    /// Attempts without a row that failed and are tried again.
    pub(super) retries: Vec<EndedActivity>,
    /// Calls that passed a limit.
    pub(super) timed_out: Vec<EventId>,
    /// Calls that run here and need a row, each with its attempt and what it said last.
    pub(super) rows: Vec<(EventId, Attempt, Option<Payload>)>,
    /// Side effects that ended after the code had let go of them.
    pub(super) unwanted: Vec<EventId>,
}

impl Run {
    /// Runs one workflow task if there is one to run, and returns its commit; a task that fails parks the run.
    pub(in crate::worker) fn step(&mut self, cx: &Context, worker: WorkerId, now: Timestamp) -> Stepped {
        let mut stepped = Stepped::default();
        if let Some(ended) = self.time_out_parked(cx, worker, now) {
            stepped.submission = Some(ended);
            return stepped;
        }
        if !self.has_task(now) {
            return stepped;
        }
        let span = self.span(cx);
        let _entered = span.enter();
        let _busy = cx.polls.begin(&self.key, self.definition.workflow_type());
        loop {
            match self.task(cx, worker, now, &mut stepped.jobs) {
                Ok(submission) => stepped.submission = submission,
                Err(trouble) => {
                    // What was about to begin dies with the code that asked for it.
                    stepped.jobs.clear();
                    stepped.submission = Some(self.park(cx, worker, &trouble, now));
                }
            }
            // What was taken in may concern nobody any more, or be held; there may be more.
            if stepped.submission.is_some() || !self.has_task(now) {
                return stepped;
            }
        }
    }

    /// The span of a workflow task: of the trace that the run was started in, if propagators say so. Its parent is what is
    /// current where it is made; nothing of that is current for the code.
    fn span(&self, cx: &Context) -> tracing::Span {
        let headers = self.started.as_ref().map(|started| started.headers.clone()).unwrap_or_default();
        let workflow = self.definition.workflow_type();
        cx.registry.around.within(&headers, || {
            tracing::info_span!(
                "workflow",
                workflow = %workflow.name,
                workflow_id = %self.key.workflow_id,
                run_id = %self.key.run_id,
            )
        })
    }

    /// Whether a task can run now.
    pub(in crate::worker) fn has_task(&self, now: Timestamp) -> bool {
        let Phase::Live(machine) = &self.phase else { return false };
        if self.in_flight.is_some() {
            return false;
        }
        if let Some(closing) = &self.closing {
            return self.last_waiting() >= closing.door;
        }
        if self.begins_later(now) {
            return false;
        }
        self.begin_at.is_some()
            || self.incoming.len() > self.held_count()
            || self.closes_group()
            || !self.lost.is_empty()
            || machine.next_due().is_some_and(|due| due <= now)
            || self.passed_limit(now).is_some()
    }

    pub(super) fn last_waiting(&self) -> Position {
        let position = |incoming: &Incoming| match incoming {
            Incoming::Message(message) => Some(message.position),
            Incoming::Activity(_)
            | Incoming::SideEffect(_)
            | Incoming::TimedOut(_)
            | Incoming::NeedsRow(_) => None,
        };
        self.incoming.iter().rev().find_map(position).unwrap_or(self.taken_in)
    }

    fn task(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        now: Timestamp,
        jobs: &mut Vec<Job>,
    ) -> Result<Option<Submission>, Trouble> {
        self.note_overdue(now);
        let (taken, settled) = match self.closing.take() {
            Some(closing) => self.take_in_rest(cx, worker, closing)?,
            None => {
                self.is_too_long(cx)?;
                let gathered = self.take_in(cx, now)?;
                (gathered.taken, self.settle(cx, worker, now, gathered)?)
            }
        };
        if self.may_hold(cx, taken, &settled) {
            jobs.extend(settled.jobs);
            self.hold(taken, settled.progress.events, settled.progress.published);
            return Ok(None);
        }
        self.submit(cx, worker, taken, settled)
    }

    /// Feeds the machine what waits, timers among it by their due time, until nothing is left or the run closes.
    fn take_in(&mut self, cx: &Context, now: Timestamp) -> Result<Gathered, Trouble> {
        let passed_limit = self.passed_limit(now);
        let Phase::Live(machine) = &mut self.phase else { return Err(Trouble::not_live()) };
        // Most tasks take one event in, and answer it with one.
        let events = Vec::with_capacity(2);
        let progress =
            Progress { events, taken_in: self.taken_in, schedule: self.lost.clone(), ..Progress::default() };
        let mut gathered = Gathered::new(progress, self.held.as_ref().map_or(0, |held| held.taken));
        let mut at = now.max(machine.last_at());
        if let (Some(begin_at), Some(started)) = (self.begin_at, &self.started) {
            at = begin_at;
            machine.take_in(
                at,
                EventKind::WorkflowStarted(started.clone()),
                &mut gathered.progress.events,
            )?;
            // The first event is stored since the start; its commands are new.
            gathered.progress.events.remove(0);
        } else {
            let mut fired = 0;
            while !machine.is_closed() && gathered.taken.max(fired) < TASK_INBOX_EVENTS_MAX {
                let due = machine.next_due().filter(|due| *due <= now);
                let next = self.incoming.get(gathered.taken);
                let timer_first = due.is_some_and(|due| next.is_none_or(|next| due <= next.at()));
                if let Some(started) = machine.due(now).filter(|_| timer_first) {
                    machine.take_in(at, TimerFired { started }.into(), &mut gathered.progress.events)?;
                    gathered.grouped = false;
                    fired += 1;
                } else if let Some(next) = next {
                    gathered.taken += 1;
                    gathered.take(machine, next, at, cx.codec.as_ref())?;
                } else {
                    break;
                }
            }
            if let Some(limit) = passed_limit.filter(|_| !machine.is_closed()) {
                machine.time_out(at, limit, &mut gathered.progress.events)?;
            }
        }
        gathered.progress.published = machine.take_published();
        gathered.progress.attributes = machine.take_attributes();
        gathered.progress.memo = machine.take_memo();
        if machine.is_closed() {
            gathered.taken =
                absorb(machine, &self.incoming, gathered.taken, &mut gathered.progress, cx.codec.as_ref())?;
        }
        Ok(gathered)
    }

    /// Takes in, without polling, the messages that came before the door of a closing run was shut.
    fn take_in_rest(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        mut closing: Closing,
    ) -> Result<(usize, Settled), Trouble> {
        let Phase::Live(machine) = &mut self.phase else { return Err(Trouble::not_live()) };
        let taken = absorb(machine, &self.incoming, closing.taken, &mut closing.progress, cx.codec.as_ref())?;
        let settled = Settled::new(worker, closing.progress, closing.aborts);
        Ok((taken, settled))
    }

    fn submit(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        taken: usize,
        mut settled: Settled,
    ) -> Result<Option<Submission>, Trouble> {
        self.release_held(&mut settled);
        let Phase::Live(machine) = &self.phase else { return Err(Trouble::not_live()) };
        let Settled { mut progress, jobs, aborts, asks, rows, .. } = settled;
        let closes = machine.is_closed();
        self.paused = machine.is_paused();
        let leave = match progress.events.last().and_then(limit_of) {
            // Its code has let go of nothing.
            Some(_) => Leave::Ended,
            None => Leave::Closed,
        };
        let says_nothing = progress.events.is_empty()
            && progress.schedule.is_empty()
            && progress.taken_in == self.taken_in
            && self.begin_at.is_none()
            && self.failure.is_none();
        if says_nothing {
            self.rows_stored(taken, Some((worker, rows)));
            self.incoming.drain(..taken);
            self.places.iter_mut().for_each(Places::keep);
            return Ok(None);
        }
        let head = progress.events.last().map_or(self.head, |event| event.id);
        self.warn_of_length(cx, head.0);
        let in_flight = InFlight {
            head,
            taken_in: progress.taken_in,
            taken,
            aborts: aborts.clone(),
            asks,
            deposited: HashSet::new(),
            rows: (!rows.is_empty()).then_some((worker, rows)),
            closing: closes.then(|| {
                Box::new(Closing { progress: progress.clone(), taken, aborts, door: self.taken_in })
            }),
            then: if closes { Then::Leave(leave) } else { Then::GoOn },
        };
        let mut ticket = Ticket { jobs, ..Ticket::new(self.key.run_id, self.token) };
        self.ask_others(cx, machine, &mut progress, &mut ticket)?;
        let commit = if closes {
            ticket.closing = progress.events.last().map(|event| Box::new(event.kind.clone()));
            self.closing_commit(cx, worker, progress, &mut ticket)?
        } else {
            let open = OpenRun {
                wake_at: self.needs_worker_at(machine),
                rowless: self.is_rowless(),
                dependents: machine.family().depends(),
                paused: self.paused,
                hold: Hold::Keep,
                failure: None,
            };
            commit::open(&self.holder(worker), self.head, progress, open, cx.codec.as_ref())?
        };
        self.in_flight = Some(in_flight);
        Ok(Some(Submission { commit: Box::new(commit), ticket }))
    }

    fn closing_commit(
        &self,
        cx: &Context,
        worker: WorkerId,
        progress: Progress,
        ticket: &mut Ticket,
    ) -> Result<Commit, HistoryError> {
        let Phase::Live(machine) = &self.phase else {
            return Err(HistoryError::Damaged("a run that closes is not in memory".to_owned()));
        };
        let Some(mut started) = self.started.clone() else {
            return Err(HistoryError::Damaged("a run that closes has no first event".to_owned()));
        };
        let (attributes, memo) = machine.shown();
        if (&started.attributes, &started.memo) != (&attributes, &memo) {
            let started = Arc::make_mut(&mut started);
            (started.attributes, started.memo) = (attributes, memo);
        }
        let mut owner = None;
        let at = machine.last_at();
        let closing = ticket.closing.as_deref();
        if let Some((run, started)) =
            closing.and_then(|closing| commit::successor(&self.key, closing, at, &started))
            // One that begins later is claimed when it does.
            && started.begins_at.is_none()
            && cx.owner_of(&started.workflow, &started.task_queue) == Some(worker)
        {
            owner = Some(worker);
            let started = Arc::new(started);
            ticket.successor = Some(Box::new(FirstTask { run, started, at, inbox: Vec::new() }));
        }
        let legacy = Legacy { started, unread: machine.unread(), owner };
        let commit = commit::close(&self.holder(worker), self.head, progress, legacy, cx.codec.as_ref())?;
        if let (Some(first_task), Next::Continued { successor, .. }) = (&mut ticket.successor, &commit.next) {
            first_task.inbox = inbox_of(successor);
        }
        Ok(commit)
    }
}

impl Gathered {
    fn new(progress: Progress, taken: usize) -> Self {
        let (retries, timed_out, rows, unwanted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { progress, taken, grouped: true, retries, timed_out, rows, unwanted }
    }

    /// Takes one of the incoming into the machine, unless nobody waits for it any more.
    fn take(
        &mut self,
        machine: &mut Machine,
        incoming: &Incoming,
        at: Timestamp,
        codec: &dyn PayloadCodec,
    ) -> Result<(), Trouble> {
        self.grouped &= matches!(incoming, Incoming::Activity(ended) if ended.call.commit_later);
        match incoming {
            Incoming::Message(message) => {
                let kind = decode_kind(&message.body, codec)?;
                if machine.concerns(&kind) {
                    machine.take_in(at, kind, &mut self.progress.events)?;
                }
                self.progress.taken_in = message.position;
            }
            Incoming::Activity(ended) if machine.is_open(ended.info.scheduled) => {
                if ended.queued.is_none() && ended.retry_delay().is_some() {
                    self.retries.push((**ended).clone());
                    return Ok(());
                }
                machine.take_in(at, ended.outcome(), &mut self.progress.events)?;
                self.progress.ended.extend(ended.queued.map(|_| (ended.info.scheduled, ended.info.attempt)));
            }
            Incoming::SideEffect(ended) if machine.is_open(ended.scheduled) => {
                let value = ended.value.clone().map_err(Trouble::SideEffect)?;
                let kind = SideEffectRecorded { scheduled: ended.scheduled, value };
                machine.take_in(at, kind.into(), &mut self.progress.events)?;
            }
            Incoming::TimedOut(timed_out) if machine.is_open(timed_out.failed.scheduled) => {
                machine.take_in(at, timed_out.failed.clone().into(), &mut self.progress.events)?;
                self.timed_out.push(timed_out.failed.scheduled);
            }
            Incoming::SideEffect(ended) => self.unwanted.push(ended.scheduled),
            Incoming::NeedsRow(request) => {
                let details = request.details.clone();
                let details = details.map(|details| codec.encode(details)).transpose()?;
                self.rows.push((request.scheduled, request.attempt, details));
            }
            Incoming::Activity(_) | Incoming::TimedOut(_) => {}
        }
        Ok(())
    }
}

/// Takes the messages from `taken` on in, before the closing event, without polling. Returns how many are taken then.
fn absorb(
    machine: &mut Machine,
    incoming: &VecDeque<Incoming>,
    taken: usize,
    progress: &mut Progress,
    codec: &dyn PayloadCodec,
) -> Result<usize, Trouble> {
    for incoming in incoming.range(taken..) {
        if let Incoming::Message(message) = incoming {
            let kind = decode_kind(&message.body, codec)?;
            if kind.told_by_child().is_some() {
                if machine.concerns(&kind) {
                    machine.bury(&kind);
                }
            } else if machine.concerns(&kind) {
                machine.absorb(kind, &mut progress.events);
            }
            progress.taken_in = message.position;
        }
    }
    Ok(incoming.len())
}
