//! State that handlers and the main body share, and waiting for it to be so.
//!
//! Nothing is persisted: the state is what the code makes of its events, and replay makes the same of them again. It is
//! borrowed in closures, which cannot hold it across an await; whoever changes it wakes those who wait for a change.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Waker;

use super::WorkflowContext;

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
///     Ok(saved.read(|saved| *saved))
/// }
/// ```
pub struct Shared<S> {
    pub(super) cx: WorkflowContext,
    pub(super) cell: Arc<Cell<S>>,
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

impl WorkflowContext {
    /// Shares a value between the branches of this code and its handlers.
    ///
    /// # Determinism
    /// Nothing is persisted.
    pub fn share<S: Send + 'static>(&self, value: S) -> Shared<S> {
        let (value, waiting) = (Mutex::new(value), Mutex::default());
        Shared { cx: self.clone(), cell: Arc::new(Cell { value, waiting }) }
    }
}

impl<S: Send + 'static> Shared<S> {
    /// Borrows the value to change it, and then wakes whoever [waits](WorkflowContext::wait_until) for it.
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

    /// Borrows the value to read it. Wakes nobody.
    ///
    /// # Panics
    /// Inside of a [`with`](Self::with) of the same value, and inside of another `read` of it.
    #[track_caller]
    pub fn read<R>(&self, borrow: impl FnOnce(&S) -> R) -> R {
        borrow(&self.cell.lock())
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

    /// Puts someone in line for the next change; it keeps its place.
    pub(super) fn wait(&self, place: &mut Option<u64>, waker: &Waker) {
        let mut waiting = self.waiting();
        let place = *place.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        let before = waiting.wakers.insert(place, waker.clone());
        drop(waiting);
        drop(before);
    }

    /// Someone waits no longer.
    pub(super) fn leave(&self, place: u64) {
        let waker = self.waiting().wakers.remove(&place);
        drop(waker);
    }

    fn wake(&self) {
        if self.waiting().wakers.is_empty() {
            return;
        }
        let woken = std::mem::take(&mut self.waiting().wakers);
        woken.into_values().for_each(Waker::wake);
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
