//! The wire between a tester's worker and the store: it feeds the follower, and cuts the worker off where it is to die.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use retell::backend::{LeaseAction, StoreError};
use retell::vocabulary::{RunKey, WorkerId, WorkflowId};
use retell::write::{Batch, Errand, Next, Write};
use tokio::sync::watch;

use crate::follower::Follower;
use crate::world::{Done, Request, Wire};

/// Where a worker dies, counted in commits from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// When it has sent so many and one more, which the store never hears of.
    BeforeCommit(usize),
    /// When the store has so many, the last of which the worker never hears of.
    AfterCommit(usize),
}

/// What was written.
#[derive(Default)]
pub(crate) struct Tally {
    /// How many batches with a commit in them.
    pub(crate) commits: u64,
    /// The workflow IDs that were written to.
    pub(crate) written: BTreeSet<WorkflowId>,
    /// Whether a run was closed.
    pub(crate) closed: bool,
    /// The children that were to be started, in order; some may have been refused.
    pub(crate) children: Vec<RunKey>,
}

impl Tally {
    fn note(&mut self, batch: &Batch) {
        self.commits += u64::from(has_commit(batch));
        for write in batch.iter() {
            let id = match write {
                Write::Start(start) => &start.run.workflow_id,
                Write::Send(send) => &send.target.workflow_id,
                Write::Terminate(terminate) => &terminate.target.workflow_id,
                Write::Commit(commit) => {
                    let targets =
                        commit.outgoing.iter().map(|outgoing| outgoing.errand.workflow_id().clone());
                    self.written.extend(targets);
                    self.children.extend(commit.outgoing.iter().filter_map(
                        |outgoing| match &outgoing.errand {
                            Errand::Start(start) => Some(start.run.clone()),
                            Errand::Send(_) | Errand::Terminate(_) => None,
                        },
                    ));
                    self.closed |= !matches!(commit.next, Next::Open(_));
                    &commit.run.workflow_id
                }
                Write::Remove(remove) => &remove.run.workflow_id,
                Write::Activity(report) => &report.run.workflow_id,
            };
            if !self.written.contains(id) {
                self.written.insert(id.clone());
            }
        }
    }
}

/// The wire of one worker.
pub(crate) struct TesterWire {
    follower: Option<Arc<Follower>>,
    /// Where a worker is to die; shared by all of a tester, since one of them will.
    death: Arc<Mutex<Option<Death>>>,
    dead: AtomicBool,
    workers: Mutex<Vec<WorkerId>>,
    tally: Arc<Mutex<Tally>>,
    hold: watch::Receiver<bool>,
}

impl TesterWire {
    pub(crate) fn new(
        follower: Option<Arc<Follower>>,
        death: Arc<Mutex<Option<Death>>>,
        tally: Arc<Mutex<Tally>>,
        hold: watch::Receiver<bool>,
    ) -> Self {
        Self { follower, death, dead: AtomicBool::new(false), workers: Mutex::default(), tally, hold }
    }

    /// Whether the worker has come to where it dies: it asks nothing more and hears nothing more.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// The identities under which the worker has lived.
    pub(crate) fn workers(&self) -> Vec<WorkerId> {
        lock(&self.workers).clone()
    }

    /// A commit is about to be sent (`true`) or was stored (`false`): does the worker die of it?
    fn commit_is(&self, sent: bool) {
        let mut death = lock(&self.death);
        let dies = match &mut *death {
            Some(Death::BeforeCommit(0)) if sent => true,
            Some(Death::AfterCommit(1)) if !sent => true,
            Some(Death::BeforeCommit(left)) if !sent => {
                *left = left.saturating_sub(1);
                false
            }
            Some(Death::AfterCommit(left)) if !sent => {
                *left = left.saturating_sub(1);
                false
            }
            _ => false,
        };
        if dies {
            *death = None;
            self.dead.store(true, Ordering::Release);
        }
    }

    async fn alive(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Wire for TesterWire {
    async fn before(&self, request: Request<'_>) -> Result<(), StoreError> {
        self.alive().await;
        if matches!(request, Request::Apply(batch) if has_commit(batch)) {
            // The tester goes with its wires: nothing waits here for ever.
            let _ = self.hold.clone().wait_for(|held| !held).await;
            self.commit_is(true);
            self.alive().await;
        }
        Ok(())
    }

    fn done(&self, done: Done<'_>) {
        match done {
            Done::Applied(batch, outcomes) => {
                if let Some(follower) = &self.follower {
                    follower.applied(batch, outcomes);
                }
                lock(&self.tally).note(batch);
                if has_commit(batch) {
                    self.commit_is(false);
                }
            }
            Done::Renewed(renewal) => {
                if matches!(renewal.action, LeaseAction::Register { .. }) {
                    lock(&self.workers).push(renewal.worker);
                }
            }
            Done::Claimed(..) => {}
        }
    }

    async fn after(&self, _request: Request<'_>) -> Result<(), StoreError> {
        self.alive().await;
        Ok(())
    }
}

/// The wire of whoever speaks to the store from outside.
pub(crate) struct OutsideWire {
    pub(crate) follower: Option<Arc<Follower>>,
    pub(crate) tally: Arc<Mutex<Tally>>,
}

impl Wire for OutsideWire {
    fn done(&self, done: Done<'_>) {
        let Done::Applied(batch, outcomes) = done else { return };
        lock(&self.tally).note(batch);
        if let Some(follower) = &self.follower {
            follower.applied(batch, outcomes);
        }
    }
}

fn has_commit(batch: &Batch) -> bool {
    batch.iter().any(|write| matches!(write, Write::Commit(_)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
