//! The gate: attempts that have done their work wait here until the explorer lets them end.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::fakes::{Call, Gate};

/// Attempts that wait to end, in the order in which they came.
#[derive(Clone, Default)]
pub(super) struct ExplorerGate(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    came: u64,
    attempts: BTreeMap<u64, Attempt>,
}

struct Attempt {
    call: Call,
    outcomes: usize,
    open: oneshot::Sender<usize>,
}

/// An attempt that waits; if it is dropped there, it waits no more.
struct Passing {
    gate: ExplorerGate,
    key: u64,
    opened: oneshot::Receiver<usize>,
}

impl ExplorerGate {
    /// The attempts that wait, and how many outcomes each may have.
    pub(super) fn waiting(&self) -> Vec<(Call, usize)> {
        self.lock().attempts.values().map(|attempt| (attempt.call.clone(), attempt.outcomes)).collect()
    }

    /// Lets an attempt end; `false` if it does not wait here.
    pub(super) fn open(&self, call: &Call, outcome: usize) -> bool {
        let mut waiting = self.lock();
        let key = waiting.attempts.iter().find(|(_, attempt)| attempt.call == *call).map(|(key, _)| *key);
        let attempt = key.and_then(|key| waiting.attempts.remove(&key));
        drop(waiting);
        attempt.is_some_and(|attempt| attempt.open.send(outcome).is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for ExplorerGate {
    fn pass(&self, call: &Call, outcomes: usize) -> BoxFuture<'static, usize> {
        let (open, opened) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.came += 1;
        let key = waiting.came;
        waiting.attempts.insert(key, Attempt { call: call.clone(), outcomes, open });
        Box::pin(Passing { gate: self.clone(), key, opened })
    }
}

impl Future for Passing {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        match Pin::new(&mut self.opened).poll(cx) {
            Poll::Ready(Ok(outcome)) => Poll::Ready(outcome),
            // The schedule is over.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.gate.lock().attempts.remove(&self.key);
    }
}
