//! Talking to other runs: signals and cancel requests from workflow to workflow.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use serde::Serialize;

use super::{ExternalError, NamesSignal, WorkflowContext};
use crate::history::{ExternalCancelRequested, ExternalSignalRequested};
use crate::replay::{Call, Request, Resolution};
use crate::vocabulary::{Headers, InvalidId, Payload, RunId, WorkflowId};

/// Another run, as [`WorkflowContext::external`] names it. Nothing is asked of it by naming it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ExternalWorkflow {
    cx: WorkflowContext,
    workflow_id: Result<WorkflowId, InvalidId>,
    run_id: Option<RunId>,
    /// If it is a child of this run: its first run.
    child: Option<RunId>,
}

/// Something that is asked of another run; made by [`ExternalWorkflow`] and [`ChildHandle`](super::ChildHandle).
#[must_use = "nothing is asked until this is awaited, or `.detach()` lets go of it"]
pub struct ExternalCall {
    call: Result<Call, Option<ExternalError>>,
    workflow_id: Option<WorkflowId>,
}

impl WorkflowContext {
    /// Another workflow of this namespace, by its ID: its open run, whichever that is when something is asked of it.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    /// use retell::workflow::{ExternalError, SignalType};
    ///
    /// const PAID: SignalType<u64> = SignalType::new("paid");
    ///
    /// #[retell::workflow]
    /// async fn pay(cx: WorkflowContext, order: String) -> WorkflowResult<bool> {
    ///     match cx.external(order).signal(PAID, &1_250).await {
    ///         Ok(()) => Ok(true),
    ///         Err(ExternalError::NotOpen(_)) => Ok(false),
    ///         Err(error) => Err(error.into()),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn external<D>(&self, workflow_id: D) -> ExternalWorkflow
    where
        D: TryInto<WorkflowId>,
        D::Error: Into<InvalidId>,
    {
        let workflow_id = workflow_id.try_into().map_err(Into::into);
        ExternalWorkflow { cx: self.clone(), workflow_id, run_id: None, child: None }
    }
}

impl ExternalWorkflow {
    /// Means one run, and none that continues it.
    #[must_use]
    pub fn run(mut self, run_id: RunId) -> Self {
        self.run_id = Some(run_id);
        self
    }

    /// Signals it. Awaited, says whether the signal lies in its inbox: from then on it is taken in exactly once.
    ///
    /// # Errors
    /// The await gives [`ExternalError::NotOpen`] if there is no such run or it is closed, [`ExternalError::Cancelled`] when
    /// this run is asked to cancel, [`ExternalError::Payload`] if the value does not encode.
    ///
    /// # Determinism
    /// Persists the target, the name and the value when first polled, and whether it was delivered. Replay compares
    /// target, name and value. Dropping the call does not take the signal back.
    #[track_caller]
    pub fn signal<T: Serialize + ?Sized>(&self, signal: impl NamesSignal<T>, value: &T) -> ExternalCall {
        let manner = self.cx.manner(Location::caller());
        let body = || -> Result<_, ExternalError> {
            Ok(ExternalSignalRequested {
                headers: Headers::new(),
                workflow_id: self.workflow_id.clone()?,
                run_id: self.run_id,
                signal: signal.signal_name()?,
                input: Payload::encode(value)?,
                unheard: false,
            })
        };
        let request = body().map(|body| Request::ExternalSignal(Box::new(body)));
        self.call(request.map(|request| Call::new(self.cx.world().clone(), manner, request)))
    }

    /// Asks it to cancel. Awaited, says whether the request lies in its inbox; what it makes of it is its own matter.
    ///
    /// # Errors
    /// As for [`signal`](Self::signal).
    ///
    /// # Determinism
    /// Persists the target and the reason when first polled, and whether it was delivered. Replay compares the target.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Arc<str>>) -> ExternalCall {
        let manner = self.cx.manner(Location::caller());
        let request = self.workflow_id.clone().map_err(ExternalError::from).map(|workflow_id| {
            let (run_id, child, reason) = (self.run_id, self.child, reason.into());
            let body = ExternalCancelRequested { workflow_id, run_id, child, reason, unheard: false };
            Request::ExternalCancel(Box::new(body))
        });
        self.call(request.map(|request| Call::new(self.cx.world().clone(), manner, request)))
    }

    /// A child of this run.
    pub(super) fn child(cx: WorkflowContext, workflow_id: WorkflowId, first_run: RunId) -> Self {
        Self { cx, workflow_id: Ok(workflow_id), run_id: None, child: Some(first_run) }
    }

    fn call(&self, call: Result<Call, ExternalError>) -> ExternalCall {
        ExternalCall { call: call.map_err(Some), workflow_id: self.workflow_id.clone().ok() }
    }
}

impl ExternalCall {
    /// Asks at once, and does not wait for what becomes of it: nobody is told if the other run is not open.
    ///
    /// # Errors
    /// [`ExternalError::Payload`] and [`ExternalError::InvalidId`]; [`ExternalError::Cancelled`], outside a shield, if this
    /// run was asked to cancel. Nothing is asked then.
    ///
    /// # Determinism
    /// Issues its command where it stands, not at a first poll.
    pub fn detach(self) -> Result<(), ExternalError> {
        match self.call {
            Ok(mut call) => {
                match call.request() {
                    Some(Request::ExternalSignal(body)) => body.unheard = true,
                    Some(Request::ExternalCancel(body)) => body.unheard = true,
                    _ => {}
                }
                call.detach().ok_or(ExternalError::Cancelled)
            }
            Err(refused) => refused.map_or(Ok(()), Err),
        }
    }
}

impl Future for ExternalCall {
    type Output = Result<(), ExternalError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let resolution = match &mut self.call {
            Ok(call) => ready!(Pin::new(call).poll(cx)),
            Err(refused) => {
                return Poll::Ready(Err(refused.take().expect("a call is not polled after it has ended")));
            }
        };
        Poll::Ready(match resolution {
            Resolution::Delivered => Ok(()),
            Resolution::Cancelled(_) => Err(ExternalError::Cancelled),
            _ => Err(ExternalError::NotOpen(
                self.workflow_id.clone().expect("only what has a target is ever asked"),
            )),
        })
    }
}

impl fmt::Debug for ExternalCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalCall").field("workflow_id", &self.workflow_id).finish_non_exhaustive()
    }
}
