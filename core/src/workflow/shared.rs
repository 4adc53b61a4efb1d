//! State that handlers and the main body share, and waiting for it to be so.
//!
//! Nothing is persisted: the state is what the code makes of its events, and replay makes the same of them again. It is
//! borrowed in closures, which cannot hold it across an await; whoever changes it wakes those who wait for a change.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use super::{CallError, WorkflowContext};
use crate::replay::{Manner, Standing, World};

/// A value that a workflow's main body and its handlers share; made by
/// [`WorkflowContext::share`]. Cheap to clone; clones are the same value.
///
/// # Determinism
/// Changed by the workflow's own code only, and so the same at each replay.
///
/// # Examples
/// ```
/// use retell::prelude::*;
/// use retell::workflow::SignalType;
///
/// const ADD: SignalType<u64> = SignalType::new("add");
///
/// #[retell::workflow]
/// async fn saving(cx: WorkflowContext, goal: u64) -> WorkflowResult<u64> {
///     let saved = cx.share(0);
///     saved.handle_signal(ADD, |saved, more| *saved += more);
///     cx.wait_until(&saved, move |saved| *saved >= goal).await?;
///     Ok(saved.with(|saved| *saved))
/// }
/// ```
pub struct Shared<S> {
    pub(super) cx: WorkflowContext,
    cell: Arc<Cell<S>>,
}

/// The value, and who waits for it to change.
pub(super) struct Cell<S> {
    value: Mutex<S>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// In the order in which they began to wait.
    wakers: BTreeMap<u64, Waker>,
}

/// Waits until a shared value is so; made by [`WorkflowContext::wait_until`].
#[must_use = "nothing is waited for until this is awaited"]
pub struct WaitUntil<S, F> {
    world: World,
    manner: Manner,
    cell: Arc<Cell<S>>,
    is_so: F,
    standing: Option<Standing>,
    key: Option<u64>,
}

impl WorkflowContext {
    /// Shares a value between this code and its handlers.
    ///
    /// # Determinism
    /// Nothing is persisted.
    pub fn share<S: Send + 'static>(&self, value: S) -> Shared<S> {
        let (value, waiting) = (Mutex::new(value), Mutex::default());
        Shared { cx: self.clone(), cell: Arc::new(Cell { value, waiting }) }
    }

    /// Waits until this is so, looking again whenever the value may have changed. Dropping it waits no longer.
    ///
    /// # Errors
    /// The await gives [`CallError::Cancelled`] when the run is asked to cancel.
    ///
    /// # Determinism
    /// Nothing is persisted. If nothing is handled and nothing else is awaited, the value can never change, and the
    /// workflow task fails as for every await that never ends.
    #[track_caller]
    pub fn wait_until<S, F>(&self, shared: &Shared<S>, is_so: F) -> WaitUntil<S, F>
    where
        F: FnMut(&S) -> bool + Send,
    {
        let (world, manner) = (self.world().clone(), self.manner(Location::caller()));
        WaitUntil { world, manner, cell: shared.cell.clone(), is_so, standing: None, key: None }
    }
}

impl<S: Send + 'static> Shared<S> {
    /// Borrows the value, to read or to change it, and then wakes whoever [waits](WorkflowContext::wait_until) for it.
    ///
    /// # Panics
    /// Inside of another `with` of the same value, and inside of a query.
    #[track_caller]
    pub fn with<R>(&self, borrow: impl FnOnce(&mut S) -> R) -> R {
        assert!(
            self.cx.world().may_change(Location::caller()),
            "shared state is changed by the workflow's own code only: a query reads what it is given"
        );
        let result = borrow(&mut self.cell.lock());
        self.cell.wake();
        result
    }

    pub(super) fn cell(&self) -> &Arc<Cell<S>> {
        &self.cell
    }
}

impl<S> Cell<S> {
    /// # Panics
    /// If it is borrowed.
    #[track_caller]
    pub(super) fn lock(&self) -> MutexGuard<'_, S> {
        match self.value.try_lock() {
            Ok(value) => value,
            // A panic in a closure fails the workflow task, or hurts only the query that it belongs to.
            Err(TryLockError::Poisoned(value)) => value.into_inner(),
            Err(TryLockError::WouldBlock) => panic!("the shared state is borrowed already, further out"),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if self.waiting().wakers.is_empty() {
            return;
        }
        let woken = std::mem::take(&mut self.waiting().wakers);
        woken.into_values().for_each(Waker::wake);
    }
}

impl<S, F> Future for WaitUntil<S, F>
where
    F: FnMut(&S) -> bool + Send + Unpin,
{
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.world.is_polled_here(this.manner.location) {
            return Poll::Pending;
        }
        if this.world.stand(&this.manner, &mut this.standing, cx.waker()).is_cancelled() {
            return Poll::Ready(Err(CallError::Cancelled));
        }
        if (this.is_so)(&this.cell.lock()) {
            this.world.sit_down(&this.manner, &mut this.standing);
            return Poll::Ready(Ok(()));
        }
        let mut waiting = this.cell.waiting();
        let key = *this.key.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        waiting.wakers.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl<S, F> Drop for WaitUntil<S, F> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.cell.waiting().wakers.remove(&key);
            drop(waker);
        }
        self.world.sit_down(&self.manner, &mut self.standing);
    }
}

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self { cx: self.cx.clone(), cell: self.cell.clone() }
    }
}

impl<S> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<S, F> fmt::Debug for WaitUntil<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitUntil").finish_non_exhaustive()
    }
}
