//! The claimer: asks the store for work when there may be some, and hands it to the shards and the slots.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{pending, select_all};
use futures::{FutureExt, future::BoxFuture};

use super::activities::{ActivityJob, EndedActivity, Job, NEVER_BEGUN};
use super::admission;
use super::context::{Context, Life};
use super::exchange::Input;
use super::settler;
use super::thread::Shards;
use crate::activity::{ActivityInfo, CancelFlag};
use crate::backend::{ActivityRequest, Claim, Claimed, ClaimedActivity, Interest, Mark, StoreErrorKind};
use crate::history::{ActivityScheduled, EventKind, HistoryError, decode_kind};
use crate::host::Role;
use crate::vocabulary::{
    Failure, FailureKind, FencingToken, Payload, SemanticsVersion, TimeoutKind, Timestamp,
};

/// The most runs that one claim takes.
const RUNS_MAX: usize = 1_000;
/// The wait after a store's fault.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Claims for as long as the worker lives.
pub(super) async fn claim_on(cx: Arc<Context>, shards: Arc<Shards>) {
    let mut seen = Mark::default();
    // A claim without an answer is asked again under its number: what it got would be told to nobody else.
    let mut number = 1;
    let mut again = false;
    while !cx.is_draining() {
        let life = cx.life();
        let claim = request(&cx, &life, number, shards.busy());
        let asked = cx.clock.now();
        let wait = match cx.backend.claim(&claim).await {
            Ok(claimed) => {
                number += 1;
                cx.store_answered();
                // An answer that was lost before tells the time of then.
                if !std::mem::take(&mut again) {
                    cx.learn_time(asked, claimed.now);
                }
                let full = claimed.runs.len() >= claim.runs_max && claim.runs_max > 0;
                let next_due = claimed.next_due;
                hand_out(&cx, &life, &shards, &claim, claimed).await;
                if full {
                    continue;
                }
                Wait { longest: cx.options.claim_interval, next_due }
            }
            Err(error) if error.kind == StoreErrorKind::LeaseLost => {
                cx.lease_lost.notify_one();
                Wait { longest: AGAIN_AFTER, next_due: None }
            }
            Err(error) => {
                again = true;
                cx.store_failed(&error);
                cx.clock.sleep(AGAIN_AFTER).await;
                continue;
            }
        };
        seen = something_changed(&cx, seen, wait).await;
    }
}

/// Until when to wait if nothing changes.
struct Wait {
    longest: Duration,
    /// When something falls due, by the store's time.
    next_due: Option<Timestamp>,
}

async fn something_changed(cx: &Context, seen: Mark, wait: Wait) -> Mark {
    let due = wait.next_due.map_or_else(|| pending().boxed(), |due| cx.sleep_until(due));
    let waits: [BoxFuture<'_, Option<Mark>>; 4] = [
        cx.backend.changed(Interest::Work, seen).map(Some).boxed(),
        cx.nudge.notified().map(|()| None).boxed(),
        cx.clock.sleep(wait.longest).map(|()| None).boxed(),
        due.map(|()| None).boxed(),
    ];
    let (mark, ..) = select_all(waits).await;
    mark.unwrap_or(seen)
}

fn request(cx: &Context, life: &Life, number: u64, busy: usize) -> Claim {
    let group = |blocking: bool| ActivityRequest {
        names: cx.registry.activity_names(blocking),
        max: cx.slots[usize::from(blocking)].room(cx.clock.elapsed()),
    };
    // Idle runs give way to new ones, and parked ones take no room; only a worker that is full of others takes no more.
    let room = (2 * cx.options.cached_runs_max.max(RUNS_MAX)).saturating_sub(busy);
    Claim {
        worker: life.worker,
        number,
        namespace: cx.namespace.clone(),
        task_queue: cx.task_queue.clone(),
        workflows: cx.registry.workflow_types(),
        semantics: SemanticsVersion::CURRENT,
        runs_max: room.min(RUNS_MAX),
        activities: vec![group(false), group(true)],
    }
}

async fn hand_out(
    cx: &Arc<Context>,
    life: &Arc<Life>,
    shards: &Arc<Shards>,
    claim: &Claim,
    claimed: Claimed,
) {
    for run in claimed.runs {
        if run.unsettled {
            cx.home.spawn(Role::Engine, settler::settle(cx.clone(), life.clone(), run));
            continue;
        }
        shards.send_to(run.run.run_id, Input::Claimed(Box::new(run)));
    }
    for unread in claimed.unread {
        shards.send_to(unread.run.run_id, Input::Unread(unread));
    }
    for (group, slots) in claim.activities.iter().zip(&cx.slots) {
        let got =
            claimed.activities.iter().filter(|activity| group.names.contains(&activity.activity)).count();
        if group.max > 0 {
            slots.set_backlog(got >= group.max);
        }
    }
    let mut jobs = Vec::with_capacity(claimed.activities.len());
    for activity in claimed.activities {
        match prepare(cx, life, activity) {
            Prepared::Job(job) => jobs.push(job),
            Prepared::Ended(ended) => shards.activity_ended(ended),
        }
    }
    admission::start(cx, life, shards, jobs);
}

/// What becomes of a claimed activity.
enum Prepared {
    Job(Job),
    /// It cannot run: this is its outcome.
    Ended(Box<EndedActivity>),
}

/// The failure of an attempt that nobody has ended from outside in its time.
fn outlived(heartbeat: &Option<Duration>) -> Failure {
    let limit = if heartbeat.is_some() { TimeoutKind::Heartbeat } else { TimeoutKind::StartToClose };
    Failure::timed_out(limit, "nobody ended the attempt, or was heard of, by its token in time")
}

/// What a claimed activity is called with.
fn scheduled_call(cx: &Context, claimed: &ClaimedActivity) -> Result<Arc<ActivityScheduled>, HistoryError> {
    match decode_kind(&claimed.call, cx.codec.as_ref())? {
        EventKind::ActivityScheduled(call) => Ok(call),
        other => Err(HistoryError::Damaged(format!("an activity's row holds {}", other.name()))),
    }
}

fn prepare(cx: &Context, life: &Life, claimed: ClaimedActivity) -> Prepared {
    let lost = Failure::of_kind(FailureKind::WorkerLost, "the worker that ran the last attempt is gone");
    let call = scheduled_call(cx, &claimed);
    let unreadable = call.as_ref().err().map(Failure::from_error);
    // What cannot be read is tried again as calls are that say nothing about it: by then it may have a codec.
    let call = call
        .unwrap_or_else(|_| Arc::new(ActivityScheduled::new(claimed.activity.clone(), Payload::nothing())));
    let used_up = claimed.taken_over && call.retry.attempts_max.is_some_and(|max| claimed.attempt.0 > max);
    let details = claimed.details.map(|details| cx.codec.decode(details)).transpose();
    let last_failure = claimed.last_failure.map(|failure| cx.inward(failure)).transpose();
    let trouble = match (unreadable, &last_failure, &details) {
        _ if claimed.cancel_requested => Some(Failure::of_kind(FailureKind::Cancelled, NEVER_BEGUN)),
        _ if claimed.deferred => Some(outlived(&call.heartbeat)),
        _ if used_up => Some(lost),
        (Some(unreadable), ..) => Some(unreadable),
        (_, Err(error), _) | (.., Err(error)) => Some(Failure::from_error(error)),
        (None, Ok(_), Ok(_)) => None,
    };
    let info = ActivityInfo {
        run: claimed.run,
        activity: claimed.activity,
        scheduled: claimed.scheduled,
        attempt: claimed.attempt,
        last_failure: last_failure.ok().flatten(),
        heartbeat_details: details.ok().flatten(),
    };
    let job = Box::new(ActivityJob {
        info: Arc::new(info),
        // It is fenced by its row.
        token: FencingToken(0),
        load: 0,
        call,
        close_by: claimed.close_by,
        queued: Some(life.worker),
        cancel: CancelFlag::default(),
        definition: None,
    });
    match trouble {
        Some(failure) => {
            let ended = job.ended(Err(failure), cx.now());
            Prepared::Ended(Box::new(EndedActivity { asked: claimed.cancel_requested, ..ended }))
        }
        None => Prepared::Job(Job::Activity(job)),
    }
}
