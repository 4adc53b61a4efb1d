//! When the bodies of activities may begin, and what history may say of them.

use retell::activity::ActivityInfo;
use retell::history::EventKind;
use retell::vocabulary::{
    Attempt, EventId, Failure, FailureKind, Payload, RetryPolicy, RunKey, Timestamp, WorkerId,
};

use super::super::report::{Broken, ensure};
use super::{Now, Oracle};
use crate::world::ProcessId;

/// One attempt whose body began.
pub(super) struct Body {
    process: ProcessId,
    worker: Option<WorkerId>,
    state: State,
}

enum State {
    Running,
    /// Its future was dropped before it ended.
    Dropped,
    Ended(Result<Payload, Failure>, Timestamp),
}

impl Oracle {
    /// A body begins.
    pub(in super::super) fn begins(
        &mut self,
        process: ProcessId,
        info: &ActivityInfo,
        now: Now,
    ) -> Result<(), Broken> {
        let (scheduled, attempt) = (info.scheduled, info.attempt);
        let name = format!("attempt {attempt} of {} {scheduled}", info.run);
        let Some(run) = self.runs.get(&info.run) else {
            return Err(Broken::new("effects", format!("{name} began, and its run is not stored")));
        };
        let Some(EventKind::ActivityScheduled(call)) = run.event(scheduled) else {
            return Err(Broken::new("effects", format!("{name} began before the commit that schedules it")));
        };
        let retry = call.retry.clone();
        let max = retry.attempts_max;
        ensure!(max.is_none_or(|max| attempt.0 <= max), "effects", "{name} began, and {max:?} are allowed");
        let worker = self.workers.get(&process).copied();
        if run.is_wanted(scheduled) {
            let lives = worker.is_some_and(|worker| self.alive(worker, now));
            ensure!(lives, "effects", "{name} began after the lease of its worker {worker:?} was over");
            let (task, holder) = (self.tasks.get(&(info.run.clone(), scheduled)), run.holder);
            let own = match task {
                Some(task) => task.worker == worker && task.attempt == attempt,
                None => holder == worker && attempt == Attempt(1),
            };
            ensure!(own, "effects", "{name} began on {worker:?}, who has no right to it");
            self.check_alone(info, &name, now)?;
        }
        let body = Body { process, worker, state: State::Running };
        let before = self.bodies.insert((info.run.run_id, scheduled, attempt), body);
        ensure!(before.is_none(), "effects", "{name} began twice");
        self.figures.bodies += 1;
        Ok(())
    }

    /// No other attempt of a call runs on a worker that lives.
    fn check_alone(&self, info: &ActivityInfo, name: &str, now: Now) -> Result<(), Broken> {
        let first = (info.run.run_id, info.scheduled, Attempt(0));
        let last = (info.run.run_id, info.scheduled, Attempt(u32::MAX));
        for ((_, _, other), body) in self.bodies.range(first..=last) {
            let runs = matches!(body.state, State::Running);
            let lives = body.worker.is_some_and(|worker| self.alive(worker, now));
            ensure!(!(runs && lives), "effects", "{name} began while attempt {other} runs");
        }
        Ok(())
    }

    /// A body ended.
    pub(in super::super) fn body_ended(
        &mut self,
        info: &ActivityInfo,
        result: &Result<Payload, Failure>,
        now: Now,
    ) {
        let key = (info.run.run_id, info.scheduled, info.attempt);
        if let Some(body) = self.bodies.get_mut(&key) {
            body.state = State::Ended(result.clone(), now.wall);
        }
    }

    /// A body's future was dropped; nothing if it had ended.
    pub(in super::super) fn body_dropped(&mut self, process: ProcessId, info: &ActivityInfo) {
        let key = (info.run.run_id, info.scheduled, info.attempt);
        if let Some(body) = self.bodies.get_mut(&key)
            && body.process == process
            && matches!(body.state, State::Running)
        {
            body.state = State::Dropped;
        }
    }

    /// An attempt was given back unfinished: it may begin once more.
    pub(super) fn forget_body(&mut self, (run, scheduled): &(RunKey, EventId), attempt: Attempt) {
        self.bodies.remove(&(run.run_id, *scheduled, attempt));
    }

    /// A side effect's closure begins.
    pub(in super::super) fn effect_begins(&mut self, run: &RunKey) -> Result<(), Broken> {
        let stored =
            self.runs.get(run).is_some_and(|run| !run.is_open() || super::writes::awaits_side_effect(run));
        ensure!(stored, "effects", "a side effect of {run} began before its commit was stored");
        Ok(())
    }

    /// A failed attempt is tried again no sooner than its policy says.
    pub(super) fn check_backoff(
        &self,
        (run, scheduled): &(RunKey, EventId),
        attempt: Attempt,
        visible_at: Timestamp,
        now: Now,
    ) -> Result<(), Broken> {
        let Some(failed) = attempt.0.checked_sub(1).map(Attempt) else { return Ok(()) };
        let body = self.bodies.get(&(run.run_id, *scheduled, failed));
        let Some(State::Ended(Err(failure), ended)) = body.map(|body| &body.state) else { return Ok(()) };
        // A worker that died with the outcome is followed at once, and a jump of the clock cuts a wait short.
        let known = body.and_then(|body| body.worker).is_some_and(|worker| self.alive(worker, now));
        let Some(policy) = self.policy(run, *scheduled).filter(|_| known && !self.jumped) else {
            return Ok(());
        };
        let Some(delay) = policy.delay_after(failed, failure) else {
            return Err(Broken::new(
                "effects",
                format!("{run} {scheduled} is tried again for good reason to stop"),
            ));
        };
        ensure!(visible_at >= *ended + delay, "effects", "{run} {scheduled} is tried again too soon");
        Ok(())
    }

    fn policy(&self, run: &RunKey, scheduled: EventId) -> Option<&RetryPolicy> {
        match self.runs.get(run)?.event(scheduled)? {
            EventKind::ActivityScheduled(call) => Some(&call.retry),
            _ => None,
        }
    }

    /// What a commit's new events say of activities and timers is what came of them.
    pub(super) fn check_outcomes(&self, key: &RunKey, before: usize, now: Now) -> Result<(), Broken> {
        let Some(run) = self.runs.get(key) else { return Ok(()) };
        self.check_timers(run, before, now)?;
        for event in &run.events[before..] {
            let (scheduled, attempt) = match &event.kind {
                EventKind::ActivityCompleted(body) => (body.scheduled, body.attempt),
                EventKind::ActivityFailed(body) => (body.scheduled, body.attempt),
                _ => continue,
            };
            let body = self.bodies.get(&(key.run_id, scheduled, attempt)).map(|body| &body.state);
            let right = match &event.kind {
                EventKind::ActivityCompleted(outcome) => {
                    matches!(body, Some(State::Ended(Ok(result), _)) if *result == outcome.result)
                }
                EventKind::ActivityFailed(outcome) => match outcome.failure.kind {
                    FailureKind::WorkerLost => true,
                    FailureKind::Timeout => body.is_some(),
                    FailureKind::Application => {
                        matches!(body, Some(State::Ended(Err(failure), _)) if *failure == outcome.failure)
                    }
                    _ => false,
                },
                _ => true,
            };
            ensure!(
                right,
                "H5",
                "event {} of {key} is not what came of attempt {attempt}: {event}",
                event.id
            );
        }
        Ok(())
    }
}
