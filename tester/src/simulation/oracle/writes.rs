//! What the store may answer to writes and claims.

use retell::backend::{Claim, Claimed, ClaimedActivity, ClaimedRun};
use retell::history::EventKind;
use retell::vocabulary::{RequestId, RunKey, WorkerId};
use retell::write::{
    ActivityReport, ActivityVerdict, Applied, Batch, CloseStatus, ClosingEvent, Commit, Hold,
    IdConflictPolicy, NewRecord, Next, Outcome, Refusal, Start, Terminate, Write,
};

use super::super::program::STUMBLES;
use super::super::report::{Broken, ensure};
use super::run::{Open, Run};
use super::{Now, Oracle, Task};

impl Oracle {
    /// A run was ended from outside; a termination that is applied again is known.
    fn terminated(&mut self, terminate: &Terminate, run: &RunKey) -> Result<(), Broken> {
        if self.requests.insert(terminate.request_id, run.clone()).is_some() {
            return Ok(());
        }
        self.terminate(run, &terminate.closing, terminate.at)
    }

    /// A batch was applied.
    pub(in super::super) fn applied(
        &mut self,
        batch: &Batch,
        outcomes: &[Outcome],
        now: Now,
    ) -> Result<(), Broken> {
        ensure!(batch.len() == outcomes.len(), "H3", "{} writes, {} outcomes", batch.len(), outcomes.len());
        for (write, outcome) in batch.iter().zip(outcomes) {
            match (write, outcome) {
                (Write::Start(start), Ok(applied)) => self.started(start, applied, now)?,
                (Write::Send(send), Ok(Applied::Sent(run))) => self.sent(send.message.request_id, run)?,
                (Write::Terminate(terminate), Ok(Applied::Terminated(run))) => {
                    self.terminated(terminate, run)?;
                }
                (Write::Commit(commit), Ok(_)) => self.committed(commit, now)?,
                (Write::Commit(_), Err(Refusal::InboxAdvanced(_))) => self.figures.doors_shut += 1,
                (Write::Commit(_), Err(Refusal::LeaseLost)) => self.figures.fenced_off += 1,
                (Write::Activity(report), Ok(_)) => self.reported(report, now)?,
                (_, Err(Refusal::Invalid(reason))) => {
                    return Err(Broken::new("H13", format!("the store can never hold {write:?}: {reason}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn run_mut(&mut self, key: &RunKey) -> Result<&mut Run, Broken> {
        self.runs.get_mut(key).ok_or_else(|| Broken::new("H3", format!("nobody has opened run {key}")))
    }

    fn started(&mut self, start: &Start, applied: &Applied, now: Now) -> Result<(), Broken> {
        let (Applied::Started { run, .. } | Applied::Existing(run)) = applied else {
            return Err(Broken::new("H3", format!("a start was answered with {applied:?}")));
        };
        if let Some(first) = self.requests.insert(start.request_id, run.clone()) {
            ensure!(first == *run, "H6", "one request has started {first} and then {run}");
            return Ok(());
        }
        if *run != start.run {
            ensure!(self.runs.get(run).is_some_and(Run::is_open), "H9", "the existing run {run} is not open");
            return Ok(());
        }
        if let IdConflictPolicy::TerminateExisting(closing) = &start.conflict {
            let id = &start.run.workflow_id;
            let before = self.open().find(|run| run.workflow_id == *id).cloned();
            if let Some(before) = before {
                self.terminate(&before, closing, start.record.at)?;
            }
        }
        self.open_run(start, now)
    }

    pub(super) fn open_run(&mut self, start: &Start, now: Now) -> Result<(), Broken> {
        let id = &start.run.workflow_id;
        if let Some(other) = self.open().find(|run| run.workflow_id == *id) {
            return Err(Broken::new("H9", format!("{} was opened while {other} is open", start.run)));
        }
        ensure!(!self.runs.contains_key(&start.run), "H1", "run {} was opened twice", start.run);
        let holder = start.owner.filter(|owner| self.alive(*owner, now));
        let run = Run::opened(start, holder)?;
        self.figures.runs += 1;
        self.figures.events += 1;
        self.order.push(start.run.clone());
        self.runs.insert(start.run.clone(), run);
        Ok(())
    }

    fn sent(&mut self, request_id: RequestId, run: &RunKey) -> Result<(), Broken> {
        if let Some(first) = self.requests.insert(request_id, run.clone()) {
            ensure!(first == *run, "H4", "one message was sent to {first} and then to {run}");
            return Ok(());
        }
        let run = self.run_mut(run)?;
        ensure!(run.is_open(), "H4", "a message was accepted for {}, which is closed", run.key);
        run.accepted.push(request_id);
        self.figures.messages += 1;
        Ok(())
    }

    pub(super) fn terminate(
        &mut self,
        key: &RunKey,
        closing: &ClosingEvent,
        at: retell::vocabulary::Timestamp,
    ) -> Result<(), Broken> {
        let run = self.run_mut(key)?;
        run.token = run.token.next();
        run.append(&NewRecord { count: 1, at, bytes: closing.record.clone() })?;
        run.unsettled = run.dependents;
        self.close(key, CloseStatus::Terminated)
    }

    fn close(&mut self, key: &RunKey, status: CloseStatus) -> Result<(), Broken> {
        let run = self.run_mut(key)?;
        run.closed = Some(status);
        run.holder = None;
        self.tasks.retain(|(run, _), _| run != key);
        Ok(())
    }

    fn committed(&mut self, commit: &Commit, now: Now) -> Result<(), Broken> {
        let known = |request| self.requests.insert(request, commit.run.clone()).is_some();
        if commit.request_id.is_some_and(known) {
            return Ok(());
        }
        let alive = self.alive(commit.worker, now);
        let run = self.run_mut(&commit.run)?;
        if run.head() > commit.expected_head {
            return applied_before(run, commit);
        }
        let holds = run.token == commit.token && run.holder == Some(commit.worker);
        let writable = if commit.next == Next::Settled { run.unsettled } else { run.is_open() };
        ensure!(
            alive && holds && writable,
            "H2",
            "worker {} wrote {} under token {}; its holder is {:?} under token {}, the lease is {}",
            commit.worker,
            commit.run,
            commit.token,
            run.holder,
            run.token,
            if alive { "alive" } else { "over" }
        );
        let head = run.head();
        ensure!(head == commit.expected_head, "H1", "a commit after {} met {head}", commit.expected_head);
        let before = run.events.len();
        let brought = commit.record.as_ref().map(|record| run.append(record)).transpose()?.unwrap_or(0);
        self.figures.commits += 1;
        self.figures.events += brought as u64;
        self.check_outcomes(&commit.run, before, now)?;
        self.change_tasks(commit, now)?;
        self.become_next(commit, now)?;
        self.run_errands(commit, now)
    }

    /// What becomes of a run that was committed.
    fn become_next(&mut self, commit: &Commit, now: Now) -> Result<(), Broken> {
        match &commit.next {
            Next::Open(open) => {
                self.run_mut(&commit.run)?.dependents = open.dependents;
                if let Some(failure) =
                    open.failure.as_ref().filter(|failure| !failure.message.contains(STUMBLES))
                {
                    let (run, message) = (&commit.run, &failure.message);
                    return Err(Broken::new("H13", format!("a task of {run} has failed: {message}")));
                }
                if open.hold == Hold::Release {
                    self.run_mut(&commit.run)?.holder = None;
                }
                Ok(())
            }
            Next::Closed { status, .. } => self.close(&commit.run, *status),
            Next::Settled => {
                let run = self.run_mut(&commit.run)?;
                (run.unsettled, run.holder) = (false, None);
                Ok(())
            }
            Next::Continued { status, successor, .. } => {
                self.close(&commit.run, *status)?;
                self.open_run(successor, now)
            }
        }
    }

    fn change_tasks(&mut self, commit: &Commit, now: Now) -> Result<(), Broken> {
        for new in &commit.schedule {
            let key = (commit.run.clone(), new.scheduled);
            self.check_backoff(&key, new.attempt, new.visible_at, now)?;
            let task = Task { attempt: new.attempt, visible_at: new.visible_at, worker: None };
            self.tasks.entry(key).or_insert(task);
        }
        for (scheduled, attempt) in &commit.ended {
            let task = self.tasks.remove(&(commit.run.clone(), *scheduled));
            let own = task.is_some_and(|task| task.attempt == *attempt && task.worker == Some(commit.worker));
            ensure!(own, "H5", "{} took in an attempt of {scheduled} that it does not run", commit.run);
        }
        for scheduled in &commit.cancelled {
            self.tasks.remove(&(commit.run.clone(), *scheduled));
        }
        Ok(())
    }

    fn reported(&mut self, report: &ActivityReport, now: Now) -> Result<(), Broken> {
        let is_kept = !matches!(report.verdict, ActivityVerdict::Heartbeat { .. });
        if is_kept && self.requests.insert(report.request_id, report.run.clone()).is_some() {
            return Ok(());
        }
        let key = (report.run.clone(), report.scheduled);
        let own = self.tasks.get(&key).is_some_and(|task| {
            task.attempt == report.attempt && (report.worker.is_none() || task.worker == report.worker)
        });
        ensure!(
            own,
            "H5",
            "attempt {} of {} {} was reported by {:?}, who does not run it",
            report.attempt,
            report.run,
            report.scheduled,
            report.worker
        );
        match &report.verdict {
            ActivityVerdict::Ended(_) => {
                self.tasks.remove(&key);
                self.ended.insert(key);
            }
            ActivityVerdict::Retry { attempt, visible_at, .. } => {
                self.check_backoff(&key, *attempt, *visible_at, now)?;
                let task = Task { attempt: *attempt, visible_at: *visible_at, worker: None };
                self.tasks.insert(key, task);
            }
            ActivityVerdict::Heartbeat { .. } => {}
            ActivityVerdict::Deferred { visible_at } => {
                self.tasks.entry(key).and_modify(|task| (task.worker, task.visible_at) = (None, *visible_at));
            }
            ActivityVerdict::Released => {
                self.forget_body(&key, report.attempt);
                self.tasks.entry(key).and_modify(|task| task.worker = None);
            }
        }
        Ok(())
    }

    /// A worker got work.
    pub(in super::super) fn claimed(
        &mut self,
        claim: &Claim,
        claimed: &Claimed,
        now: Now,
    ) -> Result<(), Broken> {
        let asks = claim.worker;
        ensure!(self.alive(asks, now), "H2", "worker {asks} claimed, and its lease is over");
        if let Some((_, first)) = self.answers.get(&asks).filter(|(number, _)| *number == claim.number) {
            ensure!(first == claimed, "H6", "worker {asks} claimed again, and got something else");
            return Ok(());
        }
        self.answers.insert(asks, (claim.number, claimed.clone()));
        for run in &claimed.runs {
            self.claimed_run(asks, run, now)?;
        }
        for activity in &claimed.activities {
            self.claimed_activity(asks, activity, now)?;
        }
        Ok(())
    }

    fn claimed_run(&mut self, worker: WorkerId, claimed: &ClaimedRun, now: Now) -> Result<(), Broken> {
        let holder = self.run_mut(&claimed.run)?.holder;
        let lives = holder.is_some_and(|holder| self.alive(holder, now));
        let run = self.run_mut(&claimed.run)?;
        let may = if claimed.unsettled { run.unsettled } else { run.is_open() };
        ensure!(!lives && may, "H2", "{} was claimed from {holder:?}, who holds it", run.key);
        ensure!(claimed.token > run.token, "H2", "{} was claimed under an old token", run.key);
        ensure!(claimed.head == run.head(), "H1", "{} was claimed at {}", run.key, claimed.head);
        run.token = claimed.token;
        run.holder = Some(worker);
        self.figures.claims += 1;
        self.figures.takeovers += u64::from(holder.is_some());
        Ok(())
    }

    fn claimed_activity(
        &mut self,
        worker: WorkerId,
        claimed: &ClaimedActivity,
        now: Now,
    ) -> Result<(), Broken> {
        let key = (claimed.run.clone(), claimed.scheduled);
        let holder = self.tasks.get(&key).and_then(|task| task.worker);
        let lives = holder.is_some_and(|holder| self.alive(holder, now));
        let Some(task) = self.tasks.get_mut(&key) else {
            return Err(Broken::new("H5", format!("{} {} was claimed, and is not queued", key.0, key.1)));
        };
        ensure!(!lives, "H2", "{} {} was claimed from {holder:?}, who runs it", key.0, key.1);
        if holder.is_some() {
            task.attempt = task.attempt.next();
            self.figures.attempts_taken_over += 1;
        } else {
            ensure!(task.visible_at <= now.wall, "H8", "{} {} was claimed before its time", key.0, key.1);
        }
        ensure!(
            task.attempt == claimed.attempt,
            "H5",
            "attempt {} was claimed, {} is next",
            claimed.attempt,
            task.attempt
        );
        task.worker = Some(worker);
        Ok(())
    }

    /// What fires must have been due by some clock: its event's time is raised to its due time in any case.
    pub(super) fn check_timers(&self, run: &Run, before: usize, now: Now) -> Result<(), Broken> {
        for event in &run.events[before..] {
            let EventKind::TimerFired(fired) = &event.kind else { continue };
            let Some(EventKind::TimerStarted(timer)) = run.event(fired.started) else { continue };
            ensure!(
                self.may_be(timer.due, now),
                "H8",
                "timer {} of {} fired at {}, and is due at {}",
                fired.started,
                run.key,
                now.wall,
                timer.due
            );
        }
        Ok(())
    }
}

/// A commit whose place in history is taken must be the one that took it.
fn applied_before(run: &Run, commit: &Commit) -> Result<(), Broken> {
    let first = commit.expected_head.next();
    let found = run.records.iter().find(|(_, record)| record.first == first);
    let same = found.is_some_and(|(token, record)| {
        let bytes = commit.record.as_ref().map(|record| &record.bytes);
        *token == commit.token && bytes.is_none_or(|bytes| *bytes == record.bytes)
    });
    ensure!(
        same,
        "H2",
        "a commit after {} of {} was answered as if it stood there",
        commit.expected_head,
        run.key
    );
    Ok(())
}

/// Whether a side effect of a run has been scheduled and not recorded.
pub(super) fn awaits_side_effect(run: &Run) -> bool {
    run.open.values().any(|open| *open == Open::SideEffect)
}
