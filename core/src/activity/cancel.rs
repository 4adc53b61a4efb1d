//! The flag by which a worker tells a running activity to stop.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// A shared flag that is raised once and never lowered. Clones are the same flag.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<State>);

#[derive(Debug, Default)]
struct State {
    raised: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl CancelFlag {
    /// Raises the flag and wakes who waits for it. Raising it again does nothing.
    pub fn cancel(&self) {
        if self.0.raised.swap(true, Ordering::SeqCst) {
            return;
        }
        let waiting = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether the flag is up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Resolves when the flag goes up. Cancel safe.
    pub async fn cancelled(&self) {
        poll_fn(|context| {
            if self.is_cancelled() {
                return Poll::Ready(());
            }
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            // The flag may have gone up before the waker was there to be woken.
            if self.is_cancelled() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::task::noop_waker_ref;
    use std::task::Context;

    use super::*;

    #[test]
    fn raising_it_wakes_whoever_waits() {
        let (flag, woken) = (CancelFlag::default(), Arc::new(Counter::default()));
        let mut waiting = Box::pin(flag.cancelled());
        let waker = Waker::from(woken.clone());
        assert!(waiting.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        flag.clone().cancel();
        flag.cancel();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(waiting.poll_unpin(&mut Context::from_waker(noop_waker_ref())).is_ready());
    }

    #[test]
    fn polling_again_keeps_one_waker() {
        let flag = CancelFlag::default();
        for _ in 0..100 {
            assert!(flag.cancelled().now_or_never().is_none());
        }
        assert_eq!(flag.0.waiting.lock().unwrap().len(), 1);
    }

    #[derive(Default)]
    struct Counter(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}
