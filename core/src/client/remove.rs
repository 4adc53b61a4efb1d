//! Removing a closed run, with all that the store has of it.

use super::RunHandle;
use super::error::ReadError;
use crate::backend::StoreError;
use crate::vocabulary::RunKey;
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
