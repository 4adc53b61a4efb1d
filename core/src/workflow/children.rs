//! Child workflows: started by a workflow, awaited, held, or let go of.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;

use super::external::{ExternalCall, ExternalWorkflow};
use super::{ChildError, NamesSignal, NamesWorkflow, Workflow, WorkflowContext, workflow_type};
use crate::history::{ChildCancellation, ChildIdConflict, ChildWorkflowScheduled, ParentClosePolicy};
use crate::replay::{Call, ChildRequest, HeldChild, Request, Resolution};
use crate::vocabulary::{
    AttributeValue, IdReusePolicy, InvalidId, Payload, RetryPolicy, RunId, TaskQueue, WorkflowId,
};

/// A child workflow, as [`WorkflowContext::child`] makes it: awaited, gives what it returns.
#[must_use = "no child is started until this is awaited, or `.detach()` lets go of it"]
pub struct ChildCall<W: Workflow> {
    cx: WorkflowContext,
    call: Result<Call, Option<ChildError>>,
    workflow: PhantomData<fn() -> W>,
}

/// The start of a child, as [`ChildCall::started`] makes it: awaited, gives a handle on the open child.
#[must_use = "no child is started until this is awaited"]
pub struct ChildStart<W: Workflow>(ChildCall<W>);

/// A child that was started. Dropping it lets go of the child, which goes on.
pub struct ChildHandle<W: Workflow> {
    cx: WorkflowContext,
    held: HeldChild,
    workflow_id: WorkflowId,
    run_id: RunId,
    workflow: PhantomData<fn() -> W>,
}

impl WorkflowContext {
    /// Starts a child workflow: awaited, gives what it returns. Set options on what this returns, before it is awaited.
    ///
    /// The child is a run of its own, with its own history, on the parent's queue and with the parent's priority; it is
    /// started with the commit of the task that asks for it. However often it continues as new, this waits for its last
    /// run. Its workflow ID is derived from this run's ID and the event unless [set](ChildCall::id).
    ///
    /// Dropping the call before its outcome asks the child to cancel and lets go of it: it cleans up on its own, and
    /// outlives its parent if it must. When this run closes, or continues as new, children that are still open otherwise
    /// (held, detached, awaited elsewhere) follow their [`ParentClosePolicy`].
    ///
    /// # Errors
    /// The await gives [`ChildError`]: how the child ended, that its ID is taken, or that this await was cancelled.
    ///
    /// # Determinism
    /// Persists the child's code, ID, run, input and options when first polled, and its outcome. Replay compares the
    /// workflow's name, the ID if one is set, and the input byte for byte, and gives the recorded outcome.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    /// use retell::workflow::ChildError;
    ///
    /// #[retell::workflow]
    /// async fn ship(_cx: WorkflowContext, item: String) -> WorkflowResult<String> {
    ///     Ok(format!("label for {item}"))
    /// }
    ///
    /// #[retell::workflow]
    /// async fn order(cx: WorkflowContext, item: String) -> WorkflowResult<String> {
    ///     match cx.child(ship, &item).id(format!("ship-{item}")).await {
    ///         Err(ChildError::IdTaken(_)) => Ok("is being shipped already".to_owned()),
    ///         label => Ok(label?),
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn child<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        input: &W::Input,
    ) -> ChildCall<W> {
        // It names the type.
        let _ = workflow;
        let manner = self.manner(Location::caller());
        let request = request::<W>(input);
        let call =
            request.map(|request| Call::new(self.world().clone(), manner, Request::Child(Box::new(request))));
        ChildCall { cx: self.clone(), call: call.map_err(Some), workflow: PhantomData }
    }
}

fn request<W: Workflow>(input: &W::Input) -> Result<ChildRequest, ChildError> {
    let (workflow, input) = (workflow_type::<W>()?, Payload::encode(input)?);
    // The IDs are put in when the call is issued.
    let placeholder = WorkflowId::new("child")?;
    let body = ChildWorkflowScheduled::new(workflow, placeholder, RunId(uuid::Uuid::nil()), input);
    Ok(ChildRequest { body, workflow_id: None })
}

impl<W: Workflow> ChildCall<W> {
    /// Sets the child's workflow ID, under which others find it. If it is taken, the call ends with
    /// [`ChildError::IdTaken`] unless a policy says otherwise.
    ///
    /// # Determinism
    /// Compared at replay.
    pub fn id(self, workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>) -> Self {
        match workflow_id.try_into() {
            Ok(workflow_id) => self.with(|request| request.workflow_id = Some(workflow_id)),
            Err(error) => self.refused::<InvalidId>(error.into()),
        }
    }

    /// Sets the queue on which the child's tasks are picked up; without it, the parent's own. The await gives
    /// [`ChildError::InvalidId`] if no store could keep that name.
    ///
    /// # Determinism
    /// Kept in the child's event; what history holds goes on to apply after a change of the code. Never compared.
    pub fn task_queue(self, queue: impl TryInto<TaskQueue, Error: Into<InvalidId>>) -> Self {
        match queue.try_into() {
            Ok(queue) => self.with(|request| request.body.task_queue = Some(queue)),
            Err(error) => self.refused::<InvalidId>(error.into()),
        }
    }

    /// Sets what becomes of the child when its parent closes, in whatever way, or continues as new: terminated unless set.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn parent_close_policy(self, policy: ParentClosePolicy) -> Self {
        self.with(|request| request.body.parent_close = policy)
    }

    /// Sets what happens if the workflow ID has an open run: the child is refused unless set.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn id_conflict(self, conflict: ChildIdConflict) -> Self {
        self.with(|request| request.body.conflict = conflict)
    }

    /// Sets what happens if the workflow ID has closed before; it is allowed unless set.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn id_reuse(self, reuse: IdReusePolicy) -> Self {
        self.with(|request| request.body.reuse = reuse)
    }

    /// Adds an attribute that the child can be found by.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn attribute(self, name: impl Into<Arc<str>>, value: AttributeValue) -> Self {
        self.with(|request| _ = request.body.attributes.insert(name.into(), value))
    }

    /// Adds a value to the child's memo, which is read without its history; nothing is found by it.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue). A value that does not encode ends the call with [`ChildError::Payload`].
    pub fn memo<T: Serialize + ?Sized>(self, name: impl Into<Arc<str>>, value: &T) -> Self {
        match Payload::encode(value) {
            Ok(value) => self.with(|request| _ = request.body.memo.insert(name.into(), value)),
            Err(error) => self.refused(error),
        }
    }

    /// Lets the child's code begin this much later. Its run is there at once, and holds the workflow ID.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn start_delay(self, delay: Duration) -> Self {
        self.with(|request| request.body.start_delay = Some(delay))
    }

    /// Sets the longest that one run of the child may take, from when its code begins; without it there is no limit. A run
    /// that it continues as, or is tried again as, has as long once more. Then it closes without asking its code, and the
    /// call ends with [`ChildError::TimedOut`], unless it is tried again.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn run_timeout(self, timeout: Duration) -> Self {
        self.with(|request| request.body.run_timeout = Some(timeout))
    }

    /// Sets the longest that the child may take with all runs that it continues as and is tried again as; without it there
    /// is no limit. As [`run_timeout`](Self::run_timeout) otherwise, but nothing is tried again after it.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn execution_timeout(self, timeout: Duration) -> Self {
        self.with(|request| request.body.execution_timeout = Some(timeout))
    }

    /// Tries the child again if it fails or passes its run timeout: as a new run of its workflow ID, with the same input
    /// and an empty history. It isn't tried again unless this is set. This call waits for the last try and hears of no
    /// other.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue).
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|request| request.body.retry = Some(Box::new(policy)))
    }

    /// Sets what a cancel request to the parent, or to its scope, does to the call; without it, [`ChildCancellation::Try`].
    ///
    /// - `Try`: the child is asked to cancel, and the await gives [`ChildError::Cancelled`] at once.
    /// - `Wait`: the child is asked to cancel, and the await gives how it ends: its value, its failure, or
    ///   `ChildError::Cancelled` if it ends as cancelled.
    /// - `Abandon`: the await gives `ChildError::Cancelled` at once, and the child is not asked.
    ///
    /// # Determinism
    /// As for [`task_queue`](Self::task_queue). `Try` leaves a `ChildWorkflowDropped`, `Wait` a
    /// `ChildWorkflowCancelRequested` and later the outcome, `Abandon` the outcome alone.
    pub fn cancellation(self, cancellation: ChildCancellation) -> Self {
        self.with(|request| request.body.cancellation = cancellation)
    }

    /// Waits for the start only: for a handle, to signal the child, to cancel it, and to await its result later.
    ///
    /// # Errors
    /// The await gives [`ChildError::IdTaken`], or [`ChildError::Cancelled`].
    ///
    /// # Determinism
    /// Persists one event more: that the child has started.
    pub fn started(self) -> ChildStart<W> {
        ChildStart(self.with(|request| request.body.tells_start = true))
    }

    /// Starts the child at once and lets go of it without cancelling it: its outcome is recorded and read by nobody; under
    /// [`ParentClosePolicy::Abandon`] not even that, and the child has nothing more to do with its parent.
    ///
    /// # Errors
    /// [`ChildError::Payload`] and [`ChildError::InvalidId`]; [`ChildError::Cancelled`], outside a shield, if the run was
    /// asked to cancel. Nothing is started then. The code is not told if the ID is taken. History is, except under
    /// [`ParentClosePolicy::Abandon`]: there such a child leaves no event but the one that asked for it.
    ///
    /// # Determinism
    /// Issues its command where it stands, not at a first poll.
    pub fn detach(self) -> Result<(), ChildError> {
        let this = self
            .with(|request| request.body.unheard = request.body.parent_close == ParentClosePolicy::Abandon);
        match this.call {
            Ok(call) => call.detach().ok_or(ChildError::Cancelled),
            Err(refused) => refused.map_or(Ok(()), Err),
        }
    }

    /// A call that ends with this error, and asks for nothing.
    fn refused<E: Into<ChildError>>(mut self, error: E) -> Self {
        self.call = Err(Some(error.into()));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut ChildRequest)) -> Self {
        if let Ok(Some(Request::Child(request))) = self.call.as_mut().map(Call::request) {
            change(request);
        }
        self
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ChildError>> {
        match &mut self.call {
            Ok(call) => Pin::new(call).poll(cx).map(Ok),
            Err(refused) => {
                Poll::Ready(Err(refused.take().expect("a call is not polled after it has ended")))
            }
        }
    }
}

impl<W: Workflow> Future for ChildCall<W> {
    type Output = Result<W::Output, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.poll_call(cx))? {
            Resolution::Value(payload) => payload.decode().map_err(ChildError::Payload),
            other => Err(error_of(other)),
        })
    }
}

impl<W: Workflow> Future for ChildStart<W> {
    type Output = Result<ChildHandle<W>, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.0.poll_call(cx))? {
            Resolution::Started(started) => {
                let parent = self.0.cx.clone();
                let manner = parent.manner(Location::caller());
                let held = HeldChild::new(parent.world().clone(), manner, &started);
                let (workflow_id, run_id) = (started.workflow_id, started.run_id);
                Ok(ChildHandle { cx: parent, held, workflow_id, run_id, workflow: PhantomData })
            }
            other => Err(error_of(other)),
        })
    }
}

/// Why there is no value, or no child.
fn error_of(resolution: Resolution) -> ChildError {
    match resolution {
        Resolution::Failed(failure) => ChildError::Failed(Box::new(failure)),
        Resolution::Cancelled(_) => ChildError::Cancelled,
        Resolution::IdTaken(workflow_id) => ChildError::IdTaken(workflow_id),
        Resolution::ChildCancelled => ChildError::ChildCancelled,
        Resolution::Terminated(reason) => ChildError::Terminated(reason),
        Resolution::TimedOut => ChildError::TimedOut,
        Resolution::Value(_)
        | Resolution::Fired
        | Resolution::Recorded(_)
        | Resolution::Started(_)
        | Resolution::Delivered
        | Resolution::Refused => unreachable!("a child is never resolved so"),
    }
}

impl<W: Workflow> ChildHandle<W> {
    /// The child's workflow ID.
    #[must_use]
    pub fn workflow_id(&self) -> &WorkflowId {
        &self.workflow_id
    }

    /// The child's first run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.run_id
    }

    /// The child as another run, to be signalled or asked to cancel from elsewhere in the code.
    #[must_use]
    pub fn external(&self) -> ExternalWorkflow {
        ExternalWorkflow::child(self.cx.clone(), self.workflow_id.clone(), self.run_id)
    }

    /// Signals the child, whichever run goes on with it: see [`ExternalWorkflow::signal`].
    #[track_caller]
    pub fn signal<T: Serialize + ?Sized>(&self, signal: impl NamesSignal<T>, value: &T) -> ExternalCall {
        self.external().signal(signal, value)
    }

    /// Asks the child to cancel, whichever run goes on with it: see [`ExternalWorkflow::cancel`]. Its result says whether
    /// it has.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Arc<str>>) -> ExternalCall {
        self.external().cancel(reason)
    }

    /// Waits for what the child returns, as the [call](WorkflowContext::child) itself would. Once polled, dropping it asks
    /// the child to cancel; until then it stands for nothing more than this handle.
    ///
    /// # Errors
    /// The await gives [`ChildError`].
    ///
    /// # Determinism
    /// Persists nothing more: the child's outcome is recorded when it comes.
    #[track_caller]
    pub fn result(self) -> ChildCall<W> {
        let manner = self.cx.manner(Location::caller());
        let call = Ok(self.held.call(manner));
        ChildCall { cx: self.cx, call, workflow: PhantomData }
    }
}

impl<W: Workflow> fmt::Debug for ChildCall<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildCall").finish_non_exhaustive()
    }
}

impl<W: Workflow> fmt::Debug for ChildStart<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildStart").finish_non_exhaustive()
    }
}

impl<W: Workflow> fmt::Debug for ChildHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle")
            .field("workflow_id", &self.workflow_id)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}
