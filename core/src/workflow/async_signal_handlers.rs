//! Async handlers of signals: each signal begins a task, which may call activities and sleep.
//!
//! Nothing is persisted beside the signals and what the handlers do. Replay begins them again, at the same events, in the
//! same order.

use std::panic::Location;

use serde::de::DeserializeOwned;

use super::names::NamesSignal;
use super::shared::Shared;
use super::updates::failure_of;
use super::{WorkflowContext, WorkflowResult};

impl<S: Send + 'static> Shared<S> {
    /// Has an async closure handle each signal of a [type](super::SignalType), or of a name, from now on: those that came
    /// before first, in order; one that is no `T` is set aside.
    ///
    /// Each call of it is a task of its own: handlers begin in the order of their signals, and then run side by side,
    /// those of one name too; what each does before its first await is done before the next one begins. Where one is to
    /// wait for the other, they share a [`Mutex`](super::Mutex), which is fair, or the code takes
    /// [`signals`](WorkflowContext::signals) in a loop instead. In the order of an event they stand where
    /// [`handle_signal`](Self::handle_signal) says.
    ///
    /// An error that it returns fails the run, as one of the main body would; only that it was cancelled, by a cancel
    /// request of the run or of a scope, ends it alone. The main body learns of neither.
    ///
    /// When the function returns, handlers that still run are dropped, and what they await is cancelled as everything that
    /// is open then; their signals have been read, and do not go to the successor of a run that continues as new.
    /// [`handlers_finished`](WorkflowContext::handlers_finished) waits for them.
    ///
    /// # Determinism
    /// Persists what the handler calls; nothing of the handler itself.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// #[retell::activity]
    /// async fn ship(_cx: ActivityContext, item: String) -> Result<(), ActivityError> {
    ///     Ok(())
    /// }
    ///
    /// /// Ships what it is told to, several items at a time, until so many are on their way.
    /// #[retell::workflow]
    /// async fn warehouse(cx: WorkflowContext, items: usize) -> WorkflowResult<()> {
    ///     let shipped = cx.share(0);
    ///     shipped.handle_signal_async("ship", async |cx, shipped, item: String| {
    ///         cx.activity(ship, &item).await?;
    ///         shipped.with(|shipped| *shipped += 1);
    ///         Ok(())
    ///     });
    ///     cx.wait_until(&shipped, |shipped| *shipped >= items).await?;
    ///     Ok(cx.handlers_finished().await?)
    /// }
    /// ```
    #[track_caller]
    pub fn handle_signal_async<T, H, F>(&self, signal: impl NamesSignal<T>, handler: H)
    where
        T: DeserializeOwned + Send + 'static,
        H: Fn(WorkflowContext, Self, T) -> F + Send + 'static,
        F: Future<Output = WorkflowResult<()>> + Send + 'static,
    {
        let (shared, location) = (self.clone(), Location::caller());
        self.for_each_signal(signal, location, move |value, headers| {
            let world = shared.cx.world().clone();
            world.handler_begins(location);
            let run = handler(shared.cx.carrying(headers.clone()), shared.clone(), value);
            let task = async move {
                match run.await {
                    Err(error) if !error.is_cancelled() => world.fail(location, failure_of(&error)),
                    Ok(()) | Err(_) => world.handler_ends(location),
                }
            };
            shared.cx.world().spawn(location, Box::pin(task));
        });
    }
}
