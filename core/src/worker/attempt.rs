//! One attempt of an activity: its body, on the user's runtime, in a slot, within its limits.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use tracing::Instrument;

use super::activities::{ActivityJob, EndedActivity};
use super::context::Context;
use super::heartbeats::{self, Pulse};
use super::slots::Slot;
use super::thread::Shards;
use crate::activity::{ActivityContext, ActivityRun};
use crate::history::ActivityScheduled;
use crate::vocabulary::{Failure, FailureKind, Payload, TimeoutKind, Timestamp};

/// Runs an attempt in its slot, unless it was stopped while it stood in line, and tells its shard how it ended. What is
/// given back is tried again here after so long.
pub(super) async fn attempt(
    cx: &Arc<Context>,
    shards: &Shards,
    slot: Slot,
    mut job: Box<ActivityJob>,
) -> Option<(Duration, Box<ActivityJob>)> {
    let (key, number) = (job.info.call(), job.info.attempt);
    // It may have stood in line, or this process have stood still, since it was given a slot.
    if job.cancel.is_cancelled() {
        // Stopped; or asked, which is an end that its call waits for.
        if cx.running.ended(key, number).is_some() {
            shards.activity_ended(job.never_begun(cx.now()));
        }
        return None;
    }
    if !may_begin(cx) {
        return None;
    }
    let began = cx.now();
    if job.call.schedule_to_start.is_some() || job.call.start_to_close.is_some() {
        cx.running.left_line(key, began);
    }
    let headers = job.call.headers.clone();
    let around = &cx.registry.around;
    // A span's parent is what is current where it is made.
    let span = around.within(&headers, || span(&job));
    let watched = cx.pulses.watch(key, number);
    let result = around.surround(&headers, run(cx, &job, slot, began).instrument(span)).await?;
    let (details, row) = watched.ended().unzip();
    if let (Err(_), Some(details), Some(worker)) = (&result, &details, row.flatten()) {
        Box::pin(heartbeats::tell_last(cx, &job, worker, details.clone())).await;
    }
    if let Some((delay, failure)) = again_here(&job, &result) {
        Arc::make_mut(&mut job.info).last_failure = Some(failure);
        return Some((delay, job));
    }
    let asked = cx.running.ended(key, number)?;
    let at = cx.now();
    let deferred = deferral(&job.call, &result, began, at);
    shards.activity_ended(Box::new(EndedActivity { asked, deferred, details, ..job.ended(result, at) }));
    None
}

/// Whether the lease still holds, so that a user effect may begin. Asked right before it does.
pub(super) fn may_begin(cx: &Context) -> bool {
    let holds = cx.life().holds_at(cx.clock.elapsed());
    if !holds {
        cx.lease_lost.notify_one();
    }
    holds
}

/// When, and after what, a local call is tried again: here, since it has no row to wait in.
fn again_here(job: &ActivityJob, result: &Result<Payload, Failure>) -> Option<(Duration, Failure)> {
    let failure = result.as_ref().err().filter(|_| job.call.local)?;
    let delay = job.call.retry.delay_in(job.info.call(), job.info.attempt, failure)?;
    tracing::debug!(name = %job.call.activity, run = %job.info.run, attempt = %job.info.attempt, %failure, "a local call failed");
    Some((delay, failure.clone()))
}

/// The span of an attempt.
fn span(job: &ActivityJob) -> tracing::Span {
    tracing::info_span!(
        "activity",
        activity = %job.call.activity,
        workflow_id = %job.info.run.workflow_id,
        run_id = %job.info.run.run_id,
        attempt = %job.info.attempt,
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
async fn run(
    cx: &Arc<Context>,
    job: &ActivityJob,
    slot: Slot,
    began: Timestamp,
) -> Option<Result<Payload, Failure>> {
    let call = &job.call;
    let definition = job.definition.as_ref().expect("only what has a definition begins");
    let context = ActivityContext::new(job.info.clone(), cx.registry.state.clone(), job.cancel.clone());
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
    let limit = limit(job, began);
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
                job.info.last_failure.iter().for_each(|last| failure.add_cause(last));
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
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
