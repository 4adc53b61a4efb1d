//! Waiting for a result: told by this process's worker where it runs the workflow, else by the store's changes.
//!
//! However many wait, one of them watches the store for all.

use std::sync::PoisonError;
use std::time::Duration;

use futures::future::{Either, select};

use super::error::{ReadError, ResultError};
use super::{Client, RunHandle};
use crate::backend::{Interest, RunInfo};
use crate::history::{EventKind, decode_kind};
use crate::vocabulary::RunKey;
use crate::worker::Waiter;
use crate::workflow::Workflow;
use crate::write::Target;

/// How much longer the watcher rests than its look took, so that looking costs a tenth of one thread at most.
const REST_FACTOR: u32 = 9;
/// The shortest rest.
const REST_MIN: Duration = Duration::from_millis(1);
/// The rest while all that is awaited runs in this process, and would be told of anyway.
const REST_HERE: Duration = Duration::from_secs(1);
/// How many runs are looked at in one read.
const LOOK_MAX: usize = 500;

impl<W: Workflow> RunHandle<W> {
    /// Waits for the run to close and returns what its function returned. Follows runs that continue as new.
    ///
    /// Cancel safe; it has no time limit of its own.
    ///
    /// # Errors
    /// [`ResultError`].
    pub async fn result(&self) -> Result<W::Output, ResultError> {
        let mut waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut run = match self.run_id {
            Some(run_id) => self.key(run_id),
            None => self.describe().await?.run,
        };
        loop {
            let closing = match waiter.take() {
                Some(waiter) => self.client.closing(waiter, &run, true).await?,
                None => {
                    let waiter = self.client.seams.closings.register(&run, false);
                    self.client.closing(waiter, &run, false).await?
                }
            };
            match closing {
                EventKind::WorkflowCompleted(body) => return Ok(body.result.decode()?),
                EventKind::WorkflowFailed(body) => return Err(ResultError::Failed(body.failure)),
                EventKind::WorkflowCancelled(_) => return Err(ResultError::Cancelled),
                EventKind::WorkflowTerminated(body) => return Err(ResultError::Terminated(body.reason)),
                EventKind::WorkflowContinuedAsNew(body) => run = self.key(body.new_run_id),
                _ => return Err(ReadError::NotFound.into()),
            }
        }
    }
}

impl Client {
    /// Waits for a run's closing event.
    async fn closing(&self, mut waiter: Waiter, run: &RunKey, fresh: bool) -> Result<EventKind, ReadError> {
        if !fresh && let Some(kind) = self.look(std::slice::from_ref(run)).await?.into_iter().flatten().next()
        {
            return Ok(kind);
        }
        let told = std::pin::pin!(waiter.closed());
        let watch = std::pin::pin!(self.watch());
        match select(told, watch).await {
            Either::Left((Some(kind), _)) => Ok(kind),
            Either::Left((None, _)) => Err(ReadError::NotFound),
            Either::Right((error, _)) => Err(error),
        }
    }

    /// Watches the store for all who wait in this process, as long as nobody else does. Ends only with an error.
    async fn watch(&self) -> ReadError {
        let seams = &self.seams;
        let mut seen = seams.closings.watch.lock().await;
        loop {
            *seen = seams.backend.changed(Interest::Closings, *seen).await;
            let began = seams.clock.elapsed();
            let (runs, all_here) = seams.closings.awaited();
            for runs in runs.chunks(LOOK_MAX) {
                match self.look(runs).await {
                    Ok(found) => {
                        for (run, kind) in runs.iter().zip(found) {
                            kind.iter().for_each(|kind| seams.closings.closed(run.run_id, kind));
                        }
                    }
                    // The store is silent: who waits goes on waiting.
                    Err(ReadError::Unavailable(error)) => {
                        tracing::debug!(%error, "the store could not be watched")
                    }
                    Err(error) => return error,
                }
            }
            let took = seams.clock.elapsed().saturating_sub(began);
            let rest = if all_here { REST_HERE } else { (took * REST_FACTOR).max(REST_MIN) };
            seams.clock.sleep(rest).await;
        }
    }

    /// The closing events of those of the runs that are closed.
    async fn look(&self, runs: &[RunKey]) -> Result<Vec<Option<EventKind>>, ReadError> {
        let targets: Vec<Target> = runs.iter().cloned().map(Target::from).collect();
        let read = || self.seams.backend.describe(&targets);
        let infos = self.by_deadline(read).await.map_err(ReadError::Unavailable)?;
        infos.into_iter().map(|info| self.closing_of(info)).collect()
    }

    fn closing_of(&self, info: Option<RunInfo>) -> Result<Option<EventKind>, ReadError> {
        let info = info.ok_or(ReadError::NotFound)?;
        let outcome = info.outcome.as_ref();
        Ok(outcome.map(|bytes| decode_kind(bytes, self.seams.codec.as_ref())).transpose()?)
    }
}
