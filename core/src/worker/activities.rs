//! Running user effects: activity bodies and side effects, on the user's runtime, each in a slot.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use tokio::task::AbortHandle;
use tracing::Instrument;

use super::context::Context;
use super::slots::Slot;
use super::thread::Shards;
use crate::activity::{ActivityContext, ActivityDefinition, ActivityInfo, ActivityRun, CancelFlag};
use crate::history::ActivityScheduled;
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
    /// Shared with a blocking body, which keeps it until it returns.
    pub(super) slot: Arc<Slot>,
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

/// How a side effect ended.
#[derive(Debug, Clone)]
pub(super) struct EndedSideEffect {
    pub(super) run_id: RunId,
    pub(super) token: FencingToken,
    pub(super) scheduled: EventId,
    pub(super) value: Result<Payload, String>,
    pub(super) at: Timestamp,
}

/// Which bodies are to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// That of one call.
    Call(RunId, EventId),
    /// Those of a run that have no row in the queue, and so belong to its holder.
    Rowless(RunId),
    /// All of a run.
    Run(RunId),
    /// All.
    All,
}

/// What runs at the moment, so that it can be stopped.
#[derive(Default)]
pub(super) struct Running {
    bodies: Mutex<HashMap<(RunId, EventId), Body>>,
}

struct Body {
    run: RunKey,
    attempt: Attempt,
    queued: bool,
    cancel: CancelFlag,
    abort: Option<AbortHandle>,
}

impl Running {
    /// Stops bodies that run here: an async one is dropped, a blocking one is told. Their outcome counts for nothing.
    pub(super) fn stop(&self, stop: Stop) {
        let mut bodies = self.lock();
        let stopped: Vec<Body> = match stop {
            Stop::Call(run_id, scheduled) => bodies.remove(&(run_id, scheduled)).into_iter().collect(),
            Stop::Rowless(run_id) => take(&mut bodies, |key, body| key.0 == run_id && !body.queued),
            Stop::Run(run_id) => take(&mut bodies, |key, _| key.0 == run_id),
            Stop::All => take(&mut bodies, |_, _| true),
        };
        drop(bodies);
        stopped.iter().for_each(Body::stop);
    }

    /// The runs that bodies run for.
    pub(super) fn runs(&self) -> HashSet<RunKey> {
        self.lock().values().map(|body| body.run.clone()).collect()
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(RunId, EventId), Body>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a body that ended; `false` if it was stopped before, so that its outcome counts for nothing.
    fn ended(&self, run_id: RunId, scheduled: EventId, attempt: Attempt) -> bool {
        let mut bodies = self.lock();
        let same = bodies.get(&(run_id, scheduled)).is_some_and(|body| body.attempt == attempt);
        same && bodies.remove(&(run_id, scheduled)).is_some()
    }
}

fn take(
    bodies: &mut HashMap<(RunId, EventId), Body>,
    mut which: impl FnMut(&(RunId, EventId), &Body) -> bool,
) -> Vec<Body> {
    bodies.extract_if(|key, body| which(key, body)).map(|(_, body)| body).collect()
}

impl Body {
    fn stop(&self) {
        self.cancel.cancel();
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

/// Starts a job on the current runtime.
pub(super) fn start(cx: &Arc<Context>, shards: &Arc<Shards>, running: &Arc<Running>, job: Job) {
    match job {
        Job::Activity(job) => start_activity(cx, shards, running, *job),
        Job::SideEffect(job) => {
            let (cx, shards) = (cx.clone(), shards.clone());
            tokio::spawn(async move {
                let SideEffectJob { run_id, token, scheduled, effect } = job;
                let value = match std::panic::catch_unwind(AssertUnwindSafe(effect)) {
                    Ok(value) => value.map_err(|error| error.to_string()),
                    Err(panic) => Err(format!("its closure panicked: {}", panic_message(panic.as_ref()))),
                };
                shards.side_effect_ended(EndedSideEffect { run_id, token, scheduled, value, at: cx.now() });
            });
        }
    }
}

fn start_activity(cx: &Arc<Context>, shards: &Arc<Shards>, running: &Arc<Running>, job: ActivityJob) {
    let Some(definition) = cx.registry.activities.get(&job.call.activity).copied() else { return };
    let (cancel, key, attempt) = (CancelFlag::default(), (job.run.run_id, job.scheduled), job.attempt);
    let body = Body {
        run: job.run.clone(),
        attempt,
        queued: job.queued.is_some(),
        cancel: cancel.clone(),
        abort: None,
    };
    running.lock().insert(key, body);
    let (cx, shards, bodies) = (cx.clone(), shards.clone(), running.clone());
    let task = tokio::spawn(async move {
        let span = tracing::info_span!("activity", name = %job.call.activity, run = %job.run, attempt = %job.attempt);
        let (call, result) = run(&cx, definition, &job, cancel).instrument(span).await;
        if bodies.ended(job.run.run_id, job.scheduled, job.attempt) {
            let ended = EndedActivity {
                run: job.run,
                token: job.token,
                scheduled: job.scheduled,
                attempt: job.attempt,
                call,
                result,
                queued: job.queued,
                at: cx.now(),
            };
            // The slot is free before the run goes on, so that its next call can have it.
            drop(job.slot);
            shards.activity_ended(ended);
        }
    });
    if definition.blocking() {
        return;
    }
    match running.lock().get_mut(&key).filter(|body| body.attempt == attempt) {
        Some(body) => body.abort = Some(task.abort_handle()),
        // It has ended, or was stopped before it could be told.
        None => task.abort(),
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

/// Runs one attempt to its end, its panic or its time limit.
async fn run(
    cx: &Arc<Context>,
    definition: ActivityDefinition,
    job: &ActivityJob,
    cancel: CancelFlag,
) -> (ActivityScheduled, Result<Payload, Failure>) {
    let call = job.call.clone();
    let info = ActivityInfo {
        run: job.run.clone(),
        activity: call.activity.clone(),
        scheduled: job.scheduled,
        attempt: job.attempt,
        last_failure: job.last_failure.clone(),
    };
    let context = ActivityContext::new(info, cx.registry.state.clone(), cancel.clone());
    let attempt = async {
        match std::panic::catch_unwind(AssertUnwindSafe(|| definition.start(context, &call.input))) {
            Ok(ActivityRun::Async(body)) => AssertUnwindSafe(body)
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref()))),
            Ok(ActivityRun::Blocking(body)) => {
                match tokio::task::spawn_blocking(in_slot(body, job.slot.clone())).await {
                    Ok(result) => result,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => Err(panicked(panic.as_ref())),
                        Err(_) => Err(Failure::of_kind(FailureKind::WorkerLost, "the runtime shut down")),
                    },
                }
            }
            Err(panic) => Err(panicked(panic.as_ref())),
        }
    };
    let result = match call.start_to_close {
        None => attempt.await,
        Some(limit) => within(cx, limit, attempt, &cancel).await,
    };
    (call, result)
}

/// Ends an attempt that takes longer than its limit. A blocking body is told, and keeps its slot until it returns.
async fn within(
    cx: &Arc<Context>,
    limit: Duration,
    attempt: impl Future<Output = Result<Payload, Failure>>,
    cancel: &CancelFlag,
) -> Result<Payload, Failure> {
    let attempt = std::pin::pin!(attempt);
    match select(attempt, cx.clock.sleep(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            cancel.cancel();
            Err(Failure::of_kind(FailureKind::Timeout, format!("the attempt took longer than {limit:?}")))
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
