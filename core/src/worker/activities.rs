//! Running user effects: activity bodies and side effects, on the user's runtime, each in a slot.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use tracing::Instrument;

use super::context::{Context, Life};
use super::heartbeats::{self, Pulse};
use super::running::Running;
use super::slots::Slot;
use super::thread::Shards;
use crate::activity::{ActivityContext, ActivityDefinition, ActivityInfo, ActivityRun, CancelFlag};
use crate::history::{ActivityCompleted, ActivityFailed, ActivityScheduled, EventKind};
use crate::host::Role;
use crate::replay::SideEffect;
use crate::vocabulary::{
    Attempt, EventId, Failure, FailureKind, FencingToken, Payload, RunId, RunKey, TimeoutKind, Timestamp,
    WorkerId,
};

/// A user effect that may begin: every earlier event is acknowledged.
pub(super) enum Job {
    Activity(Box<ActivityJob>),
    SideEffect(SideEffectJob),
}

/// An attempt of an activity.
pub(super) struct ActivityJob {
    pub(super) run: RunKey,
    /// The run's token at the time; meaningless for a queued one.
    pub(super) token: FencingToken,
    /// By which load of the run it was begun; says nothing of a queued one.
    pub(super) load: u32,
    pub(super) scheduled: EventId,
    pub(super) attempt: Attempt,
    pub(super) call: Arc<ActivityScheduled>,
    /// When the whole call must have ended.
    pub(super) close_by: Option<Timestamp>,
    pub(super) last_failure: Option<Failure>,
    /// What an earlier attempt said last.
    pub(super) details: Option<Payload>,
    /// Who claimed it from the queue; `None` if it has no row.
    pub(super) queued: Option<WorkerId>,
    /// By which its body is told to stop.
    pub(super) cancel: CancelFlag,
    /// What it does: a step has it from the beginning, an activity by name from when the job is started.
    pub(super) definition: Option<ActivityDefinition>,
}

/// A side effect's closure.
pub(super) struct SideEffectJob {
    pub(super) run_id: RunId,
    pub(super) token: FencingToken,
    pub(super) scheduled: EventId,
    pub(super) effect: SideEffect,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) struct EndedActivity {
    pub(super) run: RunKey,
    pub(super) token: FencingToken,
    pub(super) load: u32,
    pub(super) scheduled: EventId,
    pub(super) attempt: Attempt,
    pub(super) call: Arc<ActivityScheduled>,
    pub(super) close_by: Option<Timestamp>,
    pub(super) result: Result<Payload, Failure>,
    /// Whether its run has asked it to stop: then it is not tried again.
    pub(super) asked: bool,
    /// If it is to be ended from outside: until when.
    pub(super) deferred: Option<Timestamp>,
    /// What it said last, if that is to go into the row of the next attempt.
    pub(super) details: Option<Payload>,
    /// Who claimed it from the queue; `None` if it has no row.
    pub(super) queued: Option<WorkerId>,
    pub(super) at: Timestamp,
}

impl EndedActivity {
    /// How long to wait before it is tried again; `None` if it has its outcome.
    pub(super) fn retry_delay(&self) -> Option<Duration> {
        let failure = self.result.as_ref().err().filter(|_| !self.asked)?;
        let delay = self.call.retry.delay_in((self.run.run_id, self.scheduled), self.attempt, failure)?;
        // What would begin after the call's end need not wait for it.
        self.close_by.is_none_or(|close_by| self.at + delay < close_by).then_some(delay)
    }

    /// What history holds of it, if it is not tried again.
    pub(super) fn outcome(&self) -> EventKind {
        let (scheduled, attempt) = (self.scheduled, self.attempt);
        match &self.result {
            Ok(result) => ActivityCompleted { scheduled, attempt, result: result.clone() }.into(),
            Err(failure) => ActivityFailed { scheduled, attempt, failure: failure.clone() }.into(),
        }
    }
}

impl ActivityJob {
    /// The end of this attempt, as its outcome says and nothing else.
    pub(super) fn ended(self, result: Result<Payload, Failure>, at: Timestamp) -> EndedActivity {
        let Self { run, token, load, scheduled, attempt, call, close_by, queued, .. } = self;
        let (asked, deferred, details) = (false, None, None);
        EndedActivity {
            run,
            token,
            load,
            scheduled,
            attempt,
            call,
            close_by,
            result,
            asked,
            deferred,
            details,
            queued,
            at,
        }
    }

    /// The end of a job that was asked to stop before it began.
    fn never_begun(self, at: Timestamp) -> Box<EndedActivity> {
        let result = Err(Failure::of_kind(FailureKind::Cancelled, NEVER_BEGUN));
        Box::new(EndedActivity { asked: true, ..self.ended(result, at) })
    }
}

/// The message of a call that was cancelled before anybody began it.
pub(super) const NEVER_BEGUN: &str = "the activity was cancelled before its attempt began";

/// How a side effect ended.
#[derive(Debug, Clone)]
pub(super) struct EndedSideEffect {
    pub(super) run_id: RunId,
    pub(super) token: FencingToken,
    pub(super) scheduled: EventId,
    pub(super) value: Result<Payload, String>,
    pub(super) at: Timestamp,
}

/// Whether the lease still holds, so that a user effect may begin. Asked right before it does.
fn may_begin(cx: &Context) -> bool {
    let holds = cx.life().holds_at(cx.clock.elapsed());
    if !holds {
        cx.lease_lost.notify_one();
    }
    holds
}

/// Starts a job on the current runtime, unless the life that it belongs to is over.
pub(super) fn start(cx: &Arc<Context>, life: &Life, shards: &Arc<Shards>, running: &Arc<Running>, job: Job) {
    if !life.holds_at(cx.clock.elapsed()) {
        cx.lease_lost.notify_one();
        return;
    }
    match job {
        Job::Activity(mut job) => {
            if job.definition.is_none() {
                job.definition = cx.registry.activities.get(&job.call.activity).cloned();
            }
            if job.definition.is_some() && running.expect(&job, life.worker) {
                enter(cx, shards, running, job);
            }
        }
        Job::SideEffect(job) if running.lives(life.worker) => {
            let (cx, shards, running, worker) = (cx.clone(), shards.clone(), running.clone(), life.worker);
            cx.clone().home.spawn(Role::SideEffectBody, async move {
                if !may_begin(&cx) || !running.lives(worker) {
                    return;
                }
                let SideEffectJob { run_id, token, scheduled, effect } = job;
                let value = match std::panic::catch_unwind(AssertUnwindSafe(effect)) {
                    Ok(value) => value.map_err(|error| error.to_string()),
                    Err(panic) => Err(format!("its closure panicked: {}", panic_message(panic.as_ref()))),
                };
                shards.side_effect_ended(EndedSideEffect { run_id, token, scheduled, value, at: cx.now() });
            });
        }
        Job::SideEffect(_) => {}
    }
}

/// Takes a slot for a job, or puts it in line; whoever is first begins.
fn enter(cx: &Arc<Context>, shards: &Arc<Shards>, running: &Arc<Running>, job: Box<ActivityJob>) {
    let Some(definition) = &job.definition else { return };
    let sort = usize::from(definition.blocking());
    if let Some((slot, job)) = cx.slots[sort].enter(job, cx.clock.elapsed()) {
        begin(cx, shards, running, slot, job);
    }
}

/// When, and after what, a local call is tried again: here, since it has no row to wait in.
fn again_here(job: &ActivityJob, result: &Result<Payload, Failure>) -> Option<(Duration, Failure)> {
    let failure = result.as_ref().err().filter(|_| job.call.local)?;
    let delay = job.call.retry.delay_in((job.run.run_id, job.scheduled), job.attempt, failure)?;
    tracing::debug!(name = %job.call.activity, run = %job.run, attempt = %job.attempt, %failure, "a local call failed");
    Some((delay, failure.clone()))
}

/// Gives jobs the slots that become free, for as long as the worker lives.
pub(super) async fn admit(cx: Arc<Context>, shards: Arc<Shards>, running: Arc<Running>) {
    loop {
        cx.slot_freed.notified().await;
        for slots in &cx.slots {
            while let Some((slot, job)) = slots.next(cx.clock.elapsed()) {
                begin(&cx, &shards, &running, slot, job);
            }
        }
    }
}

/// Runs an attempt in its slot, unless it was stopped while it stood in line.
fn begin(
    cx: &Arc<Context>,
    shards: &Arc<Shards>,
    running: &Arc<Running>,
    slot: Slot,
    mut job: Box<ActivityJob>,
) {
    let Some(definition) = &job.definition else { return };
    let blocking = definition.blocking();
    let (key, attempt, cancel) = ((job.run.run_id, job.scheduled), job.attempt, job.cancel.clone());
    if cancel.is_cancelled() {
        // Stopped; or asked, which is an end that its call waits for.
        if running.ended(key, attempt).is_some() {
            shards.activity_ended(job.never_begun(cx.now()));
        }
        return;
    }
    let began = cx.now();
    if job.call.schedule_to_start.is_some() || job.call.start_to_close.is_some() {
        running.left_line(key, began);
    }
    let (home, cx, shards, bodies) = (cx.home.clone(), cx.clone(), shards.clone(), running.clone());
    let task = home.spawn(Role::ActivityBody, async move {
        // It may have stood in line, or this process have stood still, since it was given a slot.
        if job.cancel.is_cancelled() {
            if bodies.ended(key, attempt).is_some() {
                shards.activity_ended(job.never_begun(cx.now()));
            }
            return;
        }
        if !may_begin(&cx) {
            return;
        }
        let headers = job.call.headers.clone();
        let around = &cx.registry.around;
        // A span's parent is what is current where it is made.
        let span = around.within(&headers, || span(&job));
        let watched = cx.pulses.watch(key, attempt);
        let body = around.surround(&headers, run(&cx, &job, slot).instrument(span));
        let Some(result) = body.await else { return };
        let (details, row) = watched.ended().unzip();
        if let (Err(_), Some(details), Some(worker)) = (&result, &details, row.flatten()) {
            Box::pin(heartbeats::tell_last(&cx, &job, worker, details.clone())).await;
        }
        if let Some((delay, failure)) = again_here(&job, &result) {
            if job.call.commit_later {
                shards.waits(job.run.run_id, job.token);
            }
            cx.clock.sleep(delay).await;
            if let Some(cancel) = bodies.again(key, attempt) {
                (job.attempt, job.last_failure, job.cancel) = (attempt.next(), Some(failure), cancel);
                enter(&cx, &shards, &bodies, job);
            }
        } else if let Some(asked) = bodies.ended(key, attempt) {
            let at = cx.now();
            let deferred = deferral(&job.call, &result, began, at);
            shards.activity_ended(Box::new(EndedActivity {
                asked,
                deferred,
                details,
                ..job.ended(result, at)
            }));
        }
    });
    if !blocking {
        running.begun(key, attempt, task);
    }
}

/// The span of an attempt.
fn span(job: &ActivityJob) -> tracing::Span {
    tracing::info_span!(
        "activity",
        activity = %job.call.activity,
        workflow_id = %job.run.workflow_id,
        run_id = %job.run.run_id,
        attempt = %job.attempt,
    )
}

/// A blocking body that keeps its slot until it returns, whoever still waits for it.
fn in_slot<T>(body: impl FnOnce() -> T, slot: Slot) -> impl FnOnce() -> T {
    move || {
        let result = body();
        drop(slot);
        result
    }
}

/// Runs one attempt to its end, its panic or its time limit; `None` if it is too late for it to begin. Its slot is free
/// then, before the run goes on, so that its next call can have it.
async fn run(cx: &Arc<Context>, job: &ActivityJob, slot: Slot) -> Option<Result<Payload, Failure>> {
    let call = &job.call;
    let definition = job.definition.as_ref().expect("only what has a definition begins");
    let info = ActivityInfo {
        run: job.run.clone(),
        activity: call.activity.clone(),
        scheduled: job.scheduled,
        attempt: job.attempt,
        last_failure: job.last_failure.clone(),
        heartbeat_details: job.details.clone(),
    };
    let context = ActivityContext::new(info, cx.registry.state.clone(), job.cancel.clone());
    let context = context.with_outlet(cx.clone()).with_headers(call.headers.clone());
    let around = &cx.registry.around;
    let start = || {
        let context = around.prepare_attempt(context);
        around.attempt(&context, &call.input, definition.start(context.clone(), &call.input))
    };
    let pulse = cx.pulses.begin(job);
    let attempt = async move {
        match std::panic::catch_unwind(AssertUnwindSafe(start)) {
            Ok(ActivityRun::Async(body)) => {
                let _slot = slot;
                let ended = AssertUnwindSafe(body).catch_unwind().await;
                Some(ended.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))))
            }
            Ok(ActivityRun::Blocking(body)) => {
                // A thread for it may come late: then nobody wants it any more.
                let (own, cancel) = (cx.clone(), job.cancel.clone());
                let (span, headers) = (tracing::Span::current(), call.headers.clone());
                let body = move || {
                    let begins = !cancel.is_cancelled() && may_begin(&own);
                    let around = &own.registry.around;
                    begins.then(|| around.within(&headers, || span.in_scope(body)))
                };
                match Box::pin(cx.home.run_blocking(in_slot(body, slot))).await {
                    Ok(result) => result,
                    Err(Some(panic)) => Some(Err(panicked(panic.as_ref()))),
                    Err(None) => {
                        Some(Err(Failure::of_kind(FailureKind::WorkerLost, "the runtime shut down")))
                    }
                }
            }
            Err(panic) => Some(Err(panicked(panic.as_ref()))),
        }
    };
    let limit = limit(job, cx.now());
    match (limit, pulse) {
        (None, None) => attempt.await,
        // What few calls need takes no room in the task of each.
        (Some(limit), None) => Box::pin(within(cx, limit, attempt, job)).await,
        (None, Some(pulse)) => Box::pin(while_it_beats(cx, &pulse, attempt, job)).await,
        (Some(limit), Some(pulse)) => {
            Box::pin(within(cx, limit, while_it_beats(cx, &pulse, attempt, job), job)).await
        }
    }
}

/// Until when an attempt is to be ended from outside, if its body has left it to that.
fn deferral(
    call: &ActivityScheduled,
    result: &Result<Payload, Failure>,
    began: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    result.as_ref().err().filter(|failure| failure.kind == FailureKind::Deferred)?;
    let ends = call.start_to_close.map(|length| began + length);
    let silent = call.heartbeat.map(|length| now + length);
    Some(ends.into_iter().chain(silent).min().unwrap_or(Timestamp::from_micros(i64::MAX)))
}

/// How long an attempt that begins now may take, and by which limit.
fn limit(job: &ActivityJob, now: Timestamp) -> Option<(Duration, TimeoutKind)> {
    let attempt = job.call.start_to_close.map(|length| (length, TimeoutKind::StartToClose));
    let call = job.close_by.map(|close_by| (close_by.since(now), TimeoutKind::ScheduleToClose));
    attempt.into_iter().chain(call).min_by_key(|(length, _)| *length)
}

/// Ends an attempt that takes longer than its limit. A blocking body is told, and keeps its slot until it returns.
async fn within(
    cx: &Arc<Context>,
    (limit, kind): (Duration, TimeoutKind),
    attempt: impl Future<Output = Option<Result<Payload, Failure>>>,
    job: &ActivityJob,
) -> Option<Result<Payload, Failure>> {
    let attempt = std::pin::pin!(attempt);
    match select(attempt, cx.clock.sleep(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            job.cancel.cancel();
            let mut failure = Failure::timed_out(kind, format!("the attempt took longer than {limit:?}"));
            if kind == TimeoutKind::ScheduleToClose {
                failure.message = "the activity did not end within its schedule-to-close timeout".into();
                job.last_failure.iter().for_each(|last| failure.add_cause(last));
            }
            Some(Err(failure))
        }
    }
}

/// Ends an attempt that is silent for too long.
async fn while_it_beats(
    cx: &Arc<Context>,
    pulse: &Pulse,
    attempt: impl Future<Output = Option<Result<Payload, Failure>>>,
    job: &ActivityJob,
) -> Option<Result<Payload, Failure>> {
    match select(std::pin::pin!(attempt), std::pin::pin!(pulse.silent(&cx.clock))).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            job.cancel.cancel();
            let message = "the attempt was silent for longer than its heartbeat timeout";
            Some(Err(Failure::timed_out(TimeoutKind::Heartbeat, message)))
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    Failure::of_kind(FailureKind::Panic, format!("the activity panicked: {}", panic_message(panic)))
}

/// What a panic said.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::vocabulary::{ActivityName, Namespace, WorkflowId};

    /// A job that only stands in line.
    pub(in crate::worker) fn job(scheduled: u64) -> Box<ActivityJob> {
        Box::new(ActivityJob {
            run: RunKey {
                namespace: Namespace::default(),
                workflow_id: WorkflowId::new("order-42").unwrap(),
                run_id: RunId::fresh(),
            },
            token: FencingToken(1),
            load: 0,
            scheduled: EventId(scheduled),
            attempt: Attempt(1),
            call: Arc::new(ActivityScheduled::new(
                ActivityName::new("charge").unwrap(),
                Payload::encode(&()).unwrap(),
            )),
            close_by: None,
            last_failure: None,
            details: None,
            queued: None,
            cancel: CancelFlag::default(),
            definition: None,
        })
    }
}
