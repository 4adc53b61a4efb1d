//! Waiting until a shared value is as it should be.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::shared::{Cell, Shared};
use super::{CallError, WorkflowContext};
use crate::replay::{Wait, Wanted};

/// Waits until a shared value is so; made by [`WorkflowContext::wait_until`].
#[must_use = "nothing is waited for until this is awaited"]
pub struct WaitUntil<S, F>(Wait<Looks<S, F>>);

/// Looks at the value, and waits in its line.
struct Looks<S, F> {
    cell: Arc<Cell<S>>,
    is_so: F,
    /// The place in the line.
    place: Option<u64>,
}

impl WorkflowContext {
    /// Waits until a value that branches and handlers share is so.
    ///
    /// It looks when this is first polled, and again each time that somebody has [changed](Shared::with) the value, in
    /// the order in which the waits began; until then it costs nothing. What it sees is how things stand when its turn
    /// comes: a value that was so in between, and is no longer, is missed. Of thousands that wait for one value each looks
    /// at each change; who waits for its own part of it had better share that alone, or a
    /// [`Semaphore`](super::Semaphore), which wakes only whom it concerns.
    ///
    /// Dropping it waits no longer. The closure should look and not act.
    ///
    /// # Errors
    /// The await gives [`CallError::Cancelled`] when the run, or the scope, is cancelled.
    ///
    /// # Determinism
    /// Nothing is persisted; it looks at the same places at each replay. If nothing but such waits is waited for, none will
    /// ever end, and the workflow task fails as for every await that never ends.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// /// Waits for three votes of one kind, whichever comes first.
    /// #[retell::workflow]
    /// async fn vote(cx: WorkflowContext) -> WorkflowResult<bool> {
    ///     let votes = cx.share([0, 0]);
    ///     votes.handle_signal("vote", |votes, yes: bool| votes[usize::from(yes)] += 1);
    ///     cx.wait_until(&votes, |votes| votes.iter().any(|count| *count >= 3)).await?;
    ///     Ok(votes.read(|[_, yes]| *yes >= 3))
    /// }
    /// ```
    #[track_caller]
    pub fn wait_until<S, F>(&self, shared: &Shared<S>, is_so: F) -> WaitUntil<S, F>
    where
        F: FnMut(&S) -> bool + Send,
    {
        let looks = Looks { cell: shared.cell.clone(), is_so, place: None };
        WaitUntil(Wait::new(self.world().clone(), self.manner(Location::caller()), looks))
    }
}

impl<S, F: FnMut(&S) -> bool> Wanted for Looks<S, F> {
    fn is_so(&mut self, waker: &Waker) -> bool {
        let is_so = (self.is_so)(&self.cell.lock());
        match is_so {
            true => self.leave(),
            false => self.cell.wait(&mut self.place, waker),
        }
        is_so
    }
}

impl<S, F> Looks<S, F> {
    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            self.cell.leave(place);
        }
    }
}

impl<S, F> Drop for Looks<S, F> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<S, F: FnMut(&S) -> bool> Future for WaitUntil<S, F> {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|ended| ended.map_err(|_| CallError::Cancelled))
    }
}

impl<S, F> fmt::Debug for WaitUntil<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitUntil").finish_non_exhaustive()
    }
}
