//! Tasks that begin on the thread of whoever starts them, and become tasks of a tokio runtime only if they wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::Handle;

use super::{Home, Role, TaskHandle};

/// Begins a task here and now, within the runtime that is entered. If it waits, whatever wakes it spawns it there.
pub(super) fn begin<F: Future<Output = ()> + Send + 'static>(task: F) {
    let mut task = Box::pin(task);
    let begun =
        Arc::new(Begun { runtime: Handle::current(), stage: Mutex::new(Stage::Polled { woken: false }) });
    if let Some(Poll::Pending) = poll_now(task.as_mut(), &begun.clone().into()) {
        begun.wait(task);
    }
}

/// A task that was polled once.
struct Begun<F> {
    runtime: Handle,
    stage: Mutex<Stage<F>>,
}

enum Stage<F> {
    /// It is being polled for the first time.
    Polled { woken: bool },
    /// It waits, until its waker is called.
    Waiting(Pin<Box<F>>),
    /// It was spawned, or has ended.
    Gone,
}

impl<F: Future<Output = ()> + Send + 'static> Begun<F> {
    /// Keeps a task that is not done; spawns it if it has been woken meanwhile.
    fn wait(&self, task: Pin<Box<F>>) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Polled { woken: false } = *stage {
            *stage = Stage::Waiting(task);
            return;
        }
        *stage = Stage::Gone;
        drop(stage);
        self.runtime.spawn(task);
    }
}

impl<F: Future<Output = ()> + Send + 'static> Wake for Begun<F> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *stage, Stage::Gone) {
            Stage::Polled { .. } => *stage = Stage::Polled { woken: true },
            Stage::Waiting(task) => {
                drop(stage);
                self.runtime.spawn(task);
            }
            Stage::Gone => {}
        }
    }
}

/// Polls a task outside of any; `None` if it panicked, of which nobody hears but the panic hook, as in a task of its own.
fn poll_now<T>(task: Pin<&mut impl Future<Output = T>>, waker: &Waker) -> Option<Poll<T>> {
    catch_unwind(AssertUnwindSafe(|| task.poll(&mut Context::from_waker(waker)))).ok()
}

/// Where tasks of one sort begin one after the other.
///
/// On tokio each begins on the thread and within the task of whoever lets it begin, and becomes a task of its own only
/// when it waits: what ends at once needs none.
pub(crate) struct Threshold<F> {
    home: Home,
    /// The room in which the next one begins.
    room: Pin<Box<Option<F>>>,
}

impl<F: Future<Output = ()> + Send + 'static> Threshold<F> {
    pub(crate) fn new(home: &Home) -> Self {
        Self { home: home.clone(), room: Box::pin(None) }
    }

    /// Begins a task; `None` if it has ended.
    pub(crate) fn begin(&mut self, role: Role, task: F) -> Option<TaskHandle> {
        if let Home::Hosted(_) = self.home {
            return Some(self.home.spawn(role, task));
        }
        self.room.set(Some(task));
        // Nobody hears this waker: what waits is polled again at once, by the task that it goes on as.
        match self.room.as_mut().as_pin_mut().and_then(|task| poll_now(task, Waker::noop())) {
            Some(Poll::Pending) => {
                let mut begun = std::mem::replace(&mut self.room, Box::pin(None));
                Some(self.home.spawn(role, async move {
                    if let Some(task) = begun.as_mut().as_pin_mut() {
                        task.await;
                    }
                }))
            }
            Some(Poll::Ready(())) | None => {
                self.room.set(None);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_does_not_wait_has_ended_when_it_was_begun() {
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        begin(async move { end.store(true, Ordering::SeqCst) });
        assert!(ended.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn what_waits_goes_on_when_it_is_woken_from_a_thread_without_a_runtime() {
        let ((open, opened), (tell, told)) = (oneshot::channel::<u32>(), oneshot::channel());
        begin(async move { tell.send(opened.await).unwrap() });
        std::thread::spawn(|| open.send(7)).join().unwrap().unwrap();
        assert_eq!(told.await, Ok(Ok(7)));
    }

    #[tokio::test]
    async fn what_is_woken_while_it_is_first_polled_goes_on() {
        let (tell, told) = oneshot::channel();
        begin(async move {
            let mut polled = false;
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            tell.send(()).unwrap();
        });
        assert_eq!(told.await, Ok(()));
    }
}
