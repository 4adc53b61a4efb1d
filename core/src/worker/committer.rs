//! The committer: applies batches until their outcome is known, and starts what waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::activities::Job;
use super::admission;
use super::context::{Context, Life};
use super::exchange::Input;
use super::first_task::FirstTask;
use super::thread::Shards;
use crate::backend::{StoreError, StoreErrorKind};
use crate::history::EventKind;
use crate::host::Role;
use crate::vocabulary::{FencingToken, RequestId, RunId};
use crate::write::{Applied, Batch, Outcome, Refusal, Write};

/// The wait before a batch is applied again after a store's fault, doubled each time.
const AGAIN_AFTER: Duration = Duration::from_millis(5);
/// The longest such wait.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);

/// What follows the outcome of a write.
pub(super) struct Ticket {
    pub(super) run_id: RunId,
    pub(super) token: FencingToken,
    /// Whom to tell of a start's outcome.
    pub(super) started: Option<oneshot::Sender<Outcome>>,
    /// What may begin when it is applied.
    pub(super) jobs: Vec<Job>,
    /// The event that closes the run.
    pub(super) closing: Option<Box<EventKind>>,
    /// The first task of the run that continues this one.
    pub(super) successor: Option<Box<FirstTask>>,
    /// The first tasks of children that may begin here.
    pub(super) children: Vec<FirstTask>,
    /// Whether the shard waits for this outcome.
    pub(super) of_commit: bool,
}

impl Ticket {
    /// The ticket of a commit of this run.
    pub(super) fn new(run_id: RunId, token: FencingToken) -> Self {
        Self {
            run_id,
            token,
            started: None,
            jobs: Vec::new(),
            closing: None,
            successor: None,
            children: Vec::new(),
            of_commit: true,
        }
    }
}

/// A write and what follows it.
pub(super) struct Order {
    pub(super) write: Write,
    pub(super) ticket: Ticket,
}

/// Has a shard's orders applied in one batch, and the outcomes carried out.
pub(super) fn carry_out(
    cx: Arc<Context>,
    life: Arc<Life>,
    shards: Arc<Shards>,
    shard: usize,
    orders: Vec<Order>,
) {
    let carried = Carried::begin(&shards);
    let mut tickets = Vec::with_capacity(orders.len());
    let ordered = |Order { write, ticket }| {
        tickets.push(ticket);
        identified(&cx, write)
    };
    let batch: Batch = orders.into_iter().map(ordered).collect();
    cx.clone().home.begin(Role::Engine, async move {
        let _carried = carried;
        let Ok(outcomes) = apply_until_known(&cx, batch.clone()).await else { return };
        let outcomes = tickets.into_iter().zip(outcomes).zip(batch.iter());
        follow(&cx, &life, &shards, shard, outcomes);
    });
}

/// Tells the outcomes of writes, and starts what waited for them.
fn follow<'batch>(
    cx: &Arc<Context>,
    life: &Life,
    shards: &Arc<Shards>,
    shard: usize,
    outcomes: impl ExactSizeIterator<Item = ((Ticket, Outcome), &'batch Write)>,
) {
    let alive = life.holds_at(cx.clock.elapsed());
    let mut told = Vec::with_capacity(outcomes.len());
    let mut jobs = Vec::new();
    let mut successors = Vec::new();
    for ((mut ticket, outcome), write) in outcomes {
        if outcome.is_ok() {
            if let Write::Commit(commit) = write {
                cx.answers.committed(commit);
            }
            jobs.append(&mut ticket.jobs);
            successors.extend(ticket.successor.take().map(|first_task| *first_task));
            if let Ok(Applied::Committed { started, .. }) = &outcome {
                let begun = std::mem::take(&mut ticket.children).into_iter();
                successors.extend(begun.filter(|child| started.contains(&child.run.run_id)));
            }
            if let Some(kind) = &ticket.closing {
                cx.closings.closed(ticket.run_id, kind);
            }
        }
        if let Some(started) = ticket.started {
            // A client that is gone no longer wants to know.
            let _ = started.send(outcome);
        } else if ticket.of_commit {
            told.push((ticket.run_id, ticket.token, outcome));
        }
    }
    shards.send(shard, Input::Outcomes(life.worker, told));
    if !alive {
        cx.lease_lost.notify_one();
        return;
    }
    successors.into_iter().for_each(|first_task| shards.begin(first_task));
    admission::start(cx, life, shards, jobs);
}

/// A commit without a record is told from itself, when it is applied again, by a request ID: a row that it queued may
/// have come and gone since.
fn identified(cx: &Context, mut write: Write) -> Write {
    if let Write::Commit(commit) = &mut write {
        let does_more =
            !(commit.schedule.is_empty() && commit.ended.is_empty() && commit.outgoing.is_empty());
        let unnamed = commit.record.is_none() && does_more;
        commit.request_id = unnamed.then(|| RequestId(cx.home.fresh_id()));
    }
    write
}

/// A batch that is under way until this is dropped.
struct Carried(Arc<Shards>);

impl Carried {
    fn begin(shards: &Arc<Shards>) -> Self {
        shards.carrying.fetch_add(1, Ordering::AcqRel);
        Self(shards.clone())
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.carrying.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Applies a batch again and again until the store says what became of it. Where it finds damage, the batch is split
/// until the write that meets it is found; that one is refused, and the others go through (promise H10).
///
/// # Errors
/// The store's error if it was closed by this program, or if the worker has ended.
pub(crate) async fn apply_until_known(cx: &Context, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
    let mut wait = AGAIN_AFTER;
    loop {
        match cx.backend.apply(batch.clone()).await {
            Ok(outcomes) => {
                if wait > AGAIN_AFTER {
                    cx.store_answered();
                }
                return Ok(outcomes);
            }
            Err(error) if error.kind == StoreErrorKind::Closed || cx.is_stopped() => return Err(error),
            Err(StoreError { kind: StoreErrorKind::Damaged(reason), .. }) if batch.len() == 1 => {
                return Ok(vec![Err(Refusal::Invalid(reason))]);
            }
            Err(error) if matches!(error.kind, StoreErrorKind::Damaged(_)) => {
                tracing::error!(%error, writes = batch.len(), "a batch meets damaged data; applying it in parts");
                let (front, back) = batch.split_at(batch.len() / 2);
                let mut outcomes = Box::pin(apply_until_known(cx, front.into())).await?;
                outcomes.extend(Box::pin(apply_until_known(cx, back.into())).await?);
                return Ok(outcomes);
            }
            Err(error) => {
                cx.store_failed(&error);
                cx.nap(wait).await;
                wait = (wait * 2).min(AGAIN_AFTER_MAX);
            }
        }
    }
}
