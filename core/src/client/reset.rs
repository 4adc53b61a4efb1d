//! Resetting a run: a new run of its workflow ID begins as a copy of its history, and goes on from there.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::error::ReadError;
use super::{Client, RunHandle};
use crate::backend::{RunInfo, RunStatus, StoreError};
use crate::commit::{self, Reset, ResetFault, reset_points};
use crate::history::{Event, HistoryError, WorkflowTerminated, decode_record};
use crate::replay::TaskError;
use crate::vocabulary::{EventId, RequestId, RunId, RunKey};
use crate::worker::replays;
use crate::workflow::Workflow;
use crate::write::{Applied, IdConflictPolicy, Refusal, Replacement, Start, Write};

/// The wait before a run that has gone on meanwhile is read again.
const AGAIN_AFTER: Duration = Duration::from_millis(5);

/// A reset that did not happen. Nothing of the run has changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// The run cannot go on from there.
    #[error(transparent)]
    Point(ResetFault),
    /// The code that is registered here does not follow the history so far, or had come to its end: choose an earlier
    /// event, or deploy code that follows.
    #[error("the code does not go on from there: {0}")]
    Replay(TaskError),
    /// Another run of the workflow ID is open: reset that one, or terminate it first.
    #[error("run {0} of the same workflow ID is open")]
    OtherRunOpen(RunKey),
    /// The run could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store cannot keep the new run.
    #[error(transparent)]
    Refused(Refusal),
    /// The run goes on faster than it can be copied: pause it, and reset it then.
    #[error("the run has gone on with each try")]
    Advancing,
    /// The store did not answer before the deadline: whether the run is reset is unknown. Reset it again under the same
    /// request ID; nothing happens twice.
    #[error(
        "the store did not answer before the deadline; resetting again under the same request ID is safe"
    )]
    Unavailable(#[source] StoreError),
    /// This process is shutting down.
    #[error("the process is shutting down")]
    Stopped,
}

impl From<ResetFault> for ResetError {
    fn from(fault: ResetFault) -> Self {
        Self::Point(fault)
    }
}

/// A reset that is sent when it is awaited; gives a handle on the new run.
#[must_use = "nothing is reset until this is awaited"]
pub struct ResetCall<W: Workflow> {
    handle: RunHandle<W>,
    to: EventId,
    reason: Arc<str>,
    request_id: RequestId,
}

impl<W: Workflow> RunHandle<W> {
    /// Resets the run, open or closed, to one of its events: a new run of the workflow ID begins as a copy of its history
    /// up to there, and goes on. [`reset_points`](Self::reset_points) says which events it can be: the last one of any
    /// step, and event 1, which begins again with the same input and today's code.
    ///
    /// If the run is open, it is terminated with this reason, in the same step; whoever waits for its result waits for the
    /// new run's. Signals that it was sent after that event, and updates that it has not answered, are sent to the new
    /// run once more, in order; what it had not taken in follows. Cancel requests, and pauses, are not. Timers go on;
    /// activities that were open then are scheduled again, under the new run, and so under other idempotency keys; their
    /// limits count from when they were first scheduled. The run timeout begins anew. What activities have done after the
    /// event stays done, and is not heard of.
    ///
    /// Where this process has the workflow's code, the copy is first told to it.
    ///
    /// # Determinism
    /// The code sees the copied part as that of the first run: its run ID, its random numbers. From the reset on it sees
    /// the new run's, and the time of the reset.
    pub fn reset(&self, to: EventId, reason: impl Into<Arc<str>>) -> ResetCall<W> {
        let handle = RunHandle::new(self.client.clone(), self.workflow_id.clone(), self.run_id);
        ResetCall { handle, to, reason: reason.into(), request_id: self.client.fresh_request() }
    }

    /// The events that the run can be [reset](Self::reset) to, in order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn reset_points(&self) -> Result<Vec<EventId>, ReadError> {
        Ok(reset_points(&self.history().await?))
    }
}

impl<W: Workflow> ResetCall<W> {
    /// The identity of this call: sent again under it, it returns the run that it made first, for at least a day.
    pub fn request_id(mut self, request_id: RequestId) -> Self {
        self.request_id = request_id;
        self
    }

    async fn send(self) -> Result<RunHandle<W>, ResetError> {
        let client = &self.handle.client;
        let clock = &client.seams.clock;
        let give_up = clock.elapsed() + client.deadline;
        let mut checked = false;
        loop {
            let info = self.handle.describe().await?;
            let events = client.events(&info.run).await?;
            let start = self.prepare(&info, &events)?;
            if !std::mem::replace(&mut checked, true) {
                self.check(&info, &events).await?;
            }
            let outcome = client.apply(Write::from(start)).await.map_err(ResetError::Unavailable)?;
            match outcome {
                Ok(Applied::Started { run, .. }) => return Ok(self.begun(&info, run.run_id)),
                Ok(_) => {
                    let other = "the request ID is that of another kind of request";
                    return Err(ResetError::Refused(Refusal::Invalid(other.to_owned())));
                }
                Err(Refusal::IdTaken(existing)) => return Err(ResetError::OtherRunOpen(existing.run)),
                Err(Refusal::RunAdvanced { run, .. }) if run != info.run => {
                    return Err(ResetError::OtherRunOpen(run));
                }
                Err(Refusal::RunAdvanced { .. }) if clock.elapsed() + AGAIN_AFTER >= give_up => {
                    return Err(ResetError::Advancing);
                }
                Err(Refusal::RunAdvanced { .. }) => clock.sleep(AGAIN_AFTER).await,
                Err(refusal) => return Err(ResetError::Refused(refusal)),
            }
        }
    }

    /// The new run as the history stands.
    fn prepare(&self, info: &RunInfo, events: &[Event]) -> Result<Start, ResetError> {
        let client = &self.handle.client;
        let (codec, at) = (client.seams.codec.as_ref(), client.now());
        let reset = Reset {
            from: info.run.clone(),
            to: self.to,
            run_id: RunId(client.seams.home.fresh_id()),
            reason: self.reason.clone(),
            request_id: self.request_id,
            at,
        };
        let mut start = commit::reset(&reset, events, codec)?;
        start.task_queue = info.task_queue.clone();
        if info.status == RunStatus::Running {
            let (reason, reset_as) = (self.reason.clone(), Some(reset.run_id));
            let closing = commit::closing_event(WorkflowTerminated { reason, reset_as }, at, codec);
            let closing = closing.map_err(ResetFault::History)?;
            let head = EventId(events.len() as u64);
            let replacement = Replacement { run: info.run.run_id, head, closing, at };
            start.conflict = IdConflictPolicy::ReplaceExisting(replacement);
        }
        Ok(start)
    }

    /// Tells the part that is to be copied to the code, if this process has it.
    async fn check(&self, info: &RunInfo, events: &[Event]) -> Result<(), ResetError> {
        let client = &self.handle.client;
        let Some(definition) = client.seams.workflows.get(&info.workflow).cloned() else { return Ok(()) };
        if self.to == EventId(1) {
            return Ok(());
        }
        let copied = events.iter().take_while(|event| event.id <= self.to).cloned().collect();
        let run = info.run.clone();
        let check = move || replays(definition, run, copied);
        let checked = client.seams.home.run_workflow_code(check).await.ok_or(ResetError::Stopped)?;
        checked.map_err(ResetError::Replay)
    }

    /// Tells this process of the end of the run that was replaced.
    fn begun(&self, replaced: &RunInfo, run_id: RunId) -> RunHandle<W> {
        let seams = &self.handle.client.seams;
        if replaced.status == RunStatus::Running && replaced.run.run_id != run_id {
            let terminated = WorkflowTerminated { reason: self.reason.clone(), reset_as: Some(run_id) };
            seams.closings.closed(replaced.run.run_id, &terminated.into());
            if let Some(local) = &seams.local {
                local.shards.terminated(replaced.run.run_id);
            }
        }
        RunHandle::new(self.handle.client.clone(), self.handle.workflow_id.clone(), Some(run_id))
    }
}

impl<W: Workflow> IntoFuture for ResetCall<W> {
    type Output = Result<RunHandle<W>, ResetError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<W: Workflow> fmt::Debug for ResetCall<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResetCall")
            .field("handle", &self.handle)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A run's whole history.
    pub(super) async fn events(&self, run: &RunKey) -> Result<Vec<Event>, ReadError> {
        let codec = self.seams.codec.as_ref();
        let records = self.records(run).await?;
        let events: Result<Vec<_>, HistoryError> =
            records.iter().map(|record| decode_record(record, codec)).collect();
        Ok(events?.into_iter().flatten().collect())
    }
}
