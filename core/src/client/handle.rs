//! A handle on a run: what can be said to it and asked of it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Client;
use super::error::{ReadError, SendError};
use crate::around::{ClientCall, ClientOperation};
use crate::backend::RunInfo;
use crate::commit;
use crate::history::{
    Event, EventKind, Record, SignalReceived, WorkflowCancelRequested, WorkflowTerminated, encode_kind,
};
use crate::vocabulary::{EventId, Headers, Payload, RequestId, RunId, RunKey, SignalName, WorkflowId};
use crate::worker::Waiter;
use crate::workflow::{NamesSignal, Workflow};
use crate::write::{Applied, NewMessage, Outcome, Refusal, Send, Target, Terminate, Write};

/// How many bytes of history are read at a time.
const PAGE_BYTES: usize = 1024 * 1024;

/// A run of `W`, or the open run of a workflow ID.
pub struct RunHandle<W: Workflow> {
    pub(super) client: Client,
    pub(super) workflow_id: WorkflowId,
    pub(super) run_id: Option<RunId>,
    /// Registered before the run could close.
    pub(super) waiter: Mutex<Option<Waiter>>,
    workflow: PhantomData<fn() -> W>,
}

impl<W: Workflow> RunHandle<W> {
    pub(super) fn new(client: Client, workflow_id: WorkflowId, run_id: Option<RunId>) -> Self {
        Self { client, workflow_id, run_id, waiter: Mutex::new(None), workflow: PhantomData }
    }

    pub(super) fn waiting(self, waiter: Option<Waiter>) -> Self {
        *self.waiter.lock().unwrap_or_else(PoisonError::into_inner) = waiter;
        self
    }

    /// The workflow ID.
    #[must_use]
    pub fn workflow_id(&self) -> &WorkflowId {
        &self.workflow_id
    }

    /// The run, or `None` if this handle means whichever is open.
    #[must_use]
    pub fn run_id(&self) -> Option<RunId> {
        self.run_id
    }

    /// The same workflow ID, bound to one of its runs.
    #[must_use]
    pub fn with_run(self, run_id: RunId) -> Self {
        Self { run_id: Some(run_id), waiter: Mutex::new(None), ..self }
    }

    /// The same run, or workflow ID, spoken to by another client of the same namespace: one whose process lives longer.
    #[must_use]
    pub fn through(self, client: Client) -> Self {
        Self { client, waiter: Mutex::new(None), ..self }
    }

    /// A handle on the same run, whose calls carry these headers in place of the client's.
    #[must_use]
    pub fn with_headers(&self, headers: Headers) -> Self {
        Self::new(self.client.clone().with_headers(headers), self.workflow_id.clone(), self.run_id)
    }

    /// Sends a signal: a [`SignalType`](crate::workflow::SignalType), or a name. Once it returns, the signal is durably
    /// stored and will be taken in exactly once, in order.
    ///
    /// It goes to the open run of the workflow ID, also if the run of this handle has continued as new.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn signal<T: Serialize + ?Sized>(
        &self,
        signal: impl NamesSignal<T>,
        value: &T,
    ) -> Result<(), SendError> {
        self.signal_with(signal, value, self.client.fresh_request()).await
    }

    /// As [`signal`](Self::signal), under the caller's own request ID: sent again under it, it counts once.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn signal_with<T: Serialize + ?Sized>(
        &self,
        signal: impl NamesSignal<T>,
        value: &T,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        let signal = signal.signal_name()?;
        self.signal_payload(signal, Payload::encode(value)?, request_id).await
    }

    /// As [`signal_with`](Self::signal_with), for a value that is encoded already: one that came over a wire.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn signal_payload(
        &self,
        signal: SignalName,
        input: Payload,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        let call = self.call(ClientOperation::Signal(signal.clone()));
        let send = async |headers| {
            self.send(SignalReceived { signal, input, request_id, headers }.into(), request_id)
                .await
                .map(|_| ())
        };
        self.client.around(call, send).await
    }

    /// Asks the run to cancel: each await of its code ends with an error once. What it makes of that is its own affair.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn cancel(&self, reason: impl Into<Arc<str>>) -> Result<(), SendError> {
        self.cancel_with(reason, self.client.fresh_request()).await
    }

    /// As [`cancel`](Self::cancel), under the caller's own request ID.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn cancel_with(
        &self,
        reason: impl Into<Arc<str>>,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        let request = WorkflowCancelRequested { request_id, reason: reason.into(), child: None };
        let send = async |_| self.send(request.into(), request_id).await.map(|_| ());
        self.client.around(self.call(ClientOperation::Cancel), send).await
    }

    /// Ends the open run at once, without asking its code. What it runs is stopped, what it has not read is dropped.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn terminate(&self, reason: impl Into<Arc<str>>) -> Result<(), SendError> {
        self.terminate_with(reason, self.client.fresh_request()).await
    }

    /// As [`terminate`](Self::terminate), under the caller's own request ID: sent again under it, it ends no other run.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn terminate_with(
        &self,
        reason: impl Into<Arc<str>>,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        let terminated = WorkflowTerminated { reason: reason.into(), reset_as: None };
        let end = async |_| self.end(terminated, request_id).await;
        self.client.around(self.call(ClientOperation::Terminate), end).await
    }

    async fn end(&self, terminated: WorkflowTerminated, request_id: RequestId) -> Result<(), SendError> {
        let (seams, at) = (&self.client.seams, self.client.now());
        let closing =
            commit::closing_event(terminated.clone(), at, seams.codec.as_ref()).map_err(SendError::Codec)?;
        let write = Terminate { target: self.open_run(), request_id, closing, at };
        let outcome = self.client.apply(Write::Terminate(write)).await.map_err(SendError::Unavailable)?;
        if let Applied::Terminated(run) = outcome.map_err(SendError::of)? {
            seams.closings.closed(run.run_id, &terminated.into());
            if let Some(local) = &seams.local {
                local.shards.terminated(run.run_id);
            }
        }
        Ok(())
    }

    /// The run as it stands. Reads no history.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn describe(&self) -> Result<RunInfo, ReadError> {
        let targets = [self.target()];
        let read = || self.client.seams.backend.describe(&targets);
        let described = self.client.by_deadline(read).await.map_err(ReadError::Unavailable)?;
        described.into_iter().next().flatten().ok_or(ReadError::NotFound)
    }

    /// What the run [shows](crate::workflow::WorkflowContext::publish) of itself, if anything. Wakes nobody.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn published<T: DeserializeOwned>(&self) -> Result<Option<T>, ReadError> {
        self.client.published(&self.describe().await?)
    }

    /// The run's whole history.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history(&self) -> Result<Vec<Event>, ReadError> {
        self.client.events(&self.describe().await?.run).await
    }

    /// A call of this handle, as interceptors see it.
    pub(super) fn call(&self, operation: ClientOperation) -> ClientCall {
        ClientCall::new(operation, W::NAME.into(), self.workflow_id.clone(), self.run_id)
    }

    pub(super) fn target(&self) -> Target {
        Target {
            namespace: self.client.seams.namespace.clone(),
            workflow_id: self.workflow_id.clone(),
            run_id: self.run_id,
        }
    }

    /// Whoever speaks to a workflow means its open run, also when the run of this handle has continued as new.
    fn open_run(&self) -> Target {
        Target { run_id: None, ..self.target() }
    }

    pub(super) fn key(&self, run_id: RunId) -> RunKey {
        RunKey {
            namespace: self.client.seams.namespace.clone(),
            workflow_id: self.workflow_id.clone(),
            run_id,
        }
    }

    /// Sends a message to the open run; answers which that was.
    pub(super) async fn send(&self, kind: EventKind, request_id: RequestId) -> Result<RunKey, SendError> {
        let message = self.message(kind, request_id)?;
        let outcome = self.client.apply(Write::Send(message)).await.map_err(SendError::Unavailable)?;
        sent_to(outcome)
    }

    /// A message to the open run.
    pub(super) fn message(&self, kind: EventKind, request_id: RequestId) -> Result<Send, SendError> {
        let body = encode_kind(kind, self.client.seams.codec.as_ref()).map_err(SendError::Codec)?;
        let message = NewMessage { request_id, body };
        Ok(Send { target: self.open_run(), message, at: self.client.now() })
    }
}

/// The run that has a message, by what became of its write.
pub(super) fn sent_to(outcome: Outcome) -> Result<RunKey, SendError> {
    match outcome.map_err(SendError::of)? {
        Applied::Sent(run) | Applied::Existing(run) | Applied::Started { run, .. } => Ok(run),
        _ => Err(SendError::Refused(Refusal::Invalid(
            "the request ID is that of another kind of request".to_owned(),
        ))),
    }
}

impl Client {
    /// A run's whole history, as it is stored.
    pub(super) async fn records(&self, run: &RunKey) -> Result<Vec<Record>, ReadError> {
        let mut records: Vec<Record> = Vec::new();
        loop {
            let after = records.last().map_or(EventId(0), Record::last);
            let read = || self.seams.backend.history(run, after, PAGE_BYTES);
            let page = self.by_deadline(read).await.map_err(ReadError::Unavailable)?;
            if page.is_empty() {
                return Ok(records);
            }
            records.extend(page);
        }
    }
}

impl<W: Workflow> fmt::Debug for RunHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle")
            .field("workflow", &W::NAME)
            .field("workflow_id", &self.workflow_id)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}
