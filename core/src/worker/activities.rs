//! Running user effects: activity bodies and side effects, on the user's runtime, each in a slot.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use tracing::Instrument;

use super::context::{Context, Life};
use super::running::Running;
use super::slots::Slot;
use super::thread::Shards;
use crate::activity::{ActivityContext, ActivityDefinition, ActivityInfo, ActivityRun, CancelFlag};
use crate::history::{ActivityCompleted, ActivityFailed, ActivityScheduled, EventKind};
use crate::host::Role;
use crate::replay::SideEffect;
use crate::vocabulary::{
    Attempt, EventId, Failure, FailureKind, FencingToken, Payload, RunId, RunKey, Timestamp, WorkerId,
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
    pub(super) scheduled: EventId,
    pub(super) attempt: Attempt,
    pub(super) call: ActivityScheduled,
    pub(super) last_failure: Option<Failure>,
    /// Who claimed it from the queue; `None` if it has no row.
    pub(super) queued: Option<WorkerId>,
    /// By which its body is told to stop.
    pub(super) cancel: CancelFlag,
    /// What it does, if it is a step and not an activity by name.
    pub(super) step: Option<ActivityDefinition>,
}

impl ActivityJob {
    fn definition<'a>(&'a self, cx: &'a Context) -> Option<&'a ActivityDefinition> {
        self.step.as_ref().or_else(|| cx.registry.activities.get(&self.call.activity))
    }
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
    pub(super) scheduled: EventId,
    pub(super) attempt: Attempt,
    pub(super) call: ActivityScheduled,
    pub(super) result: Result<Payload, Failure>,
    /// Who claimed it from the queue; `None` if it has no row.
    pub(super) queued: Option<WorkerId>,
    pub(super) at: Timestamp,
}

impl EndedActivity {
    /// What history holds of it, if it is not tried again.
    pub(super) fn outcome(&self) -> EventKind {
        let (scheduled, attempt) = (self.scheduled, self.attempt);
        match &self.result {
            Ok(result) => ActivityCompleted { scheduled, attempt, result: result.clone() }.into(),
            Err(failure) => ActivityFailed { scheduled, attempt, failure: failure.clone() }.into(),
        }
    }
}

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
        Job::Activity(job) => {
            if job.definition(cx).is_some() && running.expect(&job, life.worker) {
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
    let Some(definition) = job.definition(cx) else { return };
    let sort = usize::from(definition.blocking());
    if let Some((slot, job)) = cx.slots[sort].enter(job, cx.clock.elapsed()) {
        begin(cx, shards, running, slot, *job);
    }
}

/// When, and after what, a local call is tried again: here, since it has no row to wait in.
fn again_here(job: &ActivityJob, result: &Result<Payload, Failure>) -> Option<(Duration, Failure)> {
    let failure = result.as_ref().err().filter(|_| job.call.local)?;
    let delay = job.call.retry.delay_after(job.attempt, failure)?;
    tracing::debug!(name = %job.call.activity, run = %job.run, attempt = %job.attempt, %failure, "a local call failed");
    Some((delay, failure.clone()))
}

/// Gives jobs the slots that become free, for as long as the worker lives.
pub(super) async fn admit(cx: Arc<Context>, shards: Arc<Shards>, running: Arc<Running>) {
    loop {
        cx.slot_freed.notified().await;
        for slots in &cx.slots {
            while let Some((slot, job)) = slots.next(cx.clock.elapsed()) {
                begin(&cx, &shards, &running, slot, *job);
            }
        }
    }
}

/// Runs an attempt in its slot, unless it was stopped while it stood in line.
fn begin(cx: &Arc<Context>, shards: &Arc<Shards>, running: &Arc<Running>, slot: Slot, job: ActivityJob) {
    let Some(definition) = job.definition(cx) else { return };
    let blocking = definition.blocking();
    let (key, attempt, cancel) = ((job.run.run_id, job.scheduled), job.attempt, job.cancel.clone());
    if cancel.is_cancelled() {
        return;
    }
    let (home, cx, shards, bodies) = (cx.home.clone(), cx.clone(), shards.clone(), running.clone());
    let mut job = job;
    let task = home.spawn(Role::ActivityBody, async move {
        // It may have stood in line, or this process have stood still, since it was given a slot.
        if !may_begin(&cx) || job.cancel.is_cancelled() {
            return;
        }
        let span = tracing::info_span!("activity", name = %job.call.activity, run = %job.run, attempt = %job.attempt);
        let slot = Arc::new(slot);
        let Some(result) = run(&cx, &job, &slot).instrument(span).await else { return };
        // The slot is free before the run goes on, so that its next call can have it.
        drop(slot);
        if let Some((delay, failure)) = again_here(&job, &result) {
            cx.clock.sleep(delay).await;
            if bodies.again(key, attempt) {
                (job.attempt, job.last_failure) = (attempt.next(), Some(failure));
                enter(&cx, &shards, &bodies, Box::new(job));
            }
        } else if bodies.ended(key, attempt) {
            let ActivityJob { run, token, scheduled, attempt, call, queued, .. } = job;
            let at = cx.now();
            shards.activity_ended(EndedActivity { run, token, scheduled, attempt, call, result, queued, at });
        }
    });
    if !blocking {
        running.begun(key, attempt, task);
    }
}

/// A blocking body that keeps its slot until it returns, whoever still waits for it.
fn in_slot<T>(body: impl FnOnce() -> T, slot: Arc<Slot>) -> impl FnOnce() -> T {
    move || {
        let result = body();
        drop(slot);
        result
    }
}

/// Runs one attempt to its end, its panic or its time limit; `None` if it is too late for it to begin.
async fn run(cx: &Arc<Context>, job: &ActivityJob, slot: &Arc<Slot>) -> Option<Result<Payload, Failure>> {
    let call = &job.call;
    let definition = job.definition(cx).expect("only what has a definition begins");
    let info = ActivityInfo {
        run: job.run.clone(),
        activity: call.activity.clone(),
        scheduled: job.scheduled,
        attempt: job.attempt,
        last_failure: job.last_failure.clone(),
    };
    let context = ActivityContext::new(info, cx.registry.state.clone(), job.cancel.clone());
    let attempt = async {
        match std::panic::catch_unwind(AssertUnwindSafe(|| definition.start(context, &call.input))) {
            Ok(ActivityRun::Async(body)) => {
                let ended = AssertUnwindSafe(body).catch_unwind().await;
                Some(ended.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))))
            }
            Ok(ActivityRun::Blocking(body)) => {
                // A thread for it may come late: then nobody wants it any more.
                let (own, cancel) = (cx.clone(), job.cancel.clone());
                let body = move || (!cancel.is_cancelled() && may_begin(&own)).then(body);
                match cx.home.run_blocking(in_slot(body, slot.clone())).await {
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
    match call.start_to_close {
        None => attempt.await,
        Some(limit) => within(cx, limit, attempt, &job.cancel).await,
    }
}

/// Ends an attempt that takes longer than its limit. A blocking body is told, and keeps its slot until it returns.
async fn within(
    cx: &Arc<Context>,
    limit: Duration,
    attempt: impl Future<Output = Option<Result<Payload, Failure>>>,
    cancel: &CancelFlag,
) -> Option<Result<Payload, Failure>> {
    let attempt = std::pin::pin!(attempt);
    match select(attempt, cx.clock.sleep(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            cancel.cancel();
            Some(Err(Failure::of_kind(
                FailureKind::Timeout,
                format!("the attempt took longer than {limit:?}"),
            )))
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
    use crate::vocabulary::{ActivityName, Namespace, RetryPolicy, WorkflowId};

    /// A job that only stands in line.
    pub(in crate::worker) fn job(scheduled: u64) -> Box<ActivityJob> {
        Box::new(ActivityJob {
            run: RunKey {
                namespace: Namespace::default(),
                workflow_id: WorkflowId::new("order-42").unwrap(),
                run_id: RunId::fresh(),
            },
            token: FencingToken(1),
            scheduled: EventId(scheduled),
            attempt: Attempt(1),
            call: ActivityScheduled {
                activity: ActivityName::new("charge").unwrap(),
                input: Payload::encode(&()).unwrap(),
                task_queue: None,
                retry: RetryPolicy::default(),
                start_to_close: None,
                local: false,
            },
            last_failure: None,
            queued: None,
            cancel: CancelFlag::default(),
            step: None,
        })
    }
}
