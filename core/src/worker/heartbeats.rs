//! Heartbeats of the bodies that run here: the latest of each, carried to its row now and then.
//!
//! A body that never says anything, under no heartbeat timeout, costs nothing here. One that does has a pulse until its
//! attempt ends, and a task that carries it; what the store answers comes back to the body as its cancel flag.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use tokio::sync::{Notify, oneshot};

use super::activities::ActivityJob;
use super::committer::apply_until_known;
use super::context::Context;
use super::exchange::Input;
use super::running::{Running, Stop};
use super::thread::Shards;
use crate::activity::{ActivityInfo, ActivityToken};
use crate::clock::Clock;
use crate::host::Role;
use crate::vocabulary::{
    Attempt, EventId, FencingToken, Payload, RequestId, RunId, RunKey, SpreadIds, Timestamp, WorkerId,
};
use crate::write::{ActivityReport, ActivityVerdict, Applied, Refusal, Write};

/// The longest between two heartbeats that are carried, if there are so many.
const CARRY_EVERY: Duration = Duration::from_secs(5);

type Key = (RunId, EventId);
type Pulsing = HashMap<Key, Arc<Pulse>, SpreadIds>;

/// The pulses of all bodies that have one.
#[derive(Debug)]
pub(crate) struct Pulses {
    clock: Arc<dyn Clock>,
    running: Arc<Running>,
    open: Mutex<Pulsing>,
    /// How many are open, so that whoever has none need not look.
    count: AtomicUsize,
    /// Pulses that are to be carried.
    fresh: Mutex<Vec<Arc<Pulse>>>,
    wake: Notify,
}

/// The pulse of one attempt.
#[derive(Debug)]
pub(super) struct Pulse {
    run: RunKey,
    token: FencingToken,
    scheduled: EventId,
    attempt: Attempt,
    heartbeat: Option<Duration>,
    state: Mutex<State>,
    changed: Notify,
    /// Told when there is a row, or when there will be none.
    row_known: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What the body said and the store has not heard.
    untold: Option<Payload>,
    /// The elapsed time at which it spoke last, or began.
    last: Duration,
    /// Who has the row, once there is one.
    row: Option<WorkerId>,
    /// Whether it needs one although it says nothing.
    row_wanted: bool,
    ended: bool,
}

/// A call that needs a row in the queue although it runs without one.
#[derive(Debug)]
pub(super) struct RowRequest {
    pub(super) scheduled: EventId,
    pub(super) attempt: Attempt,
    pub(super) details: Option<Payload>,
    pub(super) at: Timestamp,
    /// Told when the row is stored, by which worker it is held.
    pub(super) told: Option<oneshot::Sender<WorkerId>>,
}

impl Pulses {
    pub(super) fn new(clock: Arc<dyn Clock>, running: Arc<Running>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            running,
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            fresh: Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// The pulse of a body that begins, if it must not be silent.
    pub(super) fn begin(&self, job: &ActivityJob) -> Option<Arc<Pulse>> {
        job.call.heartbeat?;
        let (key, row) = (job.info.call(), job.queued);
        let pulse = Pulse {
            run: job.info.run.clone(),
            token: job.token,
            scheduled: job.info.scheduled,
            attempt: job.info.attempt,
            heartbeat: job.call.heartbeat,
            state: Mutex::new(State { last: self.clock.elapsed(), row, ..State::default() }),
            changed: Notify::new(),
            row_known: Notify::new(),
        };
        Some(self.insert(&mut lock(&self.open), key, pulse))
    }

    /// Ends the pulse of an attempt when this is dropped, if it has one by then.
    pub(super) fn watch(&self, key: Key, attempt: Attempt) -> Watched<'_> {
        Watched { pulses: self, key, attempt }
    }

    /// Ends the pulse of a body that has ended; what it said last and the store has not heard, and who has its row.
    fn end(&self, key: Key, attempt: Attempt) -> Option<(Payload, Option<WorkerId>)> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut open = lock(&self.open);
        open.get(&key).filter(|pulse| pulse.attempt == attempt)?;
        let pulse = open.remove(&key)?;
        self.count.fetch_sub(1, Ordering::AcqRel);
        drop(open);
        let mut state = lock(&pulse.state);
        state.ended = true;
        pulse.changed.notify_one();
        pulse.row_known.notify_waiters();
        let row = state.row;
        state.untold.take().map(|details| (details, row))
    }

    fn insert(&self, open: &mut Pulsing, key: Key, pulse: Pulse) -> Arc<Pulse> {
        let pulse = Arc::new(pulse);
        if open.insert(key, pulse.clone()).is_none() {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
        lock(&self.fresh).push(pulse.clone());
        self.wake.notify_one();
        pulse
    }
}

/// An attempt that runs.
pub(super) struct Watched<'a> {
    pulses: &'a Pulses,
    key: Key,
    attempt: Attempt,
}

impl Watched<'_> {
    /// It has ended by itself: what it said last and the store has not heard, and who has its row.
    pub(super) fn ended(&self) -> Option<(Payload, Option<WorkerId>)> {
        self.pulses.end(self.key, self.attempt)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.pulses.end(self.key, self.attempt);
    }
}

impl Pulses {
    /// Hears that an attempt is alive.
    pub(super) fn beat(&self, info: &ActivityInfo, details: Payload) {
        let Some(pulse) = self.pulse(info) else { return };
        let mut state = lock(&pulse.state);
        state.last = self.clock.elapsed();
        let was_told = state.untold.replace(details).is_none();
        drop(state);
        if was_told {
            pulse.changed.notify_one();
        }
    }

    /// The token of an attempt, whose call has a row when this resolves.
    pub(super) fn token(&self, info: ActivityInfo) -> BoxFuture<'_, Option<ActivityToken>> {
        Box::pin(async move {
            let key = (info.run.run_id, info.scheduled);
            let pulse = self.pulse(&info)?;
            let token = self.running.token(key, info.attempt)?;
            loop {
                let known = pulse.row_known.notified();
                {
                    let mut state = lock(&pulse.state);
                    if state.row.is_some() {
                        return Some(ActivityToken::new(token));
                    }
                    if state.ended {
                        return None;
                    }
                    state.row_wanted = true;
                }
                pulse.changed.notify_one();
                known.await;
            }
        })
    }

    /// Who has the row of an attempt that got one while it ran.
    pub(super) fn row(&self, key: Key, attempt: Attempt) -> Option<WorkerId> {
        let open = lock(&self.open);
        let pulse = open.get(&key).filter(|pulse| pulse.attempt == attempt)?;
        lock(&pulse.state).row
    }

    /// The pulse of an attempt, a new one if it has none; `None` if it has been stopped.
    fn pulse(&self, info: &ActivityInfo) -> Option<Arc<Pulse>> {
        let key = (info.run.run_id, info.scheduled);
        let mut open = lock(&self.open);
        if let Some(pulse) = open.get(&key).filter(|pulse| pulse.attempt == info.attempt) {
            return Some(pulse.clone());
        }
        let (token, row) = self.running.find(key, info.attempt)?;
        let pulse = Pulse {
            run: info.run.clone(),
            token,
            scheduled: info.scheduled,
            attempt: info.attempt,
            heartbeat: None,
            state: Mutex::new(State { row, ..State::default() }),
            changed: Notify::new(),
            row_known: Notify::new(),
        };
        Some(self.insert(&mut open, key, pulse))
    }
}

impl Pulse {
    /// Resolves when the body has been silent for as long as it may be.
    pub(super) async fn silent(&self, clock: &Arc<dyn Clock>) {
        let Some(heartbeat) = self.heartbeat else { return std::future::pending().await };
        loop {
            let left = (lock(&self.state).last + heartbeat).saturating_sub(clock.elapsed());
            if left.is_zero() {
                return;
            }
            clock.sleep(left).await;
        }
    }

    fn has_ended(&self) -> bool {
        lock(&self.state).ended
    }

    /// Whether it has ended, or waits for its row.
    fn is_urgent(&self) -> bool {
        let state = lock(&self.state);
        state.ended || (state.row_wanted && state.row.is_none())
    }

    /// Waits for so long, or until something is urgent.
    async fn rest(&self, clock: &Arc<dyn Clock>, length: Duration) {
        let mut sleep = clock.sleep(length);
        while !self.is_urgent() {
            match select(sleep, std::pin::pin!(self.changed.notified())).await {
                Either::Left(_) => return,
                Either::Right((_, unfinished)) => sleep = unfinished,
            }
        }
    }
}

/// Carries pulses, each by a task of its own, for as long as the worker lives.
pub(super) async fn carry(cx: Arc<Context>, shards: Arc<Shards>) {
    loop {
        cx.pulses.wake.notified().await;
        for pulse in std::mem::take(&mut *lock(&cx.pulses.fresh)) {
            cx.home.spawn(Role::Engine, carry_one(cx.clone(), shards.clone(), pulse));
        }
    }
}

async fn carry_one(cx: Arc<Context>, shards: Arc<Shards>, pulse: Arc<Pulse>) {
    let interval = pulse.heartbeat.map_or(CARRY_EVERY, |heartbeat| (heartbeat / 3).min(CARRY_EVERY));
    while !pulse.has_ended() {
        let (untold, row, row_wanted) = {
            let mut state = lock(&pulse.state);
            (state.untold.take(), state.row, state.row_wanted)
        };
        match (row, untold) {
            (Some(worker), Some(details)) => {
                if !tell(&cx, &pulse, worker, details).await {
                    return;
                }
            }
            (None, untold) if untold.is_some() || row_wanted => {
                let row = ask_for_row(&cx, &shards, &pulse, untold).await;
                let mut state = lock(&pulse.state);
                (state.row, state.ended) = (row, state.ended || row.is_none());
                drop(state);
                pulse.row_known.notify_waiters();
            }
            _ => {
                pulse.changed.notified().await;
                continue;
            }
        }
        pulse.rest(&cx.clock, interval).await;
    }
}

/// Tells the store; `false` if the attempt has no row any more.
async fn tell(cx: &Arc<Context>, pulse: &Pulse, worker: WorkerId, details: Payload) -> bool {
    let Some(report) = heartbeat(cx, pulse, worker, details) else { return true };
    let Ok(outcomes) = apply_until_known(cx, vec![Write::from(report)].into()).await else { return false };
    match outcomes.into_iter().next() {
        Some(Ok(Applied::Wanted { cancel_requested: true })) => {
            cx.running.stop(Stop::Ask(pulse.run.run_id, pulse.scheduled));
        }
        // Nobody wants it any more: its call was cancelled, timed out or ended otherwise, or its run did.
        Some(Err(Refusal::TaskLost)) if !pulse.has_ended() => {
            cx.running.stop(Stop::Call(pulse.run.run_id, pulse.scheduled));
            return false;
        }
        Some(Ok(_) | Err(_)) | None => {}
    }
    true
}

/// What the store is told; `None` if the codec refuses it.
fn heartbeat(cx: &Context, pulse: &Pulse, worker: WorkerId, details: Payload) -> Option<ActivityReport> {
    let details = match cx.codec.encode(details) {
        Ok(details) => details,
        Err(error) => {
            tracing::error!(run = %pulse.run, %error, "the details of a heartbeat do not encode");
            return None;
        }
    };
    Some(ActivityReport {
        run: pulse.run.clone(),
        scheduled: pulse.scheduled,
        attempt: pulse.attempt,
        worker: Some(worker),
        request_id: RequestId(cx.home.fresh_id()),
        at: cx.now(),
        verdict: ActivityVerdict::Heartbeat { details: Some(details), visible_at: None },
    })
}

/// Has a row written for a call that has none; `None` if its run is no longer here.
async fn ask_for_row(
    cx: &Context,
    shards: &Shards,
    pulse: &Pulse,
    details: Option<Payload>,
) -> Option<WorkerId> {
    let (told, stored) = oneshot::channel();
    let request = RowRequest {
        scheduled: pulse.scheduled,
        attempt: pulse.attempt,
        details,
        at: cx.now(),
        told: Some(told),
    };
    let run_id = pulse.run.run_id;
    shards.send_to(run_id, Input::NeedsRow(run_id, pulse.token, request));
    stored.await.ok()
}

/// Tells what a body said last before it failed, so that the next attempt has it.
pub(super) async fn tell_last(cx: &Arc<Context>, job: &ActivityJob, worker: WorkerId, details: Payload) {
    let Ok(details) = cx.codec.encode(details) else { return };
    let report = ActivityReport {
        run: job.info.run.clone(),
        scheduled: job.info.scheduled,
        attempt: job.info.attempt,
        worker: Some(worker),
        request_id: RequestId(cx.home.fresh_id()),
        at: cx.now(),
        verdict: ActivityVerdict::Heartbeat { details: Some(details), visible_at: None },
    };
    // Whether it is wanted is asked by the report of its end, which follows.
    let _ = apply_until_known(cx, vec![Write::from(report)].into()).await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
