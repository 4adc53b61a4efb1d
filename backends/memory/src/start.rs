//! Opening runs, and ending them from outside.

use retell::backend::RunStatus;
use retell::vocabulary::{RunKey, Timestamp};
use retell::write::{
    Applied, CloseStatus, ClosingEvent, ExistingId, IdConflictPolicy, IdReusePolicy, NewRecord, Outcome,
    Refusal, Start,
};

use crate::run::{Door, Run};
use crate::state::State;

impl State {
    pub(crate) fn start(&mut self, start: &Start) -> Outcome {
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

    /// Opens a run unconditionally; answers whether the owner that the start names holds it.
    pub(crate) fn open(&mut self, start: &Start) -> bool {
        let elapsed = self.clock.elapsed();
        let owner = start.owner.filter(|owner| self.leases.alive(*owner, elapsed));
        let workflow_id = (start.run.namespace.clone(), start.run.workflow_id.clone());
        self.latest.insert(workflow_id, start.run.clone());
        self.open.insert(start.run.clone());
        self.runs.insert(start.run.clone(), Run::open(start, owner));
        self.heard.work |= owner.is_none();
        owner.is_some()
    }

    /// Ends an open run: one event more, one token more, no tasks, no inbox.
    pub(crate) fn terminate(&mut self, key: &RunKey, closing: &ClosingEvent, at: Timestamp) {
        let run = self.runs.get_mut(key).expect("the caller found the run");
        run.token = run.token.next();
        run.append(&NewRecord { count: 1, at, bytes: closing.record.clone() });
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
