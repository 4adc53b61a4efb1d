//! What a run shows of itself, without being asked.
//!
//! Persisted with the commit of the workflow task that published it, in the run's row: whoever describes or lists runs
//! reads it, and the run sleeps on. No event, and never compared: replay publishes nothing again.

use serde::Serialize;

use super::{CallError, WorkflowContext};
use crate::vocabulary::Payload;

impl WorkflowContext {
    /// Shows this from now on to whoever describes or lists the run, also after its end; what was shown before is gone.
    /// Of what is published in one step, the last counts. A run that continues as new begins with nothing.
    ///
    /// # Errors
    /// [`CallError::Payload`] if it does not encode, or is too large; what was shown before stays.
    ///
    /// # Determinism
    /// Leaves no event, and may change in a deploy.
    #[track_caller]
    pub fn publish<T: Serialize + ?Sized>(&self, status: &T) -> Result<(), CallError> {
        let status = Payload::encode(status)?;
        self.world().publish(std::panic::Location::caller(), status);
        Ok(())
    }
}
