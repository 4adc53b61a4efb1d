//! Waking those who wait for a store to change, inside one process, without polling.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// What a waiter waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interest {
    /// Something that a worker could claim: a run without a holder, a message, a queued activity.
    Work,
    /// A run has closed.
    Closings,
    /// A request was answered.
    Answers,
}

/// How much of the changes a waiter has seen. The default has seen nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// Counts changes and wakes waiters: the part of [`Backend::changed`](super::Backend::changed) that every store needs.
///
/// It knows no runtime. A store calls [`announce`](Self::announce) after a commit, and answers `changed` by
/// [`wait`](Self::wait).
#[derive(Debug, Default)]
pub struct Changes {
    work: Mutex<Count>,
    closings: Mutex<Count>,
    answers: Mutex<Count>,
}

#[derive(Debug, Default)]
struct Count {
    mark: Mark,
    next_waiter: u64,
    waiters: BTreeMap<u64, Waker>,
}

impl Changes {
    /// Wakes all who wait for this.
    pub fn announce(&self, interest: Interest) {
        let woken = {
            let mut count = self.count(interest);
            count.mark.0 += 1;
            std::mem::take(&mut count.waiters)
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// What has been announced until now.
    #[must_use]
    pub fn mark(&self, interest: Interest) -> Mark {
        self.count(interest).mark
    }

    /// Resolves when there is more than `seen`. Cancel safe: dropping it forgets the waiter.
    pub async fn wait(&self, interest: Interest, seen: Mark) -> Mark {
        let mut waiter = Waiter { changes: self, interest, key: None };
        poll_fn(|cx| {
            let mut count = self.count(interest);
            if count.mark > seen {
                return Poll::Ready(count.mark);
            }
            let key = *waiter.key.get_or_insert_with(|| {
                count.next_waiter += 1;
                count.next_waiter
            });
            count.waiters.insert(key, cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn count(&self, interest: Interest) -> MutexGuard<'_, Count> {
        let count = match interest {
            Interest::Work => &self.work,
            Interest::Closings => &self.closings,
            Interest::Answers => &self.answers,
        };
        count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waiter<'a> {
    changes: &'a Changes,
    interest: Interest,
    key: Option<u64>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.changes.count(self.interest).waiters.remove(&key);
        }
    }
}
