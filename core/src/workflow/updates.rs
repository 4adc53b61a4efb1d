//! Updates: requests that a workflow checks, carries out, and answers.
//!
//! Persisted: the request when history takes it in ([`UpdateRequested`]); whether it was let in; what came of it. Replay
//! calls the validator and the handler again at the same events and compares that they decide and end as they did. The
//! answers are kept by the store under the request's ID, for whoever asked, wherever he waits.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::names::NamesUpdate;
use super::shared::{Cell, Shared};
use super::{WorkflowContext, WorkflowError, WorkflowResult};
use crate::history::{UpdateRefusal, UpdateRequested};
use crate::replay::{Updates, World, panic_message};
use crate::vocabulary::{Failure, FailureKind, Payload};

impl<S: Send + 'static> Shared<S> {
    /// Has an async closure carry out each update of a [type](super::UpdateType), or of a name, from now on: those that
    /// came before first, in order.
    ///
    /// Each call of it is a task of its own: it may call activities and sleep, beside the main body and other handlers,
    /// with which it runs in the order that [`handle_signal`](Self::handle_signal) says. What it returns is the caller's
    /// answer; an error fails the update, not the run.
    ///
    /// What waits for a handler: updates wait until the code has registered its first one. From the end of that step on,
    /// an update of a name without a handler is refused. When the function returns, handlers that still run are dropped
    /// ([`handlers_finished`](WorkflowContext::handlers_finished) waits for them), and their callers are told that the run has ended first; updates that were not let in yet go to the successor of
    /// a run that continues as new.
    ///
    /// # Panics
    /// If the name has a handler already, or is none.
    ///
    /// # Determinism
    /// Persists whether each update was let in, and what came of it.
    #[track_caller]
    pub fn handle_update<I, O, H, F>(&self, update: impl NamesUpdate<I, O>, handler: H)
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        H: Fn(WorkflowContext, Self, I) -> F + Send + 'static,
        F: Future<Output = WorkflowResult<O>> + Send + 'static,
    {
        self.handle_valid_update(update, |_, _| Ok(()), handler);
    }

    /// As [`handle_update`](Self::handle_update), with a validator, which sees the shared value and the argument: what it
    /// returns an error for is refused, and its caller gets the error. It changes nothing; if it panics, the update is
    /// refused.
    ///
    /// # Panics
    /// As there.
    ///
    /// # Determinism
    /// As there.
    #[track_caller]
    pub fn handle_valid_update<I, O, V, H, F>(&self, update: impl NamesUpdate<I, O>, validator: V, handler: H)
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        V: Fn(&S, &I) -> WorkflowResult<()> + Send + 'static,
        H: Fn(WorkflowContext, Self, I) -> F + Send + 'static,
        F: Future<Output = WorkflowResult<O>> + Send + 'static,
    {
        let name = update.update_name().unwrap_or_else(|error| panic!("{error}"));
        let (cx, location) = (self.cx.clone(), Location::caller());
        let updates = Updates::of(cx.world().clone(), cx.manner(location), name.clone());
        let mut updates = updates.unwrap_or_else(|| panic!("update {name:?} has two handlers"));
        let shared = self.clone();
        cx.world().clone().spawn(
            location,
            Box::pin(async move {
                loop {
                    let update = std::future::poll_fn(|task| updates.poll_next(task)).await;
                    match admitted(cx.world(), &update)
                        .and_then(|()| valid(&shared.cell, &update, &validator))
                    {
                        Ok(argument) => {
                            cx.world().accept_update(location, &update);
                            let run = handler(cx.carrying(update.headers.clone()), shared.clone(), argument);
                            cx.world()
                                .spawn(location, Box::pin(end(cx.world().clone(), location, update, run)));
                        }
                        Err((refusal, failure)) => {
                            cx.world().reject_update(location, &update, refusal, *failure);
                        }
                    }
                }
            }),
        );
    }
}

/// Whether interceptors let an update go to its validator.
fn admitted(world: &World, update: &UpdateRequested) -> Result<(), (UpdateRefusal, Box<Failure>)> {
    let Some(around) = world.around() else { return Ok(()) };
    around.admit_update(world, update).map_err(|failure| (UpdateRefusal::Validator, failure))
}

/// The argument of an update, if it is one and the validator lets it in.
fn valid<S, I: DeserializeOwned>(
    cell: &Arc<Cell<S>>,
    update: &UpdateRequested,
    validator: &impl Fn(&S, &I) -> WorkflowResult<()>,
) -> Result<I, (UpdateRefusal, Box<Failure>)> {
    let argument = update.input.decode::<I>();
    let argument =
        argument.map_err(|error| (UpdateRefusal::Argument, Box::new(Failure::from_error(&error))))?;
    let checked = catch_unwind(AssertUnwindSafe(|| validator(&cell.lock(), &argument)));
    match checked.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) {
        Ok(()) => Ok(argument),
        Err(error) => Err((UpdateRefusal::Validator, Box::new(failure_of(&error)))),
    }
}

/// Carries an update out, and says what came of it.
async fn end<O: Serialize + Send + 'static>(
    world: World,
    location: &'static Location<'static>,
    update: UpdateRequested,
    run: impl Future<Output = WorkflowResult<O>> + Send + 'static,
) {
    let handler = async {
        let returned = run.await.and_then(|output| Ok(Payload::encode(&output)?));
        returned.map_err(|error| failure_of(&error))
    };
    let outcome = match world.around() {
        Some(around) => around.update(&world, &update, Box::pin(handler)).await,
        None => handler.await,
    };
    world.end_update(location, update.request_id, outcome);
}

fn panicked(panic: &(dyn Any + Send)) -> WorkflowError {
    Failure::of_kind(FailureKind::Panic, panic_message(panic)).into()
}

/// What history holds of an error; a handler cannot continue the run as new.
pub(super) fn failure_of(error: &WorkflowError) -> Failure {
    let none = || Failure::new("WorkflowError", "only the main body can continue the run as new");
    error.failure().cloned().unwrap_or_else(none)
}
