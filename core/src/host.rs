//! The third seam: where an engine lives. What runs its tasks and draws its IDs; a tokio runtime unless told otherwise.
//!
//! A tester hosts engines on one thread, in an order of its own choosing. Imports nothing; `worker` and `client` spawn
//! through here and nowhere else.

mod begun;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use uuid::Uuid;

pub(crate) use begun::Threshold;

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

    /// Runs a task on its own, which begins here and now, as far as it comes without waiting; a host begins it later.
    ///
    /// What it sends is on its way before another thread has woken up; and none is woken until what it waits for is there.
    pub(crate) fn begin(&self, role: Role, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Runtime => begun::begin(task),
            hosted @ Self::Hosted(_) => _ = hosted.spawn(role, task),
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

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").finish_non_exhaustive()
    }
}
