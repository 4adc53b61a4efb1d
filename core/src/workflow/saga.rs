//! Sagas: what was done is undone in reverse order when a later step fails.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{WorkflowContext, WorkflowError, WorkflowResult};
use crate::vocabulary::Failure;

/// Compensations of what a workflow has done, to be run in reverse order. See [`WorkflowContext::saga`].
#[must_use = "compensations run when the saga is concluded"]
pub struct Saga {
    cx: WorkflowContext,
    compensations: Vec<Compensation>,
    registered: usize,
    stops: bool,
}

struct Compensation {
    id: CompensationId,
    name: Arc<str>,
    call: BoxFuture<'static, WorkflowResult<()>>,
}

/// Which compensation of a [`Saga`]; for [`Saga::forget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompensationId(usize);

/// What a [`Saga`] could not undo: for a person, or a workflow, to see to.
///
/// It is in the `details` of the failure that [`Saga::conclude`] returns: decode them as this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{} failed, {} not tried", shown(.failed.iter().map(|failed| &failed.name)), shown(.skipped.iter()))]
pub struct Uncompensated {
    /// The compensations that failed for good, in the order in which they ran.
    pub failed: Vec<FailedCompensation>,
    /// Those that were not tried, in the order in which they would have run.
    pub skipped: Vec<Arc<str>>,
}

/// A compensation that failed for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedCompensation {
    /// The name under which it was registered.
    pub name: Arc<str>,
    /// Why.
    pub failure: Failure,
}

impl WorkflowContext {
    /// Begins a saga: register how to undo each step, and [`conclude`](Saga::conclude) with how it went.
    ///
    /// # Determinism
    /// Nothing is persisted of it; what compensations do is.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// #[retell::activity]
    /// async fn book(_cx: ActivityContext, what: String) -> Result<u64, ActivityError> {
    ///     Ok(what.len() as u64)
    /// }
    ///
    /// #[retell::activity]
    /// async fn give_back(_cx: ActivityContext, booking: u64) -> Result<(), ActivityError> {
    ///     Ok(())
    /// }
    ///
    /// #[retell::workflow]
    /// async fn trip(cx: WorkflowContext) -> WorkflowResult<[u64; 2]> {
    ///     let mut saga = cx.saga();
    ///     let booked = async {
    ///         let flight = cx.activity(book, &"flight".to_owned()).await?;
    ///         saga.undo("flight", |cx| cx.activity(give_back, &flight).retry(RetryPolicy::exponential()));
    ///         let hotel = cx.activity(book, &"hotel".to_owned()).await?;
    ///         saga.undo("hotel", |cx| cx.activity(give_back, &hotel));
    ///         Ok([flight, hotel])
    ///     }
    ///     .await;
    ///     saga.conclude(booked).await
    /// }
    /// ```
    pub fn saga(&self) -> Saga {
        Saga { cx: self.shielded(), compensations: Vec::new(), registered: 0, stops: false }
    }
}

impl Saga {
    /// Stops at the first compensation that fails, for those whose order matters; else the others still run.
    pub fn stop_at_failure(mut self) -> Self {
        self.stops = true;
        self
    }

    /// Registers how to undo a step.
    ///
    /// The closure makes a lazy future at once, from a context that neither a cancel request nor a cancelled scope
    /// reaches: a call, with its own retry policy, or an `async move` block of several. It is polled when the saga is
    /// undone, and never if it is not. For a step whose outcome may stay unknown (it may have been done although its call
    /// failed or was cancelled), register before the step, and let the compensation bear that there is nothing to undo;
    /// [`forget`](Self::forget) it if the step is known not to have been done.
    pub fn undo<F, T, E>(
        &mut self,
        name: impl Into<Arc<str>>,
        compensation: impl FnOnce(&WorkflowContext) -> F,
    ) -> CompensationId
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<WorkflowError>,
    {
        let call = compensation(&self.cx);
        let id = CompensationId(self.registered);
        self.registered += 1;
        let call = Box::pin(async move { call.await.map(drop).map_err(E::into) });
        self.compensations.push(Compensation { id, name: name.into(), call });
        id
    }

    /// Takes a compensation back: there is nothing to undo. Does nothing if it was taken back before.
    pub fn forget(&mut self, compensation: CompensationId) {
        self.compensations.retain(|registered| registered.id != compensation);
    }

    /// Undoes all that is registered, the last first, each after the other.
    ///
    /// # Errors
    /// [`Uncompensated`] names what could not be undone.
    ///
    /// # Determinism
    /// Persists what the compensations do. Dropped before its end it is like every await: what it has under way is
    /// cancelled, the rest is not done.
    pub async fn compensate(self) -> Result<(), Uncompensated> {
        let mut left = Uncompensated { failed: Vec::new(), skipped: Vec::new() };
        for Compensation { name, call, .. } in self.compensations.into_iter().rev() {
            if self.stops && !left.failed.is_empty() {
                left.skipped.push(name);
            } else if let Err(error) = call.await {
                let failure = error.failure().cloned().unwrap_or_else(|| not_an_end(&error));
                left.failed.push(FailedCompensation { name, failure });
            }
        }
        if left.failed.is_empty() { Ok(()) } else { Err(left) }
    }

    /// Ends the saga: passes a value on, and undoes everything before it passes an error on.
    ///
    /// To continue as new is no failure, and undoes nothing.
    ///
    /// # Errors
    /// The error that was given; or, if not all could be undone, one of the type `Uncompensated` with that error as its
    /// cause and [`Uncompensated`] as its details. Even of a cancelled run: it has failed then, for someone to look at.
    pub async fn conclude<T>(self, outcome: WorkflowResult<T>) -> WorkflowResult<T> {
        let error = match outcome {
            Err(error) if error.failure().is_some() => error,
            concluded => return concluded,
        };
        match self.compensate().await {
            Ok(()) => Err(error),
            Err(left) => Err(WorkflowError::new(format!("{error}; to be undone by hand: {left}"))
                .error_type("Uncompensated")
                .caused_by(&error)
                .details(&left)),
        }
    }
}

fn shown<'a>(names: impl ExactSizeIterator<Item = &'a Arc<str>>) -> String {
    if names.len() == 0 {
        return "none".to_owned();
    }
    names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// A compensation is no place to continue as new from.
fn not_an_end(error: &WorkflowError) -> Failure {
    Failure::new("WorkflowError", format!("a compensation cannot end its run: {error}")).non_retryable()
}

impl fmt::Debug for Saga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.compensations.iter().map(|compensation| &compensation.name);
        f.debug_struct("Saga").field("compensations", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
