//! Claims: what a worker gets.

use std::time::Duration;

use retell::backend::{
    ActivityRequest, Claim, Claimed, ClaimedActivity, ClaimedRun, StoreError, UnreadInbox,
};
use retell::vocabulary::{EventId, RunKey, Timestamp};

use crate::activity::Task;
use crate::lease::{Leases, lease_lost};
use crate::run::{Door, Run};
use crate::state::State;

/// When something of an unheld kind may be claimed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Now; the oldest first.
    Since(Timestamp),
    /// Only from then on.
    From(Timestamp),
}

impl State {
    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Claimed, StoreError> {
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        if !self.leases.alive(claim.worker, elapsed) {
            return Err(lease_lost("claim"));
        }
        if let Some((_, first)) =
            self.claimed.get(&claim.worker).filter(|(number, _)| *number == claim.number)
        {
            return Ok(first.clone());
        }
        let mut claimed = Claimed { now, ..Claimed::default() };
        claimed.unread = self.unread(claim);
        self.claim_runs(claim, elapsed, &mut claimed);
        for request in &claim.activities {
            self.claim_activities(claim, request, elapsed, &mut claimed);
        }
        if claim.number > 0 {
            self.claimed.insert(claim.worker, (claim.number, claimed.clone()));
        }
        Ok(claimed)
    }

    /// What came for runs that the worker held before this claim, each message once.
    fn unread(&mut self, claim: &Claim) -> Vec<UnreadInbox> {
        let mut unread = Vec::new();
        for key in &self.open {
            let run = self.runs.get_mut(key).expect("an open run is a run");
            if run.owner != Some(claim.worker) || run.inbox.end() <= run.inbox.shown {
                continue;
            }
            let messages = run.inbox.visible_after(run.inbox.shown);
            run.inbox.shown = run.inbox.end();
            unread.push(UnreadInbox { run: key.clone(), token: run.token, messages });
        }
        unread
    }

    fn claim_runs(&mut self, claim: &Claim, elapsed: Duration, claimed: &mut Claimed) {
        let mut ready: Vec<(Timestamp, RunKey)> = Vec::new();
        for key in self.open.iter().chain(&self.unsettled) {
            let run = &self.runs[key];
            if !serves(claim, key, run) {
                continue;
            }
            match run_due(run, &self.leases, claimed.now, elapsed) {
                Some(Due::Since(at)) => ready.push((at, key.clone())),
                Some(Due::From(at)) => ahead(claimed, at),
                None => {}
            }
        }
        ready.sort();
        ready.truncate(claim.runs_max);
        for (_, key) in ready {
            let run = self.runs.get_mut(&key).expect("it was found above");
            run.owner = Some(claim.worker);
            run.token = run.token.next();
            run.inbox.door = Door::Open;
            run.inbox.shown = run.inbox.last;
            claimed.runs.push(ClaimedRun {
                token: run.token,
                workflow: run.workflow.clone(),
                head: run.head(),
                taken_in: run.inbox.taken_in,
                inbox: run.inbox.visible_after(run.inbox.taken_in),
                rowless: run.rowless,
                failure: run.failure.clone(),
                unsettled: run.unsettled,
                run: key,
            });
        }
    }

    fn claim_activities(
        &mut self,
        claim: &Claim,
        request: &ActivityRequest,
        elapsed: Duration,
        claimed: &mut Claimed,
    ) {
        let mut ready: Vec<(Timestamp, (RunKey, EventId))> = Vec::new();
        for (key, task) in &self.tasks {
            let served = key.0.namespace == claim.namespace
                && task.new.task_queue == claim.task_queue
                && request.names.contains(&task.new.activity);
            if !served {
                continue;
            }
            match task_due(task, &self.leases, claimed.now, elapsed) {
                Some(Due::Since(at)) => ready.push((at, key.clone())),
                Some(Due::From(at)) => ahead(claimed, at),
                None => {}
            }
        }
        ready.sort();
        ready.truncate(request.max);
        for (_, key) in ready {
            let task = self.tasks.get_mut(&key).expect("it was found above");
            let taken_over = task.worker.is_some();
            if taken_over {
                task.attempt = task.attempt.next();
            }
            task.worker = Some(claim.worker);
            claimed.activities.push(claimed_activity(key, task, taken_over));
        }
    }
}

fn serves(claim: &Claim, key: &RunKey, run: &Run) -> bool {
    key.namespace == claim.namespace
        && run.task_queue == claim.task_queue
        && run.semantics <= claim.semantics
        && claim.workflows.contains(&run.workflow)
}

/// When a run may be claimed; `None` while a living worker holds it, or if nothing will ever wake it.
fn run_due(run: &Run, leases: &Leases, now: Timestamp, elapsed: Duration) -> Option<Due> {
    if run.owner.is_some_and(|owner| leases.alive(owner, elapsed)) {
        return None;
    }
    let left_running = run.rowless && run.owner.is_some();
    if run.unsettled {
        return run.closed_at.map(Due::Since);
    }
    match run.wake_at {
        Some(at) if at <= now => Some(Due::Since(at)),
        _ if left_running => Some(Due::Since(now)),
        at => at.map(Due::From),
    }
}

/// When a queued activity may be claimed; `None` while a living worker runs it.
fn task_due(task: &Task, leases: &Leases, now: Timestamp, elapsed: Duration) -> Option<Due> {
    match task.worker {
        Some(worker) if leases.alive(worker, elapsed) => None,
        None if task.visible_at > now => Some(Due::From(task.visible_at)),
        _ => Some(Due::Since(task.visible_at)),
    }
}

fn ahead(claimed: &mut Claimed, at: Timestamp) {
    claimed.next_due = Some(claimed.next_due.map_or(at, |due| due.min(at)));
}

fn claimed_activity((run, scheduled): (RunKey, EventId), task: &Task, taken_over: bool) -> ClaimedActivity {
    ClaimedActivity {
        run,
        scheduled,
        activity: task.new.activity.clone(),
        call: task.new.call.clone(),
        attempt: task.attempt,
        taken_over,
        close_by: task.new.close_by,
        last_failure: task.last_failure.clone(),
        details: task.details.clone(),
        cancel_requested: task.cancel_requested,
        deferred: task.deferred,
    }
}
