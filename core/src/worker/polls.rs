//! Polls: which run each workflow thread is busy with, so that code which blocks its thread is found.
//!
//! A thread says what it begins and ends; the lease's keeper looks, as often as it renews. What passes between two looks
//! counts for no more than it should have been: on a machine that is busy, or was asleep, nobody is accused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::vocabulary::{RunId, RunKey, WorkflowType};

/// A workflow task whose code does not give its thread back. See [`Health`](crate::Health).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockedTask {
    /// The run.
    pub run: RunKey,
    /// Its code.
    pub workflow: WorkflowType,
    /// How long it has blocked at least.
    pub blocked_for: Duration,
}

/// What the workflow threads of a worker are busy with.
#[derive(Debug, Default)]
pub(super) struct Polls {
    busy: Mutex<Vec<Busy>>,
    count: AtomicU64,
}

#[derive(Debug)]
struct Busy {
    number: u64,
    task: BlockedTask,
    /// Whether it was there at a look before.
    seen: bool,
    told: bool,
}

/// A thread is busy with a run until this is dropped.
#[derive(Debug)]
pub(super) struct Poll<'a> {
    polls: &'a Polls,
    number: u64,
}

impl Polls {
    /// The thread begins to run a workflow's code.
    pub(super) fn begin(&self, run: &RunKey, workflow: &WorkflowType) -> Poll<'_> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let task = BlockedTask { run: run.clone(), workflow: workflow.clone(), blocked_for: Duration::ZERO };
        self.lock().push(Busy { number, task, seen: false, told: false });
        Poll { polls: self, number }
    }

    /// Looks what is still there since the last look, which was this long ago, and names in the log what has been there
    /// for longer than the limit. Returns the runs that were named now.
    pub(super) fn look(&self, since_last: Duration, limit: Duration) -> Vec<RunId> {
        let mut named = Vec::new();
        for busy in self.lock().iter_mut() {
            if std::mem::replace(&mut busy.seen, true) {
                busy.task.blocked_for += since_last;
            }
            if busy.task.blocked_for >= limit && !std::mem::replace(&mut busy.told, true) {
                let BlockedTask { run, workflow, blocked_for } = &busy.task;
                tracing::error!(
                    %run, %workflow, ?blocked_for,
                    "a workflow blocks its thread, and the other runs of that thread go on under a new lease: workflow code must not block, nor compute for long; do that in an activity"
                );
                named.push(run.run_id);
            }
        }
        named
    }

    /// Whether this run has been found to block a thread that it has not given back.
    pub(super) fn is_blocked(&self, run_id: RunId) -> bool {
        self.lock().iter().any(|busy| busy.told && busy.task.run.run_id == run_id)
    }

    /// What has been found to block.
    pub(super) fn blocked(&self) -> Vec<BlockedTask> {
        self.lock().iter().filter(|busy| busy.told).map(|busy| busy.task.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        let mut busy = self.polls.lock();
        if let Some(at) = busy.iter().position(|busy| busy.number == self.number) {
            let ended = busy.swap_remove(at);
            if ended.told {
                tracing::warn!(run = %ended.task.run, "the workflow has given its thread back");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{Namespace, WorkflowId, WorkflowName, WorkflowVersion};

    const LOOK: Duration = Duration::from_secs(3);
    const LIMIT: Duration = Duration::from_secs(10);

    fn begin<'a>(polls: &'a Polls, id: &str) -> Poll<'a> {
        let run = RunKey {
            namespace: Namespace::default(),
            workflow_id: WorkflowId::new(id).unwrap(),
            run_id: RunId::fresh(),
        };
        let name = WorkflowName::new("spins").unwrap();
        polls.begin(&run, &WorkflowType { name, version: WorkflowVersion(1) })
    }

    #[test]
    fn what_stays_for_as_long_as_the_limit_is_named_until_it_ends() {
        let polls = Polls::default();
        let stuck = begin(&polls, "stuck");
        for _ in 0..4 {
            assert_eq!(polls.blocked(), []);
            polls.look(LOOK, LIMIT);
        }
        polls.look(LOOK, LIMIT);
        let blocked = polls.blocked();
        assert_eq!((blocked.len(), blocked[0].run.workflow_id.as_str()), (1, "stuck"));
        assert_eq!(blocked[0].blocked_for, 4 * LOOK);
        drop(stuck);
        assert_eq!(polls.blocked(), []);
    }

    #[test]
    fn one_task_after_the_other_is_nobody_who_blocks() {
        let polls = Polls::default();
        for _ in 0..100 {
            let _quick = begin(&polls, "quick");
            polls.look(LOOK, LIMIT);
        }
        assert_eq!(polls.blocked(), []);
    }
}
