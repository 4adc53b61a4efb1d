//! The client: start, signal, cancel, terminate, pause, reset, describe, list, and await results.
//!
//! Talks to the store, and to the worker of its own process where there is one: a run that is started there begins
//! there, in the same commit. Nothing here polls while this process runs what is awaited. What is to become true with
//! the user's own data is written inside the user's own transaction (`transaction`).

mod around;
mod by_name;
mod call;
mod completion;
mod error;
mod handle;
mod lifetime;
mod list;
mod pause;
mod query;
mod remove;
mod reset;
mod start;
mod transaction;
mod update;
mod wait;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use by_name::AnyWorkflow;
pub use completion::{CompletionError, Heard};
pub use error::{QueryError, ReadError, ResultError, SendError, StartError, UpdateError};
pub use handle::RunHandle;
pub use list::ListCall;
pub use remove::RemoveError;
pub(crate) use remove::keep_no_longer_than;
pub use reset::{ResetCall, ResetError};
pub use start::{IdConflict, StartCall, StartUpdateCall};
pub use transaction::RunInTransaction;
pub use update::UpdateHandle;

use serde::de::DeserializeOwned;

use crate::around::Surroundings;
use crate::backend::{Backend, ListRequest, Page, RunInfo, StatusFilter, StoreStats};
use crate::clock::Clock;
use crate::history::{HistoryError, PayloadCodec};
use crate::host::Home;
use crate::replay::Definition;
use crate::vocabulary::{
    Headers, InvalidId, Namespace, RequestId, TaskQueue, Timestamp, WorkflowId, WorkflowName, WorkflowType,
    WorkflowVersion,
};
use crate::worker::{Answers, Closings, Context, Shards};
use crate::workflow::{NamesWorkflow, Workflow};

/// How long a call tries to reach the store unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(30);

/// Starts runs and talks to them. Cloning is cheap; use it from as many tasks as you like.
#[derive(Clone)]
pub struct Client {
    seams: Arc<ClientSeams>,
    deadline: Duration,
    /// What travels with its calls.
    headers: Headers,
}

/// What a client talks to.
pub(crate) struct ClientSeams {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: Home,
    pub(crate) codec: Arc<dyn PayloadCodec>,
    pub(crate) namespace: Namespace,
    pub(crate) task_queue: TaskQueue,
    pub(crate) closings: Arc<Closings>,
    pub(crate) answers: Arc<Answers>,
    /// The code that is registered in this process, with a worker or without.
    pub(crate) workflows: HashMap<WorkflowType, Arc<dyn Definition>>,
    /// Which version of a workflow is started by its name alone.
    pub(crate) defaults: HashMap<WorkflowName, WorkflowVersion>,
    /// The worker of this process.
    pub(crate) local: Option<Local>,
    /// What stands around its calls.
    pub(crate) around: Surroundings,
}

/// The worker of a client's own process.
pub(crate) struct Local {
    pub(crate) cx: Arc<Context>,
    pub(crate) shards: Arc<Shards>,
}

impl Client {
    pub(crate) fn new(seams: ClientSeams) -> Self {
        Self { seams: Arc::new(seams), deadline: DEADLINE, headers: Headers::new() }
    }

    /// How long each call of this client tries to reach the store; 30 s unless set. Waiting for a result has no limit.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What travels with each call of this client that sends something ([`Headers`]): with the runs that it starts and
    /// into all that they call, with signals, queries and updates. Propagators and interceptors add to these. None
    /// unless set.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Starts a run of `workflow` under `workflow_id`. The call is sent when it is awaited; until then its options can
    /// be set.
    ///
    /// Once it returns, the run is durably stored and will be run, whatever happens to this process.
    pub fn start<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>,
        input: W::Input,
    ) -> StartCall<W> {
        let _ = workflow;
        self.start_as(workflow_id, input)
    }

    /// As [`start`](Self::start), for code that has the workflow as a type only.
    pub fn start_as<W: Workflow>(
        &self,
        workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>,
        input: W::Input,
    ) -> StartCall<W> {
        StartCall::new(self.clone(), workflow_id.try_into().map_err(Into::into), &input)
    }

    /// A handle on the open run of a workflow ID, else on its latest. Nothing is read until the handle is used.
    ///
    /// # Errors
    /// [`InvalidId`] if the ID is not a valid one.
    pub fn handle<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>,
    ) -> Result<RunHandle<W>, InvalidId> {
        let _ = workflow;
        Ok(RunHandle::new(self.clone(), workflow_id.try_into().map_err(Into::into)?, None))
    }

    /// A request that lists all runs of this client's namespace, 100 on a page; set what it filters by.
    #[must_use]
    pub fn list_request(&self) -> ListRequest {
        ListRequest {
            namespace: self.seams.namespace.clone(),
            workflow_id: None,
            workflow: None,
            status: StatusFilter::Any,
            attributes: Vec::new(),
            page_size: 100,
            after: None,
        }
    }

    /// Lists runs, newest start first, a page at a time. No history is read.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] if the store does not answer before the deadline.
    pub async fn list(&self, request: &ListRequest) -> Result<Page, ReadError> {
        self.by_deadline(|| self.seams.backend.list(request)).await.map_err(ReadError::Unavailable)
    }

    /// What a run that was described or listed [shows](crate::workflow::WorkflowContext::publish) of itself.
    ///
    /// # Errors
    /// [`ReadError::Payload`] if that is no `T`, [`ReadError::History`] if the codec refuses it.
    pub fn published<T: DeserializeOwned>(&self, run: &RunInfo) -> Result<Option<T>, ReadError> {
        let Some(status) = &run.published else { return Ok(None) };
        let status = self.seams.codec.decode(status.clone()).map_err(HistoryError::from)?;
        status.decode().map(Some).map_err(ReadError::Payload)
    }

    /// Counts what this client's namespace holds.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] if the store does not answer before the deadline.
    pub async fn stats(&self) -> Result<StoreStats, ReadError> {
        self.by_deadline(|| self.seams.backend.stats(&self.seams.namespace))
            .await
            .map_err(ReadError::Unavailable)
    }

    /// The identity of a request that nobody has made.
    fn fresh_request(&self) -> RequestId {
        RequestId(self.seams.home.fresh_id())
    }

    /// The store's time, as far as this process knows it.
    fn now(&self) -> Timestamp {
        self.seams.local.as_ref().map_or_else(|| self.seams.clock.now(), |local| local.cx.now())
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("namespace", &self.seams.namespace)
            .field("backend", &self.seams.backend)
            .finish_non_exhaustive()
    }
}
