//! Cancellation scopes: which awaits end when one is cancelled.
//!
//! A scope knows what waits in it and in the scopes inside of it; that is touched only under the lock of the
//! [`State`](super::state::State). It lives as long as a context, or a call, that belongs to it.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::operations::Slot;
use super::state::Aftermath;
use super::world::World;

/// A part of the code whose awaits can be cancelled apart from the rest. Clones are the same scope.
#[derive(Debug, Clone)]
pub(crate) struct Scope(Arc<Node>);

#[derive(Debug)]
struct Node {
    parent: Option<Scope>,
    cancelled: AtomicBool,
    /// What waits in here, by the order of first polls.
    waiting: Mutex<BTreeMap<u64, Slot>>,
}

impl Scope {
    /// A scope inside of another, or on its own.
    pub(crate) fn new(parent: Option<Self>) -> Self {
        let (cancelled, waiting) = (AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Node { parent, cancelled, waiting }))
    }

    /// Whether it, or one around it, was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.outwards().any(|scope| scope.0.cancelled.load(Ordering::Relaxed))
    }

    /// Ends each await in here, in the order of first polls. Counts only while the machine polls the code.
    pub(crate) fn cancel(&self, world: &World, location: &'static Location<'static>) {
        if !world.is_polled_here(location) {
            return;
        }
        let mut aftermath = Aftermath::default();
        world.state().cancel_scope(self, &mut aftermath);
        aftermath.wakers.into_iter().for_each(Waker::wake);
    }

    /// Marks it, and hands out what waits in it. Nothing the second time.
    pub(super) fn begin_cancel(&self) -> BTreeMap<u64, Slot> {
        match self.0.cancelled.swap(true, Ordering::Relaxed) {
            true => BTreeMap::new(),
            false => std::mem::take(&mut self.waiting()),
        }
    }

    pub(super) fn enter(&self, first_polled: u64, slot: Slot) {
        self.outwards().for_each(|scope| _ = scope.waiting().insert(first_polled, slot));
    }

    pub(super) fn leave(&self, first_polled: u64) {
        self.outwards().for_each(|scope| _ = scope.waiting().remove(&first_polled));
    }

    /// It and all around it.
    fn outwards(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.0.parent.as_ref())
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, Slot>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
