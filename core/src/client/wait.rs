//! Waiting for a result: told by this process's worker where it runs the workflow, else by the store's changes.
//!
//! However many wait, one of them watches the store for all.

use std::convert::Infallible;
use std::sync::PoisonError;
use std::time::Duration;

use futures::future::{Either, select};

use super::error::{ReadError, ResultError};
use super::{Client, RunHandle};
use crate::around::ClientOperation;
use crate::backend::{Interest, RunInfo};
use crate::history::{EventKind, decode_kind};
use crate::vocabulary::{Payload, RunKey};
use crate::worker::{Waiter, Watch};
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
    /// Waits for the run to close and returns what its function returned. Follows runs that continue as new, are
    /// tried again or are reset.
    ///
    /// Cancel safe; it has no time limit of its own.
    ///
    /// # Errors
    /// [`ResultError`].
    pub async fn result(&self) -> Result<W::Output, ResultError> {
        Ok(self.result_payload().await?.decode()?)
    }

    /// As [`result`](Self::result), for what the function returned as it was encoded.
    ///
    /// # Errors
    /// [`ResultError`].
    pub async fn result_payload(&self) -> Result<Payload, ResultError> {
        let call = self.call(ClientOperation::AwaitResult);
        self.client.around(call, async |_| self.closed_with().await).await
    }

    async fn closed_with(&self) -> Result<Payload, ResultError> {
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
            if let Some(run_id) = closing.goes_on_as() {
                run = self.key(run_id);
                continue;
            }
            match closing {
                EventKind::WorkflowCompleted(body) => return Ok(body.result),
                EventKind::WorkflowFailed(body) => return Err(ResultError::Failed(body.failure.clone())),
                EventKind::WorkflowCancelled(_) => return Err(ResultError::Cancelled),
                EventKind::WorkflowTerminated(body) => return Err(ResultError::Terminated(body.reason)),
                EventKind::WorkflowTimedOut(body) => return Err(ResultError::TimedOut(body.limit)),
                _ => return Err(ReadError::NotFound.into()),
            }
        }
    }
}

impl Client {
    /// Waits for a run's closing event. `fresh` says that the waiter was there before the run was.
    async fn closing(&self, mut waiter: Waiter, run: &RunKey, fresh: bool) -> Result<EventKind, ReadError> {
        if !fresh && let Some(kind) = self.closing_in_store(run).await? {
            return Ok(kind);
        }
        let told = std::pin::pin!(waiter.closed());
        let watch = std::pin::pin!(self.watch());
        match select(told, watch).await {
            Either::Left((Some(kind), _)) => Ok(kind),
            // Its closing event could not be read; whoever asks is told why.
            Either::Left((None, _)) => self.closing_in_store(run).await?.ok_or(ReadError::NotFound),
            Either::Right((never, _)) => match never {},
        }
    }

    async fn closing_in_store(&self, run: &RunKey) -> Result<Option<EventKind>, ReadError> {
        let infos = self.look(std::slice::from_ref(run)).await?;
        let info = infos.into_iter().next().flatten().ok_or(ReadError::NotFound)?;
        self.closing_of(&info)
    }

    /// Watches the store for all who wait in this process, as long as nobody else does.
    async fn watch(&self) -> Infallible {
        let seams = &self.seams;
        let mut watch = seams.closings.watch.lock().await;
        loop {
            self.rest(&watch).await;
            let seen = seams.backend.changed(Interest::Closings, watch.seen).await;
            let began = seams.clock.elapsed();
            let (runs, all_here) = seams.closings.awaited();
            // Whoever watches may be told, and go, in the middle of the look: the next one then looks again, but rests.
            (watch.looked_at, watch.rest, watch.all_here) = (began, REST_MIN, all_here);
            for runs in runs.chunks(LOOK_MAX) {
                match self.look(runs).await {
                    Ok(found) => runs.iter().zip(found).for_each(|(run, info)| self.tell(run, info)),
                    // The store is silent: who waits goes on waiting.
                    Err(error) => tracing::debug!(%error, "the store could not be watched"),
                }
            }
            watch.seen = seen;
            watch.looked_at = seams.clock.elapsed();
            watch.rest = (watch.looked_at.saturating_sub(began) * REST_FACTOR).max(REST_MIN);
        }
    }

    /// Rests what is left of the rest after the last look, whoever looked.
    async fn rest(&self, watch: &Watch) {
        let (clock, closings) = (&self.seams.clock, &self.seams.closings);
        let told_anyway = watch.all_here && !closings.new_elsewhere();
        let rest = if told_anyway { watch.rest.max(REST_HERE) } else { watch.rest };
        let left = (watch.looked_at + rest).saturating_sub(clock.elapsed());
        if !left.is_zero() {
            clock.sleep(left).await;
        }
    }

    /// Tells who waits for a run what the watcher saw of it.
    fn tell(&self, run: &RunKey, info: Option<RunInfo>) {
        // A run may be awaited before its start is stored.
        let Some(info) = info else { return };
        match self.closing_of(&info) {
            Ok(Some(kind)) => self.seams.closings.closed(run.run_id, &kind),
            Ok(None) => {}
            Err(_) => self.seams.closings.unreadable(run.run_id),
        }
    }

    async fn look(&self, runs: &[RunKey]) -> Result<Vec<Option<RunInfo>>, ReadError> {
        let targets: Vec<Target> = runs.iter().cloned().map(Target::from).collect();
        let read = || self.seams.backend.describe(&targets);
        self.by_deadline(read).await.map_err(ReadError::Unavailable)
    }

    /// The closing event of a run that is closed.
    fn closing_of(&self, info: &RunInfo) -> Result<Option<EventKind>, ReadError> {
        let outcome = info.outcome.as_ref();
        Ok(outcome.map(|bytes| decode_kind(bytes, self.seams.codec.as_ref())).transpose()?)
    }
}
