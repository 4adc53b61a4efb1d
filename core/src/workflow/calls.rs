//! The futures that a workflow awaits. All are lazy, and dropping one cancels what it stands for.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::CallError;
use crate::history::ActivityScheduled;
use crate::replay::{Call, Request, Resolution};
use crate::vocabulary::{InvalidId, RetryPolicy, TaskQueue};

/// A call, or why there is none; what it yields is decoded as `T`.
struct Typed<C, T> {
    call: Result<C, Option<CallError>>,
    value: PhantomData<fn() -> T>,
}

/// A call of an activity, as [`WorkflowContext::activity`](super::WorkflowContext::activity) makes it.
#[must_use = "nothing is called until this is awaited, or `.detach()` lets go of it"]
pub struct ActivityCall<T>(Typed<Call, T>);

/// A call that runs where its workflow runs, as [`WorkflowContext::step`](super::WorkflowContext::step) and
/// [`local_activity`](super::WorkflowContext::local_activity) make it.
#[must_use = "nothing is called until this is awaited"]
pub struct StepCall<T>(Typed<Call, T>);

/// The value of a side effect, as [`WorkflowContext::side_effect`](super::WorkflowContext::side_effect) makes it.
#[must_use = "nothing happens until this is awaited"]
pub struct SideEffectCall<T>(Typed<Call, T>);

/// A timer, as [`WorkflowContext::sleep`](super::WorkflowContext::sleep) makes it.
#[must_use = "no timer is started until this is awaited"]
pub struct Sleep(Call);

impl<T> ActivityCall<T> {
    /// Sets when failed attempts are tried again; without it, as [`RetryPolicy::default`] says.
    ///
    /// # Determinism
    /// Kept in the activity's event; what history holds goes on to apply after a change of the code. Never compared.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|body| body.retry = policy)
    }

    /// Sets the queue on which it is picked up; without it, the workflow's own. The await gives
    /// [`CallError::Failed`], of the type `InvalidId`, if no store could keep that name.
    ///
    /// # Determinism
    /// As for [`retry`](Self::retry).
    pub fn task_queue(mut self, queue: impl TryInto<TaskQueue, Error: Into<InvalidId>>) -> Self {
        match queue.try_into() {
            Ok(queue) => self.with(|body| body.task_queue = Some(queue)),
            Err(error) => {
                let error: InvalidId = error.into();
                self.0.call = Err(Some(error.into()));
                self
            }
        }
    }

    /// Calls the activity at once and lets go of it without cancelling it: its outcome is recorded and read by nobody.
    ///
    /// When the workflow function returns, it is cancelled like everything that is still open.
    ///
    /// # Errors
    /// [`CallError::Payload`] if the input does not encode; [`CallError::Cancelled`], outside a shield, if the run was
    /// asked to cancel. Nothing is called then.
    ///
    /// # Determinism
    /// Issues its command where it stands, not at a first poll.
    pub fn detach(self) -> Result<(), CallError> {
        match self.0.call {
            Ok(call) => call.detach().ok_or(CallError::Cancelled),
            Err(refused) => refused.map_or(Ok(()), Err),
        }
    }

    pub(super) fn new(call: Result<Call, CallError>) -> Self {
        Self(Typed::new(call))
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut ActivityScheduled)) -> Self {
        self.0.with(change);
        self
    }
}

impl<T> StepCall<T> {
    /// Sets when failed attempts are tried again; without it, as [`RetryPolicy::default`] says.
    ///
    /// # Determinism
    /// Kept in the call's event; what history holds goes on to apply after a change of the code. Never compared.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|body| body.retry = policy)
    }

    /// Sets the longest that one attempt may take; without it there is no limit.
    ///
    /// # Determinism
    /// As for [`retry`](Self::retry).
    pub fn start_to_close(self, timeout: Duration) -> Self {
        self.with(|body| body.start_to_close = Some(timeout))
    }

    pub(super) fn new(call: Result<Call, CallError>) -> Self {
        Self(Typed::new(call))
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut ActivityScheduled)) -> Self {
        self.0.with(change);
        self
    }
}

impl<T> SideEffectCall<T> {
    pub(super) fn new(call: Call) -> Self {
        Self(Typed::new(Ok(call)))
    }
}

impl Sleep {
    pub(super) fn new(call: Call) -> Self {
        Self(call)
    }
}

impl<T> Typed<Call, T> {
    /// Changes what will be asked for, if nothing has been.
    fn with(&mut self, change: impl FnOnce(&mut ActivityScheduled)) {
        if let Ok(Some(Request::Activity(body) | Request::Step(body, _))) =
            self.call.as_mut().map(Call::request)
        {
            change(Arc::make_mut(body));
        }
    }
}

impl<C, T> Typed<C, T> {
    fn new(call: Result<C, CallError>) -> Self {
        Self { call: call.map_err(Some), value: PhantomData }
    }
}

impl<C: Future + Unpin, T> Typed<C, T> {
    /// What the call yields; or, once, why there is none.
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Result<C::Output, CallError>> {
        match &mut self.call {
            Ok(call) => Pin::new(call).poll(cx).map(Ok),
            Err(refused) => {
                Poll::Ready(Err(refused.take().expect("a call is not polled after it has ended")))
            }
        }
    }
}

impl<T: DeserializeOwned> Typed<Call, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError>> {
        Poll::Ready(match ready!(self.poll_call(cx))? {
            Resolution::Value(payload) | Resolution::Recorded(payload) => {
                payload.decode().map_err(CallError::Payload)
            }
            Resolution::Failed(failure) => Err(CallError::Failed(Box::new(failure))),
            Resolution::Cancelled(_) => Err(CallError::Cancelled),
            _ => unreachable!("only a timer, a child, or a request to another run is resolved so"),
        })
    }
}

impl<T: DeserializeOwned> Future for ActivityCall<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<T: DeserializeOwned> Future for StepCall<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<T: DeserializeOwned> Future for SideEffectCall<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl Future for Sleep {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(cx)) {
            Resolution::Cancelled(_) => Err(CallError::Cancelled),
            Resolution::Fired => Ok(()),
            _ => unreachable!("a timer is never resolved so"),
        })
    }
}

macro_rules! opaque_debug {
    ($($name:ident $(<$t:ident>)?),+) => {
        $(impl$(<$t>)? fmt::Debug for $name$(<$t>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

opaque_debug!(ActivityCall<T>, StepCall<T>, SideEffectCall<T>, Sleep);
