//! Slots: how many activity bodies run at once, and who goes first.
//!
//! A call whose commit is under way holds no slot. When it is acknowledged it takes one, or stands in line for the next
//! that is free; who comes from the queue stands in the same line. While older calls may wait in the queue, a new call
//! goes there too (promise H11).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::activities::ActivityJob;

/// The slots of one sort of activities, and the line before them.
pub(super) struct Slots {
    count: usize,
    line: Mutex<Line>,
    /// Told when a slot is free and somebody stands in line.
    pub(super) freed: Arc<Notify>,
    /// Told when a slot is free, nobody stands in line, and calls may wait in the queue.
    wanted: Arc<Notify>,
}

#[derive(Default)]
struct Line {
    taken: usize,
    waiting: VecDeque<Box<ActivityJob>>,
    backlog: bool,
}

impl Slots {
    pub(super) fn new(count: usize, freed: Arc<Notify>, wanted: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { count: count.max(1), line: Mutex::default(), freed, wanted })
    }

    /// How many more bodies could run at once.
    pub(super) fn room(&self) -> usize {
        self.lock().room(self.count)
    }

    /// How many new calls may run here without a row in the queue: none while older ones wait there.
    pub(super) fn room_for_new(&self) -> usize {
        let line = self.lock();
        if line.backlog { 0 } else { line.room(self.count) }
    }

    /// Takes a slot for a job, or puts it at the end of the line.
    pub(super) fn enter(self: &Arc<Self>, job: Box<ActivityJob>) -> Option<(Slot, Box<ActivityJob>)> {
        self.lock().waiting.push_back(job);
        self.next()
    }

    /// Takes a free slot for the first in line.
    pub(super) fn next(self: &Arc<Self>) -> Option<(Slot, Box<ActivityJob>)> {
        let mut line = self.lock();
        if line.taken >= self.count {
            return None;
        }
        let job = line.waiting.pop_front()?;
        line.taken += 1;
        Some((Slot(self.clone()), job))
    }

    /// Says whether calls may be waiting in the queue.
    pub(super) fn set_backlog(&self, backlog: bool) {
        self.lock().backlog = backlog;
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn room(&self, count: usize) -> usize {
        count.saturating_sub(self.taken + self.waiting.len())
    }
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots")
            .field("count", &self.count)
            .field("room", &self.room())
            .finish_non_exhaustive()
    }
}

/// A slot that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        let mut line = self.0.lock();
        line.taken -= 1;
        if !line.waiting.is_empty() {
            self.0.freed.notify_one();
        } else if line.backlog {
            self.0.wanted.notify_one();
        }
    }
}
