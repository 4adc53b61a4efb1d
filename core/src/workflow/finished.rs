//! Waiting for the handlers of updates: so that a run does not end before those that it has let in.
//!
//! Nothing is persisted.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{CallError, WorkflowContext};
use crate::replay::{Manner, Standing, World};

/// Waits until no handler runs; made by [`WorkflowContext::handlers_finished`].
#[must_use = "nothing is waited for until this is awaited"]
pub struct HandlersFinished {
    world: World,
    manner: Manner,
    standing: Option<Standing>,
}

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
        HandlersFinished { world, manner, standing: None }
    }
}

impl Future for HandlersFinished {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.world.is_polled_here(this.manner.location) {
            return Poll::Pending;
        }
        if this.world.stand(&this.manner, &mut this.standing, cx.waker()).is_cancelled() {
            return Poll::Ready(Err(CallError::Cancelled));
        }
        if this.world.updates_run(cx.waker()) {
            return Poll::Pending;
        }
        this.world.sit_down(&this.manner, &mut this.standing);
        Poll::Ready(Ok(()))
    }
}

impl Drop for HandlersFinished {
    fn drop(&mut self) {
        self.world.sit_down(&self.manner, &mut self.standing);
    }
}

impl fmt::Debug for HandlersFinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlersFinished").finish_non_exhaustive()
    }
}
