//! Committing a workflow task.

use retell::vocabulary::{EventId, Position, Timestamp};
use retell::write::{Applied, Commit, Errand, Hold, Next, OpenRun, Outcome, Refusal, Shown};

use super::run::{Door, status_number};
use super::world::{Closing, NOBODY, World};

impl World<'_> {
    pub(crate) fn commit(&mut self, commit: &Commit) -> Outcome {
        let row = self.by_key.get(&commit.run).copied().ok_or(Refusal::LeaseLost)?;
        let namespace = &commit.run.namespace;
        if commit.request_id.is_some_and(|request_id| self.is_known(namespace, request_id)) {
            return Ok(self.committed(commit, row));
        }
        if self.run(row).head != commit.expected_head.0 {
            // Its place in history is taken: by itself, or by another holder.
            let by = self.tokens.get(&(row, commit.expected_head.0 + 1));
            let applied = by == Some(&commit.token.0);
            return if applied { Ok(self.committed(commit, row)) } else { Err(Refusal::LeaseLost) };
        }
        let owner = self.check_commit(commit, row)?;
        let at = self.take_in(commit, row);
        self.change_tasks(commit, row, owner);
        match &commit.next {
            Next::Open(open) => self.keep_open(row, open, at),
            Next::Closed { status, outcome } => {
                let closing = Closing { outcome: outcome.clone(), continued_as: None };
                self.close(row, status_number(*status), closing);
            }
            Next::Continued { status, successor, outcome } => {
                let held = self.held(row);
                let continued_as = Some(successor.run.run_id);
                self.close(row, status_number(*status), Closing { outcome: outcome.clone(), continued_as });
                let successor = self.open(successor);
                self.hand_on(successor, held);
            }
            Next::Settled => {
                let run = self.run_mut(row);
                run.unsettled = false;
                run.owner = NOBODY;
            }
        }
        self.tell(commit, row);
        self.run_errands(row, &commit.outgoing, at);
        let applied = self.committed(commit, row);
        if let Some(request_id) = commit.request_id {
            self.keep(request_id, &applied, row);
        }
        Ok(applied)
    }

    /// The answer to a commit that is applied, now or before.
    fn committed(&self, commit: &Commit, row: i64) -> Applied {
        let starts = commit.outgoing.iter().filter_map(|outgoing| match &outgoing.errand {
            Errand::Start(start) => Some(&**start),
            Errand::Send(_) | Errand::Terminate(_) => None,
        });
        let worker = self.worker_row(commit.worker);
        let held = worker.map(|worker| self.held_from_start(starts, worker)).unwrap_or_default();
        let started = held.into_iter().map(|run| run.run_id).collect();
        Applied::Committed { inbox: Position(self.run(row).inbox_last), started }
    }

    /// Reads every condition; answers the holder's row. Shuts the door of a run that cannot close yet.
    fn check_commit(&mut self, commit: &Commit, row: i64) -> Result<i64, Refusal> {
        let worker = self.alive(commit.worker).ok_or(Refusal::LeaseLost)?;
        let run = self.run(row);
        let settles = matches!(commit.next, Next::Settled);
        if run.token != commit.token.0 || run.owner != worker || run.unsettled != settles {
            return Err(Refusal::LeaseLost);
        }
        for (scheduled, attempt) in &commit.ended {
            let task = self.task(row, *scheduled);
            if !task.is_some_and(|task| task.owner == worker && task.attempt == *attempt) {
                return Err(Refusal::TaskLost);
            }
        }
        let (end, continues) = match (&commit.next, run.door) {
            (Next::Open(_) | Next::Settled, _) => return Ok(worker),
            // What was accepted for a successor has none now: it must be taken in.
            (Next::Closed { .. }, Some(Door { continues: true, .. })) => (run.inbox_last, false),
            (next, _) => (run.end(), matches!(next, Next::Continued { .. })),
        };
        if commit.taken_in.0 < end {
            self.run_mut(row).door = Some(Door { at: end, continues });
            self.heard.work = true;
            return Err(Refusal::InboxAdvanced(Position(end)));
        }
        if let Next::Continued { successor, .. } = &commit.next {
            self.openable(successor)?;
        }
        Ok(worker)
    }

    /// Appends the record and takes messages in; answers the time of the commit.
    fn take_in(&mut self, commit: &Commit, row: i64) -> Timestamp {
        self.run_mut(row).take_in(commit.taken_in.0);
        match &commit.record {
            Some(record) => {
                self.append(row, record);
                self.run(row).last_at
            }
            None => self.now,
        }
    }

    /// Keeps what the commit answers requests with, and what its run shows of itself.
    fn tell(&mut self, commit: &Commit, row: i64) {
        let namespace = self.run(row).namespace;
        for answer in &commit.answers {
            self.answers.insert((namespace, answer.request_id), (row, answer.body.clone()));
            self.heard.answers = true;
        }
        let Shown { published, attributes, memo } = &commit.shown;
        let details = &mut self.run_mut(row).details;
        published.iter().for_each(|published| details.published = Some(published.clone()));
        attributes.iter().for_each(|attributes| details.attributes = Some(attributes.clone()));
        memo.iter().for_each(|memo| details.memo = Some(memo.clone()));
    }

    fn keep_open(&mut self, row: i64, open: &OpenRun, at: Timestamp) {
        let run = self.run_mut(row);
        run.door = None;
        run.wake_at = open.wake_at;
        run.rowless = open.rowless;
        run.dependents = open.dependents;
        run.paused = open.paused;
        if run.parked || open.failure.is_some() {
            run.parked = open.failure.is_some();
            run.details.failure = Some(open.failure.clone());
        }
        let waits = run.inbox_last > run.taken_in;
        if waits {
            run.wake_by(at);
        }
        let released = open.hold == Hold::Release;
        if released {
            run.owner = NOBODY;
        }
        self.heard.work |= waits | released;
    }

    fn close(&mut self, row: i64, status: i64, closing: Closing) {
        self.drop_open(row);
        let run = self.run_mut(row);
        if run.parked {
            run.parked = false;
            run.details.failure = Some(None);
        }
        run.close(status);
        run.details.closing = Some(closing);
    }

    fn change_tasks(&mut self, commit: &Commit, row: i64, owner: i64) {
        let namespace = self.run(row).namespace;
        for task in &commit.schedule {
            let kind = self.names.activity(namespace, &task.task_queue, &task.activity);
            self.schedule(row, task, kind, owner);
            self.heard.work = true;
        }
        let ended = commit.ended.iter().map(|(scheduled, _)| scheduled);
        for scheduled in ended.chain(&commit.cancelled) {
            self.end_task(row, *scheduled);
        }
        for scheduled in &commit.cancel_requested {
            if let Some(task) = self.task_mut(row, *scheduled) {
                task.cancel_requested = true;
            }
        }
    }

    /// The events of a record that a commit must know the writer of, if the run is not where the commit expects it.
    pub(crate) fn written_before(&self, commit: &Commit) -> Option<(i64, EventId)> {
        let row = *self.by_key.get(&commit.run)?;
        let moved_on = self.run(row).head != commit.expected_head.0;
        moved_on.then(|| (row, commit.expected_head.next()))
    }
}
