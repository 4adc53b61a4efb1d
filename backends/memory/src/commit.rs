//! Committing a workflow task.

use retell::vocabulary::{FencingToken, RunKey, Timestamp};
use retell::write::{Applied, Commit, Errand, Hold, Next, OpenRun, Outcome, Refusal, Shown, Start};

use crate::activity::Task;
use crate::run::{Door, Run, Waiting};
use crate::state::State;

/// The token of a run whose start named its owner.
const FIRST_TOKEN: FencingToken = FencingToken(1);

impl State {
    pub(crate) fn commit(&mut self, commit: &Commit) -> Outcome {
        let namespace = &commit.run.namespace;
        let elapsed = self.clock.elapsed();
        self.identities.forget_old(elapsed);
        let known =
            commit.request_id.is_some_and(|request| self.identities.find(namespace, request).is_some());
        if known && let Some(run) = self.runs.get(&commit.run) {
            return Ok(self.committed(commit, run));
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
            Next::Continued { status, successor, outcome } => {
                let held = self.held(&commit.run);
                let run = self.closing(&commit.run);
                run.close(*status, outcome.clone());
                run.continued_as = Some(successor.run.run_id);
                self.succeed(successor, held);
            }
            Next::Settled => self.settled(&commit.run),
        }
        self.tell(commit);
        self.run_errands(&commit.run, &commit.outgoing, at);
        let applied = self.committed(commit, &self.runs[&commit.run]);
        if let Some(request_id) = commit.request_id {
            self.identities.keep(request_id, (applied.clone(), commit.run.clone()), elapsed);
        }
        Ok(applied)
    }

    /// The answer to a commit that is applied, now or before.
    fn committed(&self, commit: &Commit, run: &Run) -> Applied {
        let held = |start: &Start| {
            let started = self.runs.get(&start.run)?;
            let is_held = started.owner == Some(commit.worker) && started.token == FIRST_TOKEN;
            is_held.then_some(start.run.run_id)
        };
        let started = commit.outgoing.iter().filter_map(|outgoing| match &outgoing.errand {
            Errand::Start(start) => held(start),
            Errand::Send(_) | Errand::Terminate(_) => None,
        });
        Applied::Committed { inbox: run.inbox.last, started: started.collect() }
    }

    /// The answer to a commit whose place in history is taken: by itself, or by another holder.
    fn applied_before(&self, commit: &Commit) -> Option<Outcome> {
        let run = self.runs.get(&commit.run)?;
        if run.head() == commit.expected_head {
            return None;
        }
        let applied = run.wrote_after(commit.expected_head, commit.token);
        Some(if applied { Ok(self.committed(commit, run)) } else { Err(Refusal::LeaseLost) })
    }

    /// Reads every condition. Shuts the door of a run that cannot close yet.
    fn check_commit(&mut self, commit: &Commit) -> Result<(), Refusal> {
        let alive = self.leases.alive(commit.worker, self.clock.elapsed());
        let run = self.runs.get_mut(&commit.run).ok_or(Refusal::LeaseLost)?;
        let settles = matches!(commit.next, Next::Settled);
        if !alive || run.token != commit.token || run.owner != Some(commit.worker) || run.unsettled != settles
        {
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
            (Next::Open(_) | Next::Settled, _) => return Ok(()),
            // What was accepted for a successor has none now: it must be taken in.
            (Next::Closed { .. }, Door::Shut { continues: true, .. }) => (inbox.last, false),
            (next, _) => (inbox.end(), matches!(next, Next::Continued { .. })),
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
        let Shown { published, attributes, memo } = &commit.shown;
        let run = self.runs.get_mut(&commit.run).expect("the conditions found the run");
        if published.is_some() {
            run.published.clone_from(published);
        }
        attributes.iter().for_each(|attributes| run.attributes.clone_from(attributes));
        memo.iter().for_each(|memo| run.memo.clone_from(memo));
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
        run.dependents = open.dependents;
        run.paused = open.paused;
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

    /// Nobody depends any more on a run that was terminated.
    fn settled(&mut self, key: &RunKey) {
        self.unsettled.remove(key);
        let run = self.runs.get_mut(key).expect("the conditions found the run");
        run.unsettled = false;
        run.owner = None;
    }

    /// What its history has not taken in of the messages that are not for this run alone, for the run that follows.
    pub(crate) fn held(&mut self, key: &RunKey) -> Vec<Waiting> {
        let run = self.runs.get_mut(key).expect("the conditions found the run");
        let waiting = std::mem::take(&mut run.inbox.messages);
        waiting.into_iter().filter(|waiting| !waiting.of_activity).collect()
    }

    fn succeed(&mut self, successor: &Start, held: Vec<Waiting>) {
        self.open(successor);
        self.hand_on(successor, held);
    }

    /// Puts what waited for one run to the end of the inbox of the run that follows it.
    pub(crate) fn hand_on(&mut self, successor: &Start, held: Vec<Waiting>) {
        self.heard.work |= !held.is_empty();
        let run = self.runs.get_mut(&successor.run).expect("it was opened above");
        for Waiting { message, .. } in held {
            run.wake_by(message.at);
            run.inbox.push(message.request_id, message.at, message.body, false);
        }
    }
}
