//! Polling a future on a thread of its own, without a runtime.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Polls a future to its end on this thread, without a runtime: for calls of an engine from code that blocks.
///
/// A [`BlockingActivity`](super::BlockingActivity) may, and whatever runs on a thread of its own
/// (`tokio::task::spawn_blocking`). On a runtime's own thread it would keep the other tasks from running.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
