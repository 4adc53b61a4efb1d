//! Waiting until a condition over the workflow's own state is met.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{CallError, WorkflowContext};
use crate::replay::Condition;

/// A wait for a condition, as [`WorkflowContext::until`] makes it.
#[must_use = "nothing is waited for until this is awaited"]
pub struct Until<F>(Condition<F>);

impl WorkflowContext {
    /// Waits until a condition over state that branches of the workflow share is met.
    ///
    /// It is asked when this is first polled, and again whenever the workflow has moved and rests, until it is met:
    /// once for each event that moves anything, and once more after each round in which some wait ended, in the order
    /// in which the waits began. So it need not be told of changes; but thousands that wait at a time, each for its own,
    /// had better share a channel or a [`Semaphore`](super::Semaphore), which wake only whom it concerns.
    ///
    /// The closure should look and not act. What it reads must be the workflow's own (a `Mutex` or an atomic that branches
    /// share): nothing asks again when the world outside changes.
    ///
    /// # Errors
    /// The await gives [`CallError::Cancelled`] when the run, or the scope, is cancelled.
    ///
    /// # Determinism
    /// Nothing is persisted; asked at the same places at each replay. If nothing but conditions is waited for, none will
    /// ever be met, and the workflow task fails as for every await that never ends.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Mutex;
    /// use retell::prelude::*;
    ///
    /// /// Waits for three votes of one kind, whichever comes first.
    /// #[retell::workflow]
    /// async fn vote(cx: WorkflowContext) -> WorkflowResult<bool> {
    ///     let votes = Mutex::new([0, 0]);
    ///     let count = |of: bool| votes.lock().expect("no holder panics")[usize::from(of)];
    ///     retell::select! {
    ///         failed = async {
    ///             loop {
    ///                 let yes = cx.signal::<bool>("vote").await?;
    ///                 votes.lock().expect("no holder panics")[usize::from(yes)] += 1;
    ///             }
    ///         } => failed,
    ///         met = cx.until(|| count(true) >= 3 || count(false) >= 3) => { met?; Ok(count(true) >= 3) }
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn until<F: FnMut() -> bool>(&self, is_so: F) -> Until<F> {
        Until(Condition::new(self.world().clone(), self.manner(Location::caller()), is_so))
    }
}

impl<F: FnMut() -> bool> Future for Until<F> {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|met| met.map_err(|_| CallError::Cancelled))
    }
}

impl<F> fmt::Debug for Until<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").finish_non_exhaustive()
    }
}
