//! All propagators and interceptors of an engine or a client, and how they nest.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::propagator::within;
use super::{ContextPropagator, Interceptor};
use crate::activity::{ActivityContext, ActivityRun, block_on};
use crate::vocabulary::{Failure, Headers, Payload};

/// What was registered, in order. Without any, nothing is allocated and nothing called.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) propagators: Vec<Arc<dyn ContextPropagator>>,
    pub(crate) interceptors: Vec<Arc<dyn Interceptor>>,
}

impl Surroundings {
    /// Does some work with the context of these headers current.
    pub(crate) fn within<T>(&self, headers: &Headers, work: impl FnOnce() -> T) -> T {
        within(&self.propagators, headers, work)
    }

    /// Polls a future with the context of these headers current.
    pub(crate) async fn surround<T>(&self, headers: &Headers, future: impl Future<Output = T>) -> T {
        if self.propagators.is_empty() {
            return future.await;
        }
        let mut future = pin!(future);
        std::future::poll_fn(|cx| self.within(headers, || future.as_mut().poll(cx))).await
    }

    /// What an attempt is given.
    pub(crate) fn prepare_attempt(&self, cx: ActivityContext) -> ActivityContext {
        self.interceptors.iter().fold(cx, |cx, interceptor| interceptor.prepare_attempt(cx))
    }

    /// Puts the interceptors around an attempt.
    pub(crate) fn attempt(&self, cx: &ActivityContext, input: &Payload, run: ActivityRun) -> ActivityRun {
        if self.interceptors.is_empty() {
            return run;
        }
        let around = |body: BoxFuture<'static, Result<Payload, Failure>>| {
            self.interceptors.iter().rfold(body, |body, interceptor| interceptor.attempt(cx, input, body))
        };
        match run {
            ActivityRun::Async(body) => ActivityRun::Async(around(body)),
            ActivityRun::Blocking(body) => {
                let attempt = around(Box::pin(async move { body() }));
                ActivityRun::Blocking(Box::new(move || block_on(attempt)))
            }
        }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("propagators", &self.propagators.len())
            .field("interceptors", &self.interceptors.len())
            .finish()
    }
}
