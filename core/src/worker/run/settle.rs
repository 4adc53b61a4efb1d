//! Where the activities of a task run: here at once without a row, or through the queue.

use std::collections::HashSet;
use std::sync::Arc;

use super::park::Trouble;
use super::places::{Place, Places};
use super::task::Gathered;
use super::{Phase, Run};
use crate::activity::{ActivityDefinition, ActivityInfo, CancelFlag};
use crate::commit::Progress;
use crate::history::{ActivityScheduled, Event, EventKind, HistoryError, encode_kind};
use crate::replay::Machine;
use crate::vocabulary::{Attempt, EventId, Failure, Payload, Timestamp, WorkerId};
use crate::worker::activities::{ActivityJob, EndedActivity, Job, SideEffectJob};
use crate::worker::context::Context;
use crate::write::NewActivityTask;

/// A task whose activities have their places.
pub(super) struct Settled {
    pub(super) progress: Progress,
    /// What starts when the commit is acknowledged.
    pub(super) jobs: Vec<Job>,
    /// How many of the jobs are async activities, and how many blocking ones.
    pub(super) placed: [usize; 2],
    /// What is stopped then.
    pub(super) aborts: Vec<EventId>,
    /// Activities that are asked to stop then.
    pub(super) asks: Vec<EventId>,
    /// Whether nothing but outcomes of grouped steps was taken in.
    pub(super) grouped: bool,
    /// Calls that asked for a row, and have one by then.
    pub(super) rows: HashSet<EventId>,
    /// Who commits.
    pub(super) worker: WorkerId,
}

impl Settled {
    pub(super) fn new(worker: WorkerId, progress: Progress, aborts: Vec<EventId>) -> Self {
        Self {
            progress,
            jobs: Vec::new(),
            placed: [0; 2],
            aborts,
            asks: Vec::new(),
            grouped: false,
            rows: HashSet::new(),
            worker,
        }
    }
}

/// A call that is to stand in the queue.
pub(super) struct Row<'a> {
    pub(super) scheduled: EventId,
    pub(super) call: &'a Arc<ActivityScheduled>,
    pub(super) close_by: Option<Timestamp>,
    pub(super) attempt: Attempt,
    pub(super) visible_at: Timestamp,
    pub(super) last_failure: Option<Failure>,
    /// As they passed the codec.
    pub(super) details: Option<Payload>,
    pub(super) running: bool,
}

impl<'a> Row<'a> {
    /// The row of a first attempt.
    pub(super) fn of(
        scheduled: EventId,
        call: &'a Arc<ActivityScheduled>,
        close_by: Option<Timestamp>,
        visible_at: Timestamp,
    ) -> Self {
        let (last_failure, details) = (None, None);
        let attempt = Attempt(1);
        Self { scheduled, call, close_by, attempt, visible_at, last_failure, details, running: false }
    }
}

/// A call that is to run here.
pub(super) struct LocalCall {
    pub(super) scheduled: EventId,
    pub(super) call: Arc<ActivityScheduled>,
    pub(super) attempt: Attempt,
    pub(super) last_failure: Option<Failure>,
    /// What it does, if it is a step and not an activity by name.
    pub(super) step: Option<ActivityDefinition>,
}

impl LocalCall {
    /// The first attempt of a call; says so if there is nothing to run for it.
    pub(super) fn new(
        cx: &Context,
        machine: &mut Machine,
        scheduled: EventId,
        call: Arc<ActivityScheduled>,
    ) -> Result<Self, Trouble> {
        let step = machine.take_step(scheduled).and_then(|step| step.downcast::<ActivityDefinition>().ok());
        let step = step.map(|step| match &cx.registry.steps {
            Some(hook) => hook(*step),
            None => *step,
        });
        if step.is_none() && !cx.registry.activities.contains_key(&call.activity) {
            return Err(Trouble::Unregistered(call.activity.clone()));
        }
        Ok(Self { scheduled, call, attempt: Attempt(1), last_failure: None, step })
    }
}

impl Run {
    /// Gives each new call its place, and takes the places of those that ended or were cancelled.
    pub(super) fn settle(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        now: Timestamp,
        gathered: Gathered,
    ) -> Result<Settled, Trouble> {
        let Gathered { progress, grouped, retries, timed_out, rows, unwanted, .. } = gathered;
        let mut settled = Settled { grouped, ..Settled::new(worker, progress, Vec::new()) };
        let events = std::mem::take(&mut settled.progress.events);
        let closes = events.last().is_some_and(|event| event.kind.closes());
        let let_go: HashSet<EventId> = events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::ActivityCancelled(body) => Some(body.scheduled),
                _ => None,
            })
            .collect();
        for event in &events {
            match &event.kind {
                EventKind::ActivityScheduled(_) if closes || let_go.contains(&event.id) => {}
                EventKind::ActivityScheduled(call) if call.local => {
                    let Phase::Live(machine) = &mut self.phase else { return Err(Trouble::not_live()) };
                    let local = LocalCall::new(cx, machine, event.id, call.clone())?;
                    self.places().set(event.id, Place::Local);
                    settled.jobs.push(self.local_call(local));
                }
                EventKind::ActivityScheduled(call) => {
                    self.place(cx, now, event, call, &mut settled)?;
                }
                EventKind::ActivityCompleted(body) => self.ended(body.scheduled),
                EventKind::ActivityFailed(body) => self.ended(body.scheduled),
                EventKind::ActivityCancelled(body) => {
                    self.overdue.forget(body.scheduled);
                    let was_placed = self.places().remove(body.scheduled).map(|_| body.scheduled);
                    settled.aborts.extend(was_placed);
                    settled.progress.cancelled.extend(was_placed);
                }
                EventKind::ActivityCancelRequested(body) if !closes => {
                    self.ask_to_stop(body.scheduled, event.at, &mut settled);
                }
                EventKind::SideEffectScheduled(_) if !closes => {
                    self.places().set(event.id, Place::Local);
                    settled.jobs.extend(self.side_effect(event.id));
                }
                EventKind::SideEffectRecorded(body) => _ = self.places().remove(body.scheduled),
                _ => {}
            }
        }
        settled.progress.events = events;
        // What passed a limit may run, or stand in the queue.
        settled.aborts.extend(&timed_out);
        settled.progress.cancelled.extend(timed_out);
        for scheduled in unwanted {
            self.places().remove(scheduled);
        }
        for ended in retries.iter().filter(|_| !closes) {
            self.requeue(cx, now, ended, &mut settled)?;
        }
        for request in rows.into_iter().filter(|_| !closes) {
            self.keep_row(cx, now, request, &mut settled)?;
        }
        Ok(settled)
    }

    /// A call has its outcome.
    fn ended(&mut self, scheduled: EventId) {
        self.places().remove(scheduled);
        self.overdue.forget(scheduled);
    }

    /// An activity is asked to stop: here, and by its row; one that nobody runs is found by a look.
    fn ask_to_stop(&mut self, scheduled: EventId, at: Timestamp, settled: &mut Settled) {
        settled.asks.push(scheduled);
        if self.places().place(scheduled) == Some(Place::Queued) {
            settled.progress.cancel_requested.push(scheduled);
            self.overdue.cancel_requested(scheduled, at);
        }
    }

    /// A new call takes a free slot here at once, or goes to the queue.
    fn place(
        &mut self,
        cx: &Context,
        now: Timestamp,
        event: &Event,
        call: &Arc<ActivityScheduled>,
        settled: &mut Settled,
    ) -> Result<(), Trouble> {
        let scheduled = event.id;
        let close_by = call.schedule_to_close.map(|length| event.at + length);
        let here = call.task_queue.as_ref().is_none_or(|queue| *queue == cx.task_queue);
        let sort = cx.sort_of(&call.activity).filter(|_| here);
        // A worker that shuts down begins nothing new: the call waits for another.
        if let Some(sort) = sort
            && !cx.is_draining()
            && cx.slots[sort].room_for_new(cx.clock.elapsed()) > settled.placed[sort]
        {
            settled.placed[sort] += 1;
            let has_row = call.heartbeat.is_some() || cx.is_transactional(&call.activity);
            let queued = has_row.then_some(settled.worker);
            if queued.is_some() {
                let row = Row::of(scheduled, call, close_by, now);
                settled.progress.schedule.push(self.row(cx, Row { running: true, ..row })?);
            }
            let place = if queued.is_some() { Place::Queued } else { Place::Rowless };
            self.places().set(scheduled, place);
            settled.jobs.push(Job::Activity(Box::new(ActivityJob {
                info: Arc::new(ActivityInfo::first(self.key.clone(), call.activity.clone(), scheduled)),
                token: self.token,
                load: self.loads,
                call: call.clone(),
                close_by,
                queued,
                cancel: CancelFlag::default(),
                definition: None,
            })));
            return Ok(());
        }
        match sort {
            Some(sort) => cx.slots[sort].set_backlog(true),
            None if here => {
                tracing::warn!(activity = %call.activity, "no worker of this process serves the activity")
            }
            None => {}
        }
        let row = self.row(cx, Row::of(scheduled, call, close_by, now))?;
        self.places().set(scheduled, Place::Queued);
        settled.progress.schedule.push(row);
        Ok(())
    }

    /// A failed attempt that had no row gets one for the next.
    fn requeue(
        &mut self,
        cx: &Context,
        now: Timestamp,
        ended: &EndedActivity,
        settled: &mut Settled,
    ) -> Result<(), Trouble> {
        let Err(failure) = &ended.result else { return Ok(()) };
        let delay = ended.retry_delay().unwrap_or_default();
        let row = self.retry_row(cx, ended, failure, now + delay)?;
        self.places().set(ended.info.scheduled, Place::Queued);
        settled.progress.schedule.push(row);
        Ok(())
    }

    /// The row of the attempt after one that failed.
    pub(super) fn retry_row(
        &self,
        cx: &Context,
        ended: &EndedActivity,
        failure: &Failure,
        visible_at: Timestamp,
    ) -> Result<NewActivityTask, HistoryError> {
        let last_failure = Some(failure.clone());
        let (scheduled, close_by, attempt) =
            (ended.info.scheduled, ended.close_by, ended.info.attempt.next());
        let details = ended.details.clone().map(|details| cx.codec.encode(details)).transpose()?;
        let row = Row::of(scheduled, &ended.call, close_by, visible_at);
        self.row(cx, Row { attempt, last_failure, details, ..row })
    }

    /// The row of a call; it passes the codec as history does.
    pub(super) fn row(&self, cx: &Context, row: Row<'_>) -> Result<NewActivityTask, HistoryError> {
        let own_queue = self.started.as_ref().map_or(&cx.task_queue, |started| &started.task_queue);
        Ok(NewActivityTask {
            scheduled: row.scheduled,
            activity: row.call.activity.clone(),
            task_queue: row.call.task_queue.as_ref().unwrap_or(own_queue).clone(),
            priority: self.started.as_ref().map_or(0, |started| started.priority),
            call: encode_kind(EventKind::ActivityScheduled(row.call.clone()), cx.codec.as_ref())?,
            attempt: row.attempt,
            visible_at: row.visible_at,
            close_by: row.close_by,
            last_failure: row.last_failure.map(|failure| cx.outward(failure)).transpose()?,
            details: row.details,
            running: row.running,
        })
    }

    /// The job of a local call whose command is stored, or will be with the commit that starts it.
    pub(super) fn local_call(&self, local: LocalCall) -> Job {
        let LocalCall { scheduled, call, attempt, last_failure, step } = local;
        let first = ActivityInfo::first(self.key.clone(), call.activity.clone(), scheduled);
        Job::Activity(Box::new(ActivityJob {
            info: Arc::new(ActivityInfo { attempt, last_failure, ..first }),
            token: self.token,
            load: self.loads,
            call,
            close_by: None,
            queued: None,
            cancel: CancelFlag::default(),
            definition: step,
        }))
    }

    /// The job of a side effect whose command is stored, or will be with the commit that starts it.
    pub(super) fn side_effect(&mut self, scheduled: EventId) -> Option<Job> {
        let Phase::Live(machine) = &mut self.phase else { return None };
        let effect = machine.take_side_effect(scheduled)?;
        let (run_id, token) = (self.key.run_id, self.token);
        Some(Job::SideEffect(Box::new(SideEffectJob { run_id, token, scheduled, effect })))
    }

    pub(super) fn places(&mut self) -> &mut Places {
        self.places.get_or_insert_default()
    }
}
