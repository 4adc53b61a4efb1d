//! Waiting for the handlers of updates: so that a run does not end before those that it has let in.
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
    /// Waits until each update that was let in has its answer: for the main body, before it returns. When it returns
    /// without this, the handlers that still run are dropped, and their callers told that the run has ended first.
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
        !self.0.updates_run(waker)
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
