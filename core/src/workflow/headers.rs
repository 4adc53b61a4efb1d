//! Headers: what travels with a run, with the messages to it, and with all that it calls.
//!
//! Persisted in the events of the start, the messages and the calls; read from there at replay, and never compared.

use super::WorkflowContext;
use crate::vocabulary::{Headers, PayloadError, Propagated};

impl WorkflowContext {
    /// What travels with the calls that are made through this context: what the run was started with; in the handler of
    /// an update or a signal, what that was sent with, in its place.
    ///
    /// # Determinism
    /// From the event of the start, or of the message: the same at each replay.
    #[must_use]
    pub fn headers(&self) -> Headers {
        let of_run = || self.world().started().map(|started| started.headers.clone());
        self.headers_here().cloned().or_else(of_run).unwrap_or_default()
    }

    /// The value of type `T` among the [headers](Self::headers): who started the run, on whose behalf.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] if what travels under its name is no `T`.
    ///
    /// # Determinism
    /// As for [`headers`](Self::headers).
    pub fn propagated<T: Propagated>(&self) -> Result<Option<T>, PayloadError> {
        self.headers().find()
    }

    /// A context whose calls carry these headers, in place of the run's.
    ///
    /// # Determinism
    /// Kept in the events of the calls, where they go on to apply after a change of the code; never compared.
    #[must_use]
    pub fn with_headers(&self, headers: Headers) -> Self {
        self.carrying(headers)
    }
}
