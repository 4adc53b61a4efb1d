//! Opening runs, and ending them from outside.

use retell::backend::RunStatus;
use retell::vocabulary::{FencingToken, RunKey, Timestamp};
use retell::write::{
    Applied, CloseStatus, ClosingEvent, ExistingId, IdConflictPolicy, IdReusePolicy, NewRecord, Outcome,
    Refusal, Replacement, Start, Terminate,
};

use super::run::{Run, Waiting, status_number, status_of};
use super::world::{Closing, NOBODY, RecordRow, World};

/// The token of a run whose start named its owner.
pub(crate) const FIRST_TOKEN: FencingToken = FencingToken(1);

impl World<'_> {
    /// Opens a run if its workflow ID allows it.
    pub(crate) fn start_once(&mut self, start: &Start) -> Outcome {
        self.once(&start.run.namespace, start.request_id, |world| world.start(start))
    }

    fn start(&mut self, start: &Start) -> Result<(Applied, i64), Refusal> {
        if self.by_key.contains_key(&start.run) {
            return Err(Refusal::Invalid(format!("run {} was started by another request", start.run)));
        }
        if let Some(latest) = self.latest(&start.run.namespace, &start.run.workflow_id) {
            let run = self.run(latest);
            let key = run.key.clone();
            match (status_of(run.status), &start.conflict) {
                (Some(RunStatus::Running), IdConflictPolicy::UseExisting) => {
                    return Ok((Applied::Existing(key), latest));
                }
                (Some(RunStatus::Running), IdConflictPolicy::SendToExisting) => {
                    return self.send_to_existing(latest, start);
                }
                (Some(RunStatus::Running), IdConflictPolicy::Reject) => {
                    return Err(Refusal::IdTaken(ExistingId { run: key, closed: None }));
                }
                (Some(RunStatus::Running), IdConflictPolicy::TerminateExisting(closing)) => {
                    self.openable(start)?;
                    self.terminate(latest, closing, start.record.at);
                }
                (Some(RunStatus::Running), IdConflictPolicy::ReplaceExisting(replaced)) => {
                    return self.replace(latest, replaced, start);
                }
                (Some(RunStatus::Closed(status)), _) if !may_reuse(start.reuse, status) => {
                    return Err(Refusal::IdTaken(ExistingId { run: key, closed: Some(status) }));
                }
                (Some(RunStatus::Closed(_)), _) => {}
                (None, _) => return Err(Refusal::Invalid(format!("the row of run {key} is damaged"))),
            }
        }
        self.openable(start)?;
        Ok(self.opened(start))
    }

    /// Puts what the new run would have found in its inbox into that of the open one, unless that is closing.
    fn send_to_existing(&mut self, open: i64, start: &Start) -> Result<(Applied, i64), Refusal> {
        let run = self.run(open);
        let key = run.key.clone();
        if run.is_shut() {
            return Err(Refusal::RunClosed(key));
        }
        for message in &start.inbox {
            self.put(open, message, start.record.at, false);
        }
        Ok((Applied::Existing(key), open))
    }

    /// Ends the open run, if it is the one that is expected, and opens the new one with what its history has not taken in.
    fn replace(
        &mut self,
        open: i64,
        replaced: &Replacement,
        start: &Start,
    ) -> Result<(Applied, i64), Refusal> {
        let run = self.run(open);
        let head = retell::vocabulary::EventId(run.head);
        if run.key.run_id != replaced.run || head != replaced.head {
            return Err(Refusal::RunAdvanced { run: run.key.clone(), head });
        }
        self.openable(start)?;
        let held = self.held(open);
        self.terminate(open, &replaced.closing, replaced.at);
        let (applied, row) = self.opened(start);
        self.hand_on(row, held);
        Ok((applied, row))
    }

    /// Refuses what has no place in the tables: IDs whose rows were not made when the batch was read.
    pub(crate) fn openable(&self, start: &Start) -> Result<(), Refusal> {
        let place = self.place(&start.run.namespace, &start.run.workflow_id);
        let known = place.is_some_and(|place| self.ids.contains_key(&place));
        if known && self.names.workflow(start).is_some() && !self.fresh.is_empty() {
            return Ok(());
        }
        Err(Refusal::Invalid(format!("run {} was not prepared to be opened", start.run)))
    }

    fn opened(&mut self, start: &Start) -> (Applied, i64) {
        let row = self.open(start);
        let owned = self.run(row).owner != NOBODY;
        (Applied::Started { run: start.run.clone(), owned }, row)
    }

    /// Opens a run that is [openable](Self::openable), whatever its policies; answers its row.
    pub(crate) fn open(&mut self, start: &Start) -> i64 {
        let prepared = "it was found openable";
        let owner = start.owner.and_then(|owner| self.alive(owner)).unwrap_or(NOBODY);
        let place = self.place(&start.run.namespace, &start.run.workflow_id).expect(prepared);
        let kind = self.names.workflow(start).expect(prepared);
        let row = self.fresh.pop().expect(prepared);
        let namespace = place.0;
        let id = self.ids.get_mut(&place).expect(prepared);
        id.started += 1;
        id.latest = Some(row);
        id.dirty = true;
        let mut run = Run::open(start, row, namespace, kind, id.started, owner);
        for message in &start.inbox {
            run.push(message.request_id, start.record.at, message.body.clone(), false);
        }
        // Who starts a run knows what it put into it.
        run.shown = run.inbox_last;
        self.by_key.insert(start.run.clone(), row);
        self.runs.insert(row, run);
        // No commit wrote these, and none can say that it did.
        self.append(row, &start.record);
        start.copied.iter().for_each(|record| self.append(row, record));
        self.run_mut(row).token = u64::from(owner != NOBODY);
        self.heard.work |= owner == NOBODY;
        row
    }

    /// Appends a record under the run's token, never earlier than the one before it.
    pub(crate) fn append(&mut self, row: i64, new: &NewRecord) {
        let run = self.run_mut(row);
        let (first, at, token) = (run.head + 1, new.at.max(run.last_at), run.token);
        run.head += u64::from(new.count);
        run.last_at = at;
        self.tokens.insert((row, first), token);
        let record = RecordRow { run: row, first, count: new.count, at, token, bytes: new.bytes.clone() };
        self.records.push(record);
    }

    /// Ends the open run that is meant.
    pub(crate) fn terminate_once(&mut self, terminate: &Terminate) -> Outcome {
        self.once(&terminate.target.namespace, terminate.request_id, |world| {
            let row = world.open_run(&terminate.target)?;
            world.terminate(row, &terminate.closing, terminate.at);
            Ok((Applied::Terminated(world.run(row).key.clone()), row))
        })
    }

    /// Ends an open run: one event more, one token more, no tasks, no inbox.
    fn terminate(&mut self, row: i64, closing: &ClosingEvent, at: Timestamp) {
        self.run_mut(row).token += 1;
        self.append(row, &NewRecord { count: 1, at, bytes: closing.record.clone() });
        let run = self.run_mut(row);
        run.unsettled = run.dependents;
        let unsettled = run.unsettled;
        run.close(status_number(CloseStatus::Terminated));
        run.details.closing = Some(Closing { outcome: closing.outcome.clone(), continued_as: None });
        self.heard.work |= unsettled;
        self.drop_open(row);
    }

    /// What its history has not taken in of the messages that are not for this run alone, for the run that follows.
    pub(crate) fn held(&mut self, row: i64) -> Vec<Waiting> {
        let waiting = std::mem::take(&mut self.run_mut(row).waiting);
        waiting.into_iter().filter(|waiting| !waiting.own).collect()
    }

    /// Puts what waited for one run to the end of the inbox of the run that follows it.
    pub(crate) fn hand_on(&mut self, successor: i64, held: Vec<Waiting>) {
        self.heard.work |= !held.is_empty();
        let run = self.run_mut(successor);
        for Waiting { message, .. } in held {
            run.wake_by(message.at);
            run.push(message.request_id, message.at, message.body, false);
        }
    }

    /// The runs of these starts that this worker holds since they were opened.
    pub(crate) fn held_from_start<'s>(
        &self,
        starts: impl Iterator<Item = &'s Start>,
        worker: i64,
    ) -> Vec<RunKey> {
        let held = |start: &&Start| {
            let run = self.by_key.get(&start.run).map(|row| self.run(*row));
            run.is_some_and(|run| run.owner == worker && run.token == FIRST_TOKEN.0)
        };
        starts.filter(held).map(|start| start.run.clone()).collect()
    }
}

fn may_reuse(policy: IdReusePolicy, closed: CloseStatus) -> bool {
    match policy {
        IdReusePolicy::Allow => true,
        IdReusePolicy::AllowUnlessCompleted => closed != CloseStatus::Completed,
        IdReusePolicy::Reject => false,
    }
}
