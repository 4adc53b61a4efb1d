//! Opening runs, and ending them from outside.

use retell::backend::RunStatus;
use retell::vocabulary::{RunKey, Timestamp};
use retell::write::{
    Applied, CloseStatus, ClosingEvent, ExistingId, IdConflictPolicy, IdReusePolicy, NewRecord, Outcome,
    Refusal, Replacement, Start, Terminate,
};

use crate::run::{Door, Run};
use crate::state::State;

impl State {
    /// Opens a run if its workflow ID allows it.
    pub(crate) fn start_once(&mut self, start: &Start) -> Outcome {
        self.once(&start.run.namespace, start.request_id, |state| match state.start(start)? {
            Applied::Existing(run) => Ok((Applied::Existing(run.clone()), run)),
            applied => Ok((applied, start.run.clone())),
        })
    }

    fn start(&mut self, start: &Start) -> Outcome {
        if self.runs.contains_key(&start.run) {
            return Err(Refusal::Invalid(format!("run {} was started by another request", start.run)));
        }
        let workflow_id = (start.run.namespace.clone(), start.run.workflow_id.clone());
        if let Some(latest) = self.latest.get(&workflow_id).cloned() {
            match (self.runs[&latest].status, &start.conflict) {
                (RunStatus::Running, IdConflictPolicy::UseExisting) => return Ok(Applied::Existing(latest)),
                (RunStatus::Running, IdConflictPolicy::SendToExisting) => {
                    return self.send_to_existing(latest, start);
                }
                (RunStatus::Running, IdConflictPolicy::Reject) => {
                    return Err(Refusal::IdTaken(ExistingId { run: latest, closed: None }));
                }
                (RunStatus::Running, IdConflictPolicy::TerminateExisting(closing)) => {
                    self.terminate(&latest, closing, start.record.at);
                }
                (RunStatus::Running, IdConflictPolicy::ReplaceExisting(replaced)) => {
                    return self.replace(&latest, replaced, start);
                }
                (RunStatus::Closed(status), _) if !may_reuse(start.reuse, status) => {
                    return Err(Refusal::IdTaken(ExistingId { run: latest, closed: Some(status) }));
                }
                (RunStatus::Closed(_), _) => {}
            }
        }
        let owned = self.open(start);
        Ok(Applied::Started { run: start.run.clone(), owned })
    }

    /// Puts what the new run would have found in its inbox into that of the open one, unless that is closing.
    fn send_to_existing(&mut self, open: RunKey, start: &Start) -> Outcome {
        if matches!(self.runs[&open].inbox.door, Door::Shut { continues: false, .. }) {
            return Err(Refusal::RunClosed(open));
        }
        for message in &start.inbox {
            self.put(&open, message, start.record.at, false);
        }
        Ok(Applied::Existing(open))
    }

    /// Ends the open run, if it is the one that is expected, and opens the new one with what its history has not taken in.
    fn replace(&mut self, open: &RunKey, replaced: &Replacement, start: &Start) -> Outcome {
        let head = self.runs[open].head();
        if open.run_id != replaced.run || head != replaced.head {
            return Err(Refusal::RunAdvanced { run: open.clone(), head });
        }
        let held = self.held(open);
        self.terminate(open, &replaced.closing, replaced.at);
        let owned = self.open(start);
        self.hand_on(start, held);
        Ok(Applied::Started { run: start.run.clone(), owned })
    }

    /// Opens a run unconditionally; answers whether the owner that the start names holds it.
    pub(crate) fn open(&mut self, start: &Start) -> bool {
        let elapsed = self.clock.elapsed();
        let owner = start.owner.filter(|owner| self.leases.alive(*owner, elapsed));
        let workflow_id = (start.run.namespace.clone(), start.run.workflow_id.clone());
        self.latest.insert(workflow_id, start.run.clone());
        self.open.insert(start.run.clone());
        self.started += 1;
        self.runs.insert(start.run.clone(), Run::open(start, owner, self.started));
        self.heard.work |= owner.is_none();
        owner.is_some()
    }

    /// Ends the open run that is meant.
    pub(crate) fn terminate_once(&mut self, terminate: &Terminate) -> Outcome {
        self.once(&terminate.target.namespace, terminate.request_id, |state| {
            let run = state.open_run(&terminate.target)?;
            state.terminate(&run, &terminate.closing, terminate.at);
            Ok((Applied::Terminated(run.clone()), run))
        })
    }

    /// Ends an open run: one event more, one token more, no tasks, no inbox.
    pub(crate) fn terminate(&mut self, key: &RunKey, closing: &ClosingEvent, at: Timestamp) {
        let run = self.runs.get_mut(key).expect("the caller found the run");
        run.token = run.token.next();
        run.append(&NewRecord { count: 1, at, bytes: closing.record.clone() });
        run.unsettled = run.dependents;
        if run.unsettled {
            self.unsettled.insert(key.clone());
            self.heard.work = true;
        }
        run.close(CloseStatus::Terminated, closing.outcome.clone());
        self.drop_open(key);
    }
}

fn may_reuse(policy: IdReusePolicy, closed: CloseStatus) -> bool {
    match policy {
        IdReusePolicy::Allow => true,
        IdReusePolicy::AllowUnlessCompleted => closed != CloseStatus::Completed,
        IdReusePolicy::Reject => false,
    }
}
