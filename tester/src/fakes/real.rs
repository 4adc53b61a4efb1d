//! The real code of activities, on a runtime of its own; time stands still while it runs.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock};

use retell::activity::{ActivityContext, ActivityDefinition, ActivityRun};
use retell::around::{ContextPropagator, within};
use retell::vocabulary::{Failure, FailureKind, Payload};
use tokio::runtime::{Builder, Runtime};

use crate::world::RealCode;

/// A tokio runtime that is there once it is needed.
#[derive(Clone)]
pub(crate) struct RealRuntime {
    runtime: Arc<Lazy>,
    running: RealCode,
    propagators: Arc<OnceLock<Vec<Arc<dyn ContextPropagator>>>>,
}

#[derive(Default)]
struct Lazy(OnceLock<Runtime>);

impl RealRuntime {
    pub(crate) fn new(running: RealCode) -> Self {
        Self { runtime: Arc::default(), running, propagators: Arc::default() }
    }

    pub(crate) fn get(&self) -> &Runtime {
        self.runtime.0.get_or_init(|| {
            let built = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            built.expect("a runtime of one thread can be had")
        })
    }

    /// Carries context along with calls. The first time counts.
    pub(crate) fn propagate(&self, propagators: Vec<Arc<dyn ContextPropagator>>) {
        let _ = self.propagators.set(propagators);
    }

    /// Runs an attempt to its end.
    pub(super) async fn run(
        &self,
        code: &ActivityDefinition,
        cx: ActivityContext,
        input: &Payload,
    ) -> Result<Payload, Failure> {
        let running = self.running.begin(code.name().as_str());
        // What is current where the engine polls this is not so on another thread.
        let (headers, propagators) =
            (cx.headers().clone(), self.propagators.get().cloned().unwrap_or_default());
        let result = match code.start(cx, input) {
            // On the runtime itself, whose timers and sockets it may use.
            ActivityRun::Async(mut body) => {
                let body = poll_fn(move |cx| within(&propagators, &headers, || body.as_mut().poll(cx)));
                Abort(self.get().spawn(body)).await
            }
            ActivityRun::Blocking(body) => {
                let body = move || within(&propagators, &headers, body);
                self.get().spawn_blocking(body).await.map_err(|error| error.try_into_panic().ok())
            }
        };
        drop(running);
        match result {
            Ok(result) => result,
            Err(Some(panic)) => std::panic::resume_unwind(panic),
            Err(None) => Err(Failure::of_kind(FailureKind::Cancelled, "the tester is gone")),
        }
    }
}

/// A body that is dropped with whoever waits for it.
struct Abort(tokio::task::JoinHandle<Result<Payload, Failure>>);

impl Future for Abort {
    type Output = Result<Result<Payload, Failure>, Option<Box<dyn std::any::Any + Send>>>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let joined = std::pin::Pin::new(&mut self.0).poll(cx);
        joined.map(|joined| joined.map_err(|error| error.try_into_panic().ok()))
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Lazy {
    fn drop(&mut self) {
        // A test may itself run on a runtime, where waiting for one to end is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
