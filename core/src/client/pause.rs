//! Pausing a run, and letting it go on.

use std::sync::Arc;

use super::RunHandle;
use super::error::SendError;
use crate::history::{WorkflowPaused, WorkflowResumed};
use crate::vocabulary::RequestId;
use crate::workflow::Workflow;

impl<W: Workflow> RunHandle<W> {
    /// Pauses the open run: once it has taken this in, its code rests until it is [resumed](Self::resume).
    ///
    /// What comes meanwhile is taken in and recorded, and waits: signals, updates, a cancel request, the outcomes of
    /// activities, which run and are tried again as ever. No timer fires. When the run is resumed, all of that is applied
    /// in the order in which it came, at the time of the resumption. Queries answer from where the code rests, the limits
    /// of the run and of its activities go on, and a termination ends it at once. A run that is paused is listed as
    /// [`Paused`](crate::backend::StatusFilter::Paused). One that is parked, or that begins later, pauses when it goes on.
    ///
    /// Pausing a paused run changes nothing: one resumption is enough.
    ///
    /// # Errors
    /// [`SendError`].
    ///
    /// # Determinism
    /// Persists an event, as the resumption does; replay rests between the two as the run did.
    pub async fn pause(&self, reason: impl Into<Arc<str>>) -> Result<(), SendError> {
        self.pause_with(reason, self.client.fresh_request()).await
    }

    /// As [`pause`](Self::pause), under the caller's own request ID: sent again under it, it counts once.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn pause_with(
        &self,
        reason: impl Into<Arc<str>>,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        let paused = WorkflowPaused { request_id, reason: reason.into() };
        self.send(paused.into(), request_id).await.map(|_| ())
    }

    /// Lets a [paused](Self::pause) run go on; any other notices nothing.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn resume(&self) -> Result<(), SendError> {
        self.resume_with(self.client.fresh_request()).await
    }

    /// As [`resume`](Self::resume), under the caller's own request ID: sent again under it, it counts once.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn resume_with(&self, request_id: RequestId) -> Result<(), SendError> {
        self.send(WorkflowResumed { request_id }.into(), request_id).await.map(|_| ())
    }
}
