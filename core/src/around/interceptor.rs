//! Interceptors: one trait, a method for each place where the user's own code may stand.

use std::sync::Arc;

use super::{Body, CallFault, ClientCall, OutboundCall};
use crate::activity::ActivityContext;
use crate::history::{SignalReceived, UpdateRequested};
use crate::replay::Conclusion;
use crate::vocabulary::{Failure, Headers, Payload, QueryName};
use crate::workflow::WorkflowContext;

/// Stands around calls of a client, runs, the calls that they make, and attempts of activities: to measure, to refuse,
/// to add headers, to change. Implement what you need; what you do not passes through.
///
/// Registered with [`Orchestrator::intercept`](crate::Orchestrator::intercept), for its engine or client. Several nest,
/// the one registered first outermost: its `prepare_` methods come first, its bodies hold the others'.
///
/// # Determinism
/// [`run`](Self::run), [`signal`](Self::signal), [`admit_update`](Self::admit_update), [`update`](Self::update) and
/// [`outbound`](Self::outbound) are part of the workflow's code: called again at each replay, and bound by the same
/// rules. What they call, let in, and change of an input must follow from the history alone, and a change of it is a
/// change of every workflow. What they measure and log is theirs; ask
/// [`is_replaying`](WorkflowContext::is_replaying). The other methods may do as they like.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use retell::around::{Body, Interceptor};
/// use retell::prelude::*;
/// use retell::vocabulary::{Failure, Payload};
/// use retell_memory::Memory;
///
/// /// Counts the attempts that fail.
/// #[derive(Clone, Default)]
/// struct Failures(Arc<AtomicU64>);
///
/// impl Interceptor for Failures {
///     fn attempt(
///         &self,
///         _cx: &ActivityContext,
///         _input: &Payload,
///         body: Body<'static, Result<Payload, Failure>>,
///     ) -> Body<'static, Result<Payload, Failure>> {
///         let count = self.0.clone();
///         Box::pin(async move {
///             let result = body.await;
///             count.fetch_add(result.is_err().into(), Ordering::Relaxed);
///             result
///         })
///     }
/// }
///
/// #[retell::activity]
/// async fn flaky(cx: ActivityContext, _: ()) -> Result<(), ActivityError> {
///     if cx.attempt().0 > 2 { Ok(()) } else { Err(ActivityError::new("Network", "not now")) }
/// }
///
/// #[retell::workflow]
/// async fn patient(cx: WorkflowContext) -> WorkflowResult<()> {
///     let policy = RetryPolicy::fixed(std::time::Duration::from_millis(1));
///     Ok(cx.activity(flaky, &()).retry(policy).await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let failures = Failures::default();
/// let engine = Orchestrator::new(Memory::new())
///     .intercept(failures.clone())
///     .workflow(patient)
///     .activity(flaky)
///     .start()
///     .await?;
/// engine.start(patient, "patient-1", ()).await?.result().await?;
/// assert_eq!(failures.0.load(Ordering::Relaxed), 2);
/// # engine.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// Sees a call of a client before it is made, with the headers that propagators have written: adds to them, or
    /// refuses it.
    ///
    /// # Errors
    /// What the caller gets instead, as the `Intercepted` kind of the call's error; nothing is sent.
    fn prepare_call(&self, call: &mut ClientCall) -> Result<(), Box<Failure>> {
        let _ = call;
        Ok(())
    }

    /// Stands around a call of a client.
    ///
    /// The body makes the call, with all its tries, and says how that went; its value goes past this to the caller.
    fn call<'a>(
        &'a self,
        call: &'a ClientCall,
        body: Body<'a, Result<(), CallFault>>,
    ) -> Body<'a, Result<(), CallFault>> {
        let _ = call;
        body
    }

    /// Stands around a workflow's function, from its first poll to its end. Deterministic.
    ///
    /// Dropped like the function itself when its run is evicted or its worker stops, and begun again at replay.
    fn run(&self, cx: &WorkflowContext, body: Body<'static, Conclusion>) -> Body<'static, Conclusion> {
        let _ = cx;
        body
    }

    /// Sees a signal as the code takes it, whether an await, a stream or a handler does. Deterministic.
    fn signal(&self, cx: &WorkflowContext, signal: &SignalReceived) {
        let _ = (cx, signal);
    }

    /// Sees an update before its validator does. Deterministic.
    ///
    /// # Errors
    /// Why it is refused, for its caller, as if the validator had said so.
    fn admit_update(&self, cx: &WorkflowContext, update: &UpdateRequested) -> Result<(), Box<Failure>> {
        let _ = (cx, update);
        Ok(())
    }

    /// Stands around the handler of an update that was let in. Deterministic.
    fn update(
        &self,
        cx: &WorkflowContext,
        update: &UpdateRequested,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        let _ = (cx, update);
        body
    }

    /// Sees a query before its handler does, in the process that answers it.
    ///
    /// # Errors
    /// Why it is refused, for its caller: [`QueryFault::Intercepted`](crate::replay::QueryFault::Intercepted).
    fn admit_query(
        &self,
        query: &QueryName,
        argument: &Payload,
        headers: &Headers,
    ) -> Result<(), Box<Failure>> {
        let _ = (query, argument, headers);
        Ok(())
    }

    /// Sees a call that the workflow makes at its first poll, before it is recorded: adds headers, sets options.
    /// Deterministic: replay compares the input as it is left here.
    fn outbound(&self, cx: &WorkflowContext, call: &mut OutboundCall<'_>) {
        let _ = (cx, call);
    }

    /// Changes what an attempt of an activity, or of a step, is given beside its input:
    /// [`ActivityContext::with_state`], say.
    fn prepare_attempt(&self, cx: ActivityContext) -> ActivityContext {
        cx
    }

    /// Stands around an attempt of an activity, or of a step, from the taking of its slot to its end: what the body
    /// returns is what the attempt came to, for the retry policy to judge. A panic of the body passes through, and may
    /// be caught.
    ///
    /// For a blocking activity the whole is polled on its blocking thread, without a runtime entered.
    fn attempt(
        &self,
        cx: &ActivityContext,
        input: &Payload,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        let _ = (cx, input);
        body
    }
}

impl<I: Interceptor + ?Sized> Interceptor for Arc<I> {
    fn prepare_call(&self, call: &mut ClientCall) -> Result<(), Box<Failure>> {
        (**self).prepare_call(call)
    }

    fn call<'a>(
        &'a self,
        call: &'a ClientCall,
        body: Body<'a, Result<(), CallFault>>,
    ) -> Body<'a, Result<(), CallFault>> {
        (**self).call(call, body)
    }

    fn run(&self, cx: &WorkflowContext, body: Body<'static, Conclusion>) -> Body<'static, Conclusion> {
        (**self).run(cx, body)
    }

    fn signal(&self, cx: &WorkflowContext, signal: &SignalReceived) {
        (**self).signal(cx, signal);
    }

    fn admit_update(&self, cx: &WorkflowContext, update: &UpdateRequested) -> Result<(), Box<Failure>> {
        (**self).admit_update(cx, update)
    }

    fn update(
        &self,
        cx: &WorkflowContext,
        update: &UpdateRequested,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        (**self).update(cx, update, body)
    }

    fn admit_query(
        &self,
        query: &QueryName,
        argument: &Payload,
        headers: &Headers,
    ) -> Result<(), Box<Failure>> {
        (**self).admit_query(query, argument, headers)
    }

    fn outbound(&self, cx: &WorkflowContext, call: &mut OutboundCall<'_>) {
        (**self).outbound(cx, call);
    }

    fn prepare_attempt(&self, cx: ActivityContext) -> ActivityContext {
        (**self).prepare_attempt(cx)
    }

    fn attempt(
        &self,
        cx: &ActivityContext,
        input: &Payload,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        (**self).attempt(cx, input, body)
    }
}
