//! Group commit: while one batch is being committed new ones gather, and the next transaction takes them all.
//!
//! A few lanes, each with a task and a connection of its own. A batch goes into the lane of its first workflow ID, so
//! that writes of one run rarely wait for each other's locks; nothing but speed depends on it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures::channel::oneshot;
use retell::backend::{StoreError, StoreErrorKind};
use retell::write::{Batch, Errand, Next, Outcome, Start, Write};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::batch::{Batched, apply_jobs};
use crate::fault::{Fault, FaultKind};
use crate::session::Driver;
use crate::store::Shared;

/// The most writes in one transaction, about: gathering ends with the batch that reaches it.
const WRITES_MAX: usize = 1_024;
/// The most bytes in one transaction, about.
const BYTES_MAX: usize = 16 << 20;

/// A batch that waits, and where its answer goes.
struct Job {
    batch: Batch,
    reply: oneshot::Sender<Result<Vec<Outcome>, StoreError>>,
}

/// The lanes of a store.
#[derive(Debug)]
pub(crate) struct Lanes(Vec<UnboundedSender<Job>>);

impl Lanes {
    /// Opens one lane for each of these rows of `pulses`.
    pub(crate) fn open<D: Driver>(shared: &Arc<Shared<D>>, pulses: impl IntoIterator<Item = i64>) -> Self {
        let open = |pulse| {
            let (jobs, waiting) = unbounded_channel();
            tokio::spawn(drive(shared.clone(), pulse, waiting));
            jobs
        };
        Self(pulses.into_iter().map(open).collect())
    }

    /// Applies a batch with whatever waits beside it.
    pub(crate) async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Closed, "apply");
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let mut hasher = DefaultHasher::new();
        workflow_id(first).hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % self.0.len() as u64).unwrap_or(0);
        let (reply, answer) = oneshot::channel();
        self.0[lane].send(Job { batch, reply }).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

fn workflow_id(write: &Write) -> &str {
    match write {
        Write::Start(start) => start.run.workflow_id.as_str(),
        Write::Send(send) => send.target.workflow_id.as_str(),
        Write::Terminate(terminate) => terminate.target.workflow_id.as_str(),
        Write::Commit(commit) => commit.run.workflow_id.as_str(),
        Write::Remove(remove) => remove.run.workflow_id.as_str(),
        Write::Activity(report) => report.run.workflow_id.as_str(),
    }
}

/// Works for as long as the store is there, and until all that waited is answered.
async fn drive<D: Driver>(shared: Arc<Shared<D>>, pulse: i64, mut waiting: UnboundedReceiver<Job>) {
    let mut session = None;
    while let Some(first) = waiting.recv().await {
        let jobs = gather(first, &mut waiting);
        let writes: Vec<&Write> = jobs.iter().flat_map(|job| job.batch.iter()).collect();
        match commit(&shared, pulse, &mut session, &writes).await {
            Ok(Batched { outcomes, heard, .. }) => {
                shared.announce(heard);
                let mut outcomes = outcomes.into_iter();
                for job in jobs {
                    let own = outcomes.by_ref().take(job.batch.len()).collect();
                    // A caller that is gone no longer wants to know.
                    let _ = job.reply.send(Ok(own));
                }
            }
            Err(fault) => {
                let error = fault.during("apply");
                for job in jobs {
                    let _ = job.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

/// Commits on the lane's connection; once more on another one if that is gone, since applying again is safe.
async fn commit<D: Driver>(
    shared: &Shared<D>,
    pulse: i64,
    kept: &mut Option<D::Session>,
    writes: &[&Write],
) -> Result<Batched, Fault> {
    let cx = shared.context(Some(pulse));
    let mut again = kept.is_some();
    loop {
        let mut session = match kept.take() {
            Some(session) => session,
            None => shared.driver.writer().await?,
        };
        match apply_jobs(&mut session, cx, writes).await {
            Ok(batched) => {
                shared.count_commit();
                *kept = Some(session);
                return Ok(batched);
            }
            Err(fault) if fault.kind == FaultKind::Lost && again => again = false,
            // Whatever state the connection is in, it is not used again.
            Err(fault) => return Err(fault),
        }
    }
}

/// Takes what waits, up to about the limits.
fn gather(first: Job, waiting: &mut UnboundedReceiver<Job>) -> Vec<Job> {
    let size = |job: &Job| job.batch.iter().map(bytes).sum::<usize>();
    let (mut writes, mut gathered_bytes) = (first.batch.len(), size(&first));
    let mut gathered = vec![first];
    while writes < WRITES_MAX && gathered_bytes < BYTES_MAX {
        let Ok(job) = waiting.try_recv() else { break };
        writes += job.batch.len();
        gathered_bytes += size(&job);
        gathered.push(job);
    }
    gathered
}

/// What a write weighs, its small parts aside.
fn bytes(write: &Write) -> usize {
    match write {
        Write::Start(start) => started(start),
        Write::Send(send) => send.message.body.len(),
        Write::Terminate(_) | Write::Remove(_) | Write::Activity(_) => 0,
        Write::Commit(commit) => {
            let record = commit.record.as_ref().map_or(0, |record| record.bytes.len());
            let closing = if let Next::Closed { outcome, .. } = &commit.next { outcome.len() } else { 0 };
            let tasks: usize = commit.schedule.iter().map(|task| task.call.len()).sum();
            let sent = commit.outgoing.iter().map(|outgoing| match &outgoing.errand {
                Errand::Send(send) => send.message.body.len(),
                Errand::Start(start) => started(start),
                Errand::Terminate(_) => 0,
            });
            record + closing + tasks + sent.sum::<usize>()
        }
    }
}

fn started(start: &Start) -> usize {
    start.record.bytes.len() + start.copied.iter().map(|record| record.bytes.len()).sum::<usize>()
}
