//! Admission: user effects begin, activity bodies once they have a slot.
//!
//! Bodies begin in turn, on whichever task lets them in, and become tasks of their own once they wait: those that only
//! compute never do. Several tasks let bodies in, so that one which keeps its thread holds up no other.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use super::activities::{ActivityJob, EndedSideEffect, Job, SideEffectJob};
use super::attempt::{attempt, may_begin, panic_message};
use super::context::{Context, Life};
use super::slots::{Admitted, Slot};
use super::thread::Shards;
use crate::activity::ActivityDefinition;
use crate::host::{Home, Role, Threshold};

/// How long bodies begin on one task before others of its thread have their turn.
const TURN: Duration = Duration::from_micros(50);

/// Lets jobs begin, unless the life that they belong to is over: side effects at once, activities in line.
pub(super) fn start(
    cx: &Arc<Context>,
    life: &Life,
    shards: &Arc<Shards>,
    jobs: impl IntoIterator<Item = Job>,
) {
    let mut entered = 0;
    for job in jobs {
        if !life.holds_at(cx.clock.elapsed()) {
            cx.lease_lost.notify_one();
            break;
        }
        match job {
            Job::Activity(mut job) => {
                if job.definition.is_none() {
                    job.definition = cx.registry.activities.get(&job.call.activity).cloned();
                }
                if job.definition.is_some() && cx.running.expect(&job, life.worker) {
                    enter(cx, job);
                    entered += 1;
                }
            }
            Job::SideEffect(job) if cx.running.lives(life.worker) => side_effect(cx, life, shards, job),
            Job::SideEffect(_) => {}
        }
    }
    (0..entered.min(2)).for_each(|_| cx.slot_freed.notify_one());
}

fn side_effect(cx: &Arc<Context>, life: &Life, shards: &Arc<Shards>, job: Box<SideEffectJob>) {
    let (cx, shards, worker) = (cx.clone(), shards.clone(), life.worker);
    cx.clone().home.spawn(Role::SideEffectBody, async move {
        if !may_begin(&cx) || !cx.running.lives(worker) {
            return;
        }
        let SideEffectJob { run_id, token, scheduled, effect } = *job;
        let value = match std::panic::catch_unwind(AssertUnwindSafe(effect)) {
            Ok(value) => value.map_err(|error| error.to_string()),
            Err(panic) => Err(format!("its closure panicked: {}", panic_message(panic.as_ref()))),
        };
        shards.side_effect_ended(EndedSideEffect { run_id, token, scheduled, value, at: cx.now() });
    });
}

/// Puts a job at the end of its line.
fn enter(cx: &Context, job: Box<ActivityJob>) {
    let Some(definition) = &job.definition else { return };
    cx.slots[usize::from(definition.blocking())].join(job, cx.clock.elapsed());
}

/// How many tasks let bodies in: on each of tokio's threads one may run, and one wait behind it where no other thread finds
/// it (what a task wakes last waits for that task). Then there is one more.
pub(super) fn tasks(home: &Home) -> usize {
    2 * home.threads() + 1
}

/// Lets bodies in whenever there is a line and a slot, for as long as the worker lives.
pub(super) async fn admit(cx: Arc<Context>, shards: Arc<Shards>) {
    loop {
        cx.slot_freed.notified().await;
        let_in(&cx, &shards).await;
    }
}

/// Lets those in line begin, as long as there are slots.
async fn let_in(cx: &Arc<Context>, shards: &Arc<Shards>) {
    let mut threshold = Threshold::new(&cx.home);
    let mut since = cx.clock.elapsed();
    let mut helped = false;
    for slots in &cx.slots {
        while let Some(Admitted { slot, job, more }) = slots.next(cx.clock.elapsed()) {
            if more && !helped {
                // Another thread that has nothing to do takes its share: the first that is woken, since the second lets go
                // of it.
                (0..2).for_each(|_| cx.slot_freed.notify_one());
                helped = true;
            }
            let (key, number) = (job.info.call(), job.info.attempt);
            let blocking = job.definition.as_ref().is_some_and(ActivityDefinition::blocking);
            let waits = threshold.begin(Role::ActivityBody, body(cx.clone(), shards.clone(), slot, job));
            if let Some(task) = waits.filter(|_| !blocking) {
                cx.running.begun(key, number, task);
            }
            if cx.clock.elapsed().saturating_sub(since) > TURN {
                cx.home.yield_now().await;
                (since, helped) = (cx.clock.elapsed(), false);
            }
        }
    }
}

/// Runs an attempt, and lets a local call stand in line for the next.
async fn body(cx: Arc<Context>, shards: Arc<Shards>, slot: Slot, job: Box<ActivityJob>) {
    let Some((delay, mut job)) = attempt(&cx, &shards, slot, job).await else { return };
    if job.call.commit_later {
        shards.waits(job.info.run.run_id, job.token);
    }
    cx.clock.sleep(delay).await;
    let info = Arc::make_mut(&mut job.info);
    info.attempt = info.attempt.next();
    if let Some(cancel) = cx.running.again(&job.info) {
        job.cancel = cancel;
        enter(&cx, job);
        cx.slot_freed.notify_one();
    }
}
