//! Waiting for the handlers of messages: so that a run does not end before those that have begun.
//!
//! Nothing is persisted.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{CallError, WorkflowContext};
use crate::replay::{Wait, Wanted, World};

/// Waits until no handler runs; made by [`WorkflowContext::handlers_finished`].
#[must_use = "nothing is waited for until this is awaited"]
pub struct HandlersFinished(Wait<NoneRuns>);

struct NoneRuns(World);

impl WorkflowContext {
    /// Waits until each update that was let in has its answer, and each [async
    /// handler](super::Shared::handle_signal_async) of a signal has ended: for the main body, before it returns. When it
    /// returns without this, the handlers that still run are dropped, and the callers of updates told that the run has
    /// ended first. A handler that awaits this waits for itself.
    ///
    /// # Errors
    /// The await gives [`CallError::Cancelled`] when the run is asked to cancel.
    ///
    /// # Determinism
    /// Nothing is persisted.
    #[track_caller]
    pub fn handlers_finished(&self) -> HandlersFinished {
        let (world, manner) = (self.world().clone(), self.manner(Location::caller()));
        HandlersFinished(Wait::new(world.clone(), manner, NoneRuns(world)))
    }
}

impl Wanted for NoneRuns {
    fn is_so(&mut self, waker: &Waker) -> bool {
        !self.0.handlers_run(waker)
    }
}

impl Future for HandlersFinished {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|ended| ended.map_err(|_| CallError::Cancelled))
    }
}

impl fmt::Debug for HandlersFinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlersFinished").finish_non_exhaustive()
    }
}
