//! Slots: how many activities run at once, and who goes first when they are taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A pool of slots for activities of one sort.
///
/// While older calls may wait in the queue, a new call takes no slot directly but queues behind them (promise H11).
#[derive(Debug)]
pub(super) struct Slots {
    free: AtomicUsize,
    backlog: AtomicBool,
    freed: Arc<Notify>,
}

impl Slots {
    /// A pool that tells `freed` when a slot is given back while calls wait.
    pub(super) fn new(count: usize, freed: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(count), backlog: AtomicBool::new(false), freed })
    }

    /// Takes a slot for a new call, unless all are taken or older calls wait.
    pub(super) fn take_for_new(self: &Arc<Self>) -> Option<Slot> {
        if self.backlog.load(Ordering::Acquire) { None } else { self.take() }
    }

    /// Takes a slot for a call that was claimed from the queue.
    pub(super) fn take(self: &Arc<Self>) -> Option<Slot> {
        let less = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok()?;
        Some(Slot(self.clone()))
    }

    /// How many could be taken.
    pub(super) fn free(&self) -> usize {
        self.free.load(Ordering::Acquire)
    }

    /// Says whether calls may be waiting in the queue.
    pub(super) fn set_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::Release);
    }
}

/// A slot that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::AcqRel);
        if self.0.backlog.load(Ordering::Acquire) {
            self.0.freed.notify_one();
        }
    }
}
