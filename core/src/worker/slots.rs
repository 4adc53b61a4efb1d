//! Slots: how many activity bodies run at once, and who goes first.
//!
//! A call whose commit is under way holds no slot. When it is acknowledged it takes one, or stands in line for the next
//! that is free; who comes from the queue stands in the same line. The line may be several times as long as there are
//! slots while it moves quickly, so that short bodies stay off the queue; when it moves slowly nobody joins it, and the
//! queue offers the work to others. While older calls may wait in the queue, a new call goes there too (promise H11).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::activities::ActivityJob;

/// How many times as many calls as slots may be here while the line moves quickly.
const LINE_FACTOR: usize = 32;
/// The longest wait in a line that moves quickly: about what it takes another process to notice work in the queue.
const QUICK: Duration = Duration::from_millis(100);

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
    /// Each with the elapsed time at which it came.
    waiting: VecDeque<(Duration, Box<ActivityJob>)>,
    /// How long the last one waited that left the line.
    last_wait: Duration,
    backlog: bool,
}

impl Slots {
    pub(super) fn new(count: usize, freed: Arc<Notify>, wanted: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { count: count.max(1), line: Mutex::default(), freed, wanted })
    }

    /// How many more calls there is room for at this elapsed time.
    pub(super) fn room(&self, now: Duration) -> usize {
        self.lock().room(self.count, now)
    }

    /// How many new calls may run here without a row in the queue: none while older ones wait there.
    pub(super) fn room_for_new(&self, now: Duration) -> usize {
        let line = self.lock();
        if line.backlog { 0 } else { line.room(self.count, now) }
    }

    /// Puts a job at the end of the line.
    pub(super) fn join(&self, job: Box<ActivityJob>, now: Duration) {
        self.lock().waiting.push_back((now, job));
    }

    /// Takes a free slot for the first in line.
    pub(super) fn next(self: &Arc<Self>, now: Duration) -> Option<Admitted> {
        let mut line = self.lock();
        if line.taken >= self.count {
            return None;
        }
        let (came, job) = line.waiting.pop_front()?;
        line.last_wait = now.saturating_sub(came);
        line.taken += 1;
        let more = line.taken < self.count && !line.waiting.is_empty();
        Some(Admitted { slot: Slot(self.clone()), job, more })
    }

    /// How many bodies run, and how many calls stand in line.
    pub(super) fn counts(&self) -> [usize; 2] {
        let line = self.lock();
        [line.taken, line.waiting.len()]
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
    fn room(&self, count: usize, now: Duration) -> usize {
        let waited = self.waiting.front().map_or(self.last_wait, |(came, _)| now.saturating_sub(*came));
        let idle = self.taken < count && self.waiting.is_empty();
        let limit = if idle || waited <= QUICK { count * LINE_FACTOR } else { count };
        limit.saturating_sub(self.taken + self.waiting.len())
    }
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots")
            .field("count", &self.count)
            .field("taken", &self.lock().taken)
            .finish_non_exhaustive()
    }
}

/// Who was first in line, and has a slot.
pub(super) struct Admitted {
    pub(super) slot: Slot,
    pub(super) job: Box<ActivityJob>,
    /// Whether the next could begin, too.
    pub(super) more: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::activities::tests::job;

    const START: Duration = Duration::from_secs(100);

    fn slots(count: usize) -> Arc<Slots> {
        Slots::new(count, Arc::default(), Arc::default())
    }

    #[test]
    fn the_first_in_line_gets_the_slot_that_is_freed() {
        let slots = slots(1);
        (1..=3).for_each(|scheduled| slots.join(job(scheduled), START));
        let first = slots.next(START).unwrap();
        assert!(!first.more && slots.next(START).is_none());
        drop(first.slot);
        let second = slots.next(START).unwrap();
        assert_eq!((first.job.info.scheduled.0, second.job.info.scheduled.0), (1, 2));
        assert!(slots.next(START).is_none());
    }

    #[test]
    fn nobody_joins_a_line_that_does_not_move() {
        let slots = slots(2);
        (1..=3).for_each(|scheduled| slots.join(job(scheduled), START));
        let _taken = [slots.next(START), slots.next(START)];
        assert!(slots.next(START).is_none());
        assert_eq!(slots.room_for_new(START), 2 * LINE_FACTOR - 3);
        assert_eq!(slots.room_for_new(START + 2 * QUICK), 0);
    }

    #[test]
    fn a_new_call_does_not_pass_those_in_the_queue() {
        let slots = slots(2);
        slots.set_backlog(true);
        assert_eq!(slots.room_for_new(START), 0);
        assert!(slots.room(START) > 0);
    }
}
