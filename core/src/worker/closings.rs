//! Closings: who waits for a run's end, and telling them without a poll.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::backend::Mark;
use crate::history::EventKind;
use crate::vocabulary::{RunId, RunKey};

/// Those who wait for runs to close.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    waiting: Mutex<HashMap<RunId, Awaited>>,
    next_waiter: AtomicU64,
    /// Whether someone has come to wait, since the last look, for a run that this process may not run.
    new_elsewhere: AtomicBool,
    /// Held by the one waiter who watches the store for all.
    pub(crate) watch: tokio::sync::Mutex<Watch>,
}

/// How far the watching has come: who watches next goes on from here, and rests as long as the one before would have.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// What had closed when the last look that came to its end began.
    pub(crate) seen: Mark,
    /// When the last look ended, or began if nobody saw it to its end.
    pub(crate) looked_at: Duration,
    /// The rest after it.
    pub(crate) rest: Duration,
    /// Whether all that it looked at runs in this process.
    pub(crate) all_here: bool,
}

#[derive(Debug)]
struct Awaited {
    run: RunKey,
    /// Whether this process runs it, so that its end is told here without a look at the store.
    here: bool,
    waiters: Vec<(u64, oneshot::Sender<EventKind>)>,
}

/// One who waits for a run's closing event. Dropping it forgets the waiter.
#[derive(Debug)]
pub(crate) struct Waiter {
    closings: Arc<Closings>,
    run_id: RunId,
    key: u64,
    receiver: oneshot::Receiver<EventKind>,
}

impl Waiter {
    /// The closing event; `None` if it cannot be read. Cancel safe.
    pub(crate) async fn closed(&mut self) -> Option<EventKind> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.closings.lock();
        if let Entry::Occupied(mut awaited) = waiting.entry(self.run_id) {
            awaited.get_mut().waiters.retain(|(key, _)| *key != self.key);
            if awaited.get().waiters.is_empty() {
                awaited.remove();
            }
        }
    }
}

impl Closings {
    /// Waits for a run's closing event; register before the run can close, or read its state afterwards.
    pub(crate) fn register(self: &Arc<Self>, run: &RunKey, here: bool) -> Waiter {
        let (sender, receiver) = oneshot::channel();
        let key = self.next_waiter.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.lock();
        let awaited = waiting.entry(run.run_id).or_insert_with(|| Awaited {
            run: run.clone(),
            here,
            waiters: Vec::new(),
        });
        awaited.here &= here;
        if !here {
            self.new_elsewhere.store(true, Ordering::Relaxed);
        }
        awaited.waiters.push((key, sender));
        Waiter { closings: self.clone(), run_id: run.run_id, key, receiver }
    }

    /// Tells who waits that the run has closed.
    pub(crate) fn closed(&self, run_id: RunId, kind: &EventKind) {
        let awaited = self.lock().remove(&run_id);
        for (_, waiter) in awaited.into_iter().flat_map(|awaited| awaited.waiters) {
            // A waiter that is gone no longer wants to know.
            let _ = waiter.send(kind.clone());
        }
    }

    /// Lets those go who wait for a run whose closing event cannot be read: they read it themselves, and see why.
    pub(crate) fn unreadable(&self, run_id: RunId) {
        self.lock().remove(&run_id);
    }

    /// The runs that someone waits for, and whether this process runs them all.
    pub(crate) fn awaited(&self) -> (Vec<RunKey>, bool) {
        let waiting = self.lock();
        self.new_elsewhere.store(false, Ordering::Relaxed);
        let all_here = waiting.values().all(|awaited| awaited.here);
        (waiting.values().map(|awaited| awaited.run.clone()).collect(), all_here)
    }

    /// Whether someone waits, since [`awaited`](Self::awaited), for a run that this process may not run.
    pub(crate) fn new_elsewhere(&self) -> bool {
        self.new_elsewhere.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Awaited>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
