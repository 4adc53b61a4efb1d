//! Removing a closed run, with all that the store has of it.

use std::sync::Arc;
use std::time::Duration;

use super::error::ReadError;
use super::{Client, RunHandle};
use crate::backend::StoreError;
use crate::vocabulary::{RunKey, Timestamp};
use crate::workflow::Workflow;
use crate::write::{Refusal, Remove, Write};

/// A removal that did not happen.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// The run is open, or those who depend on it are not told of its end yet: terminate it, or try again soon.
    #[error("run {0} is open; only closed runs are removed")]
    Open(RunKey),
    /// The run could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store refuses it.
    #[error(transparent)]
    Refused(Refusal),
    /// The store did not answer before the deadline: whether it is removed is unknown. Try again.
    #[error("the store did not answer before the deadline; trying again is safe")]
    Unavailable(#[source] StoreError),
}

/// How many runs are removed in one batch.
const REMOVED_AT_ONCE: usize = 256;
/// How often a worker's retention is seen to while a run grows as old as it says.
const ROUNDS: u32 = 10;
/// The shortest time between two rounds.
const ROUND_MIN: Duration = Duration::from_secs(1);
/// The longest.
const ROUND_MAX: Duration = Duration::from_secs(3_600);

impl Client {
    /// Removes all runs of this client's namespace that closed longer ago than this, as
    /// [`RunHandle::remove`] does, those that closed first before others; answers how many. Retention: call it now and
    /// then, from one process or several, with the age that the namespace is to keep.
    ///
    /// What is closed but still has to tell others of its end stays until it has. Runs are found by an index and removed in
    /// batches, beside all other work; a call that is given up has removed some of them.
    ///
    /// # Errors
    /// [`RemoveError::Unavailable`] or [`RemoveError::Refused`]; call it again for the rest.
    pub async fn remove_closed(&self, older_than: Duration) -> Result<u64, RemoveError> {
        let age = i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(self.now().as_micros().saturating_sub(age));
        let (backend, namespace) = (&self.seams.backend, &self.seams.namespace);
        let mut removed = 0;
        loop {
            let found = self.by_deadline(|| backend.closed_before(namespace, before, REMOVED_AT_ONCE));
            let found = found.await.map_err(RemoveError::Unavailable)?;
            let is_last = found.len() < REMOVED_AT_ONCE;
            let batch: Arc<[Write]> = found.into_iter().map(|run| Write::Remove(Remove { run })).collect();
            let mut taken = 0;
            if !batch.is_empty() {
                let outcomes = self.by_deadline(|| backend.apply(batch.clone())).await;
                for outcome in outcomes.map_err(RemoveError::Unavailable)? {
                    match outcome {
                        Ok(_) => taken += 1,
                        // It is closed: only somebody's hand makes it look open.
                        Err(Refusal::RunOpen(run)) => tracing::warn!(%run, "a closed run is not removed"),
                        Err(refusal) => return Err(RemoveError::Refused(refusal)),
                    }
                }
            }
            removed += taken;
            if is_last || taken == 0 {
                return Ok(removed);
            }
        }
    }
}

/// Removes what closed longer ago than this, again and again, for as long as it is polled.
pub(crate) async fn keep_no_longer_than(client: Client, age: Duration) {
    let every = (age / ROUNDS).clamp(ROUND_MIN, ROUND_MAX);
    loop {
        match client.remove_closed(age).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "closed runs were removed, as their retention says"),
            Err(error) => tracing::warn!(%error, "closed runs could not be removed; trying again later"),
        }
        client.seams.clock.sleep(every).await;
    }
}

impl<W: Workflow> RunHandle<W> {
    /// Removes the run, which must be closed, for good: its history, its memo and attributes, its answers. Nothing but a
    /// copy elsewhere brings it back, and a start under the request ID that it was started with starts anew.
    ///
    /// A handle that means no one run removes the latest of its workflow ID. One run of a chain is removed, the others
    /// stay. A run that is not there any more is removed.
    ///
    /// # Errors
    /// [`RemoveError`].
    pub async fn remove(&self) -> Result<(), RemoveError> {
        let run = match self.run_id {
            Some(run_id) => self.key(run_id),
            None => self.describe().await?.run,
        };
        let outcome = self.client.apply(Write::Remove(Remove { run })).await;
        match outcome.map_err(RemoveError::Unavailable)? {
            Ok(_) => Ok(()),
            Err(Refusal::RunOpen(run)) => Err(RemoveError::Open(run)),
            Err(refusal) => Err(RemoveError::Refused(refusal)),
        }
    }
}
