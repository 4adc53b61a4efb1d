//! The third seam: where an engine lives. What runs its tasks and draws its IDs; a tokio runtime unless told otherwise.
//!
//! A tester hosts engines on one thread, in an order of its own choosing. Imports nothing; `worker` and `client` spawn
//! through here and nowhere else.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use uuid::Uuid;

/// What a task of an engine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The engine's own: claims, commits, leases, timers.
    Engine,
    /// Polls workflow code. No async runtime is to be entered while it is polled, so that code which reaches for one
    /// is found out.
    WorkflowTask,
    /// Runs the body of an async activity, or waits for that of a blocking one.
    ActivityBody,
    /// Runs the closure of a side effect.
    SideEffectBody,
}

/// Stops a task: its future is dropped, and never polled again. Called at most once; later than its end it does nothing.
pub type Abort = Box<dyn Fn() + Send + Sync>;

/// What an engine is put on instead of a tokio runtime. Called from whichever thread polls its tasks, often from
/// within one of them.
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Takes a task, to be polled when it is woken, until it ends or is aborted. It is not polled before this returns.
    fn spawn(&self, role: Role, task: BoxFuture<'static, ()>) -> Abort;

    /// Takes the body of a blocking activity, to be called once on a thread that it may block. It does not panic.
    fn spawn_blocking(&self, body: Box<dyn FnOnce() + Send>);

    /// Draws an ID that this and all other hosts on the same store have never drawn: a UUIDv7 for preference, since
    /// stores keep new runs together by its time.
    fn fresh_id(&self) -> Uuid;
}

/// Where the parts of an engine run. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    /// The tokio runtime that is entered when something is spawned.
    Runtime,
    Hosted(Arc<dyn Host>),
}

/// Stops a task of an engine.
pub(crate) enum TaskHandle {
    Runtime(tokio::task::AbortHandle),
    Hosted(Abort),
}

impl TaskHandle {
    pub(crate) fn abort(&self) {
        match self {
            Self::Runtime(handle) => handle.abort(),
            Self::Hosted(abort) => abort(),
        }
    }
}

impl Home {
    /// Runs a task on its own.
    pub(crate) fn spawn(&self, role: Role, task: impl Future<Output = ()> + Send + 'static) -> TaskHandle {
        match self {
            Self::Runtime => TaskHandle::Runtime(tokio::spawn(task).abort_handle()),
            Self::Hosted(host) => TaskHandle::Hosted(host.spawn(role, Box::pin(task))),
        }
    }

    /// How many tasks can run at the same time, on the runtime that is entered.
    pub(crate) fn threads(&self) -> usize {
        match self {
            Self::Runtime => tokio::runtime::Handle::current().metrics().num_workers(),
            Self::Hosted(_) => 1,
        }
    }

    /// Lets other tasks of this thread have their turn.
    pub(crate) async fn yield_now(&self) {
        if let Self::Runtime = self {
            tokio::task::yield_now().await;
        }
    }

    /// Runs a task on its own: a first part, then the rest with what came of it.
    ///
    /// On tokio the first part begins here and now, on the thread of whoever spawns it and within the runtime that is
    /// entered: so that what it sends is on its way before another thread has woken up.
    pub(crate) fn spawn_begun<T: Send + 'static>(
        &self,
        role: Role,
        first: impl Future<Output = T> + Send + 'static,
        rest: impl FnOnce(T) + Send + 'static,
    ) {
        match self {
            Self::Runtime => {
                let mut first = Box::pin(first);
                match poll_now(first.as_mut()) {
                    Some(Poll::Ready(done)) => _ = tokio::spawn(async move { rest(done) }),
                    Some(Poll::Pending) => _ = tokio::spawn(async move { rest(first.await) }),
                    None => {}
                }
            }
            hosted @ Self::Hosted(_) => _ = hosted.spawn(role, async move { rest(first.await) }),
        }
    }

    /// Calls a body on a thread that it may block.
    ///
    /// # Errors
    /// What it panicked with; `None` if it was never called, or its end never heard of, because the host is shutting
    /// down.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Option<Box<dyn Any + Send>>> {
        match self {
            Self::Runtime => {
                tokio::task::spawn_blocking(body).await.map_err(|error| error.try_into_panic().ok())
            }
            Self::Hosted(host) => {
                let (sender, receiver) = oneshot::channel();
                host.spawn_blocking(Box::new(move || {
                    // Nobody may be waiting any more.
                    let _ = sender.send(catch_unwind(AssertUnwindSafe(body)));
                }));
                receiver.await.map_err(|_| None)?.map_err(Some)
            }
        }
    }

    /// Calls what runs workflow code, on a thread that no runtime has entered. `None` if its end is never heard of,
    /// because the host is shutting down, or no thread could be had.
    pub(crate) async fn run_workflow_code<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        // Nobody may be waiting any more.
        let run = move || _ = sender.send(body());
        match self {
            Self::Runtime => {
                let thread = std::thread::Builder::new().name("retell-query".to_owned());
                thread.spawn(run).ok()?;
            }
            hosted @ Self::Hosted(_) => _ = hosted.spawn(Role::WorkflowTask, async move { run() }),
        }
        receiver.await.ok()
    }

    /// An ID that nobody has drawn.
    pub(crate) fn fresh_id(&self) -> Uuid {
        match self {
            Self::Runtime => Uuid::now_v7(),
            Self::Hosted(host) => host.fresh_id(),
        }
    }
}

/// Polls a task outside of any; `None` if it panicked, of which nobody hears but the panic hook, as in a task of its own.
/// Nobody hears its waker: whoever calls this polls again at once, from the task that it goes on as.
fn poll_now<T>(task: Pin<&mut impl Future<Output = T>>) -> Option<Poll<T>> {
    let mut cx = std::task::Context::from_waker(Waker::noop());
    catch_unwind(AssertUnwindSafe(|| task.poll(&mut cx))).ok()
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
        match self.room.as_mut().as_pin_mut().and_then(poll_now) {
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

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").finish_non_exhaustive()
    }
}
