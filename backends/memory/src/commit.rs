//! Committing a workflow task.

use retell::vocabulary::{RunKey, Timestamp};
use retell::write::{Applied, CloseStatus, Commit, Hold, Next, OpenRun, Outcome, Refusal, Start};

use crate::activity::Task;
use crate::run::{Door, Run, Waiting};
use crate::state::State;

impl State {
    pub(crate) fn commit(&mut self, commit: &Commit) -> Outcome {
        let namespace = &commit.run.namespace;
        let elapsed = self.clock.elapsed();
        self.identities.forget_old(elapsed);
        let known =
            commit.request_id.is_some_and(|request| self.identities.find(namespace, request).is_some());
        if known && let Some(run) = self.runs.get(&commit.run) {
            return Ok(Applied::Committed { inbox: run.inbox.last });
        }
        if let Some(first) = self.applied_before(commit) {
            return first;
        }
        self.check_commit(commit)?;
        let at = self.append(commit);
        self.change_tasks(commit);
        match &commit.next {
            Next::Open(open) => self.keep_open(&commit.run, open, at),
            Next::Closed { status, outcome } => self.closing(&commit.run).close(*status, outcome.clone()),
            Next::ContinuedAsNew { successor, outcome } => {
                let held = self.held(&commit.run);
                let run = self.closing(&commit.run);
                run.close(CloseStatus::ContinuedAsNew, outcome.clone());
                run.continued_as = Some(successor.run.run_id);
                self.succeed(successor, held);
            }
        }
        self.tell(commit);
        self.send_all(&commit.run, &commit.messages, at);
        let applied = Applied::Committed { inbox: self.runs[&commit.run].inbox.last };
        if let Some(request_id) = commit.request_id {
            self.identities.keep(namespace, request_id, applied.clone(), elapsed);
        }
        Ok(applied)
    }

    /// The answer to a commit whose place in history is taken: by itself, or by another holder.
    fn applied_before(&self, commit: &Commit) -> Option<Outcome> {
        let run = self.runs.get(&commit.run)?;
        if run.head() == commit.expected_head {
            return None;
        }
        let applied = run.wrote_after(commit.expected_head, commit.token);
        let first = Applied::Committed { inbox: run.inbox.last };
        Some(if applied { Ok(first) } else { Err(Refusal::LeaseLost) })
    }

    /// Reads every condition. Shuts the door of a run that cannot close yet.
    fn check_commit(&mut self, commit: &Commit) -> Result<(), Refusal> {
        let alive = self.leases.alive(commit.worker, self.clock.elapsed());
        let run = self.runs.get_mut(&commit.run).ok_or(Refusal::LeaseLost)?;
        if !alive || run.token != commit.token || run.owner != Some(commit.worker) {
            return Err(Refusal::LeaseLost);
        }
        for (scheduled, attempt) in &commit.ended {
            let task = self.tasks.get(&(commit.run.clone(), *scheduled));
            if !task.is_some_and(|task| task.is_claimed(commit.worker, *attempt)) {
                return Err(Refusal::TaskLost);
            }
        }
        let inbox = &mut run.inbox;
        let (end, continues) = match (&commit.next, inbox.door) {
            (Next::Open(_), _) => return Ok(()),
            // What was accepted for a successor has none now: it must be taken in.
            (Next::Closed { .. }, Door::Shut { continues: true, .. }) => (inbox.last, false),
            (next, _) => (inbox.end(), matches!(next, Next::ContinuedAsNew { .. })),
        };
        if commit.taken_in >= end {
            return Ok(());
        }
        inbox.door = Door::Shut { at: end, continues };
        self.heard.work = true;
        Err(Refusal::InboxAdvanced(end))
    }

    /// Appends the record and takes messages in; answers the time of the commit.
    fn append(&mut self, commit: &Commit) -> Timestamp {
        let now = self.clock.now();
        let run = self.runs.get_mut(&commit.run).expect("the conditions found the run");
        run.inbox.take_in(commit.taken_in);
        match &commit.record {
            Some(record) => {
                run.append(record);
                run.last_at()
            }
            None => now,
        }
    }

    /// Keeps what the commit answers requests with, and what its run shows of itself.
    fn tell(&mut self, commit: &Commit) {
        if !commit.answers.is_empty() {
            self.answers.keep(commit, self.clock.elapsed());
            self.heard.answers = true;
        }
        if commit.published.is_some() {
            let run = self.runs.get_mut(&commit.run).expect("the conditions found the run");
            run.published.clone_from(&commit.published);
        }
    }

    fn change_tasks(&mut self, commit: &Commit) {
        for task in &commit.schedule {
            self.tasks
                .entry((commit.run.clone(), task.scheduled))
                .or_insert_with(|| Task::new(task, commit.worker));
            self.heard.work = true;
        }
        let ended = commit.ended.iter().map(|(scheduled, _)| scheduled);
        for scheduled in ended.chain(&commit.cancelled) {
            self.tasks.remove(&(commit.run.clone(), *scheduled));
        }
        for scheduled in &commit.cancel_requested {
            if let Some(task) = self.tasks.get_mut(&(commit.run.clone(), *scheduled)) {
                task.cancel_requested = true;
            }
        }
    }

    fn keep_open(&mut self, key: &RunKey, open: &OpenRun, at: Timestamp) {
        let run = self.runs.get_mut(key).expect("the conditions found the run");
        run.inbox.door = Door::Open;
        run.wake_at = open.wake_at;
        run.rowless = open.rowless;
        run.failure = open.failure.clone();
        if run.inbox.last > run.inbox.taken_in {
            run.wake_by(at);
            self.heard.work = true;
        }
        if open.hold == Hold::Release {
            run.owner = None;
            self.heard.work = true;
        }
    }

    /// The run, out of everything that only open runs are in.
    fn closing(&mut self, key: &RunKey) -> &mut Run {
        self.drop_open(key);
        let run = self.runs.get_mut(key).expect("the conditions found the run");
        run.failure = None;
        run
    }

    /// What came through the shut door, for the run that follows.
    fn held(&mut self, key: &RunKey) -> Vec<Waiting> {
        let run = self.runs.get_mut(key).expect("the conditions found the run");
        let waiting = std::mem::take(&mut run.inbox.messages);
        waiting.into_iter().filter(|waiting| !waiting.of_activity).collect()
    }

    fn succeed(&mut self, successor: &Start, held: Vec<Waiting>) {
        self.open(successor);
        self.heard.work |= !held.is_empty();
        let run = self.runs.get_mut(&successor.run).expect("it was opened above");
        for Waiting { message, .. } in held {
            run.wake_by(message.at);
            run.inbox.push(message.request_id, message.at, message.body, false);
        }
    }
}
