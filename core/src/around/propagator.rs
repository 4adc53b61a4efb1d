//! Context propagators: what is current where a call is made, made current again where it is carried out.

use std::sync::Arc;

use crate::vocabulary::Headers;

/// Carries context of the program from the callers of a client into activities, in other processes and after restarts
/// too, by way of [headers](Headers).
///
/// Headers travel without one: what a client was given with [`Client::with_headers`](crate::client::Client) goes into
/// the run, and from there into all that it calls. A propagator fills them from what is current where a client's call is
/// awaited (a task-local, a thread-local, a span), and makes it current again around the attempts of activities.
///
/// Workflow code has no current context, which would differ at replay: it reads
/// [`cx.propagated`](crate::workflow::WorkflowContext::propagated), from its history.
///
/// # Examples
/// ```
/// use retell::around::ContextPropagator;
/// use retell::prelude::*;
/// use retell::vocabulary::{Headers, Propagated};
/// use retell_memory::Memory;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Tenant(String);
///
/// impl Propagated for Tenant {
///     const HEADER: &'static str = "tenant";
/// }
///
/// tokio::task_local! {
///     static TENANT: Tenant;
/// }
///
/// struct Tenants;
///
/// impl ContextPropagator for Tenants {
///     fn inject(&self, headers: &mut Headers) {
///         // A tenant that does not encode stays at home.
///         let _ = TENANT.try_with(|tenant| headers.set(tenant));
///     }
///
///     fn within(&self, headers: &Headers, work: &mut dyn FnMut()) {
///         match headers.find::<Tenant>() {
///             Ok(Some(tenant)) => TENANT.sync_scope(tenant, work),
///             _ => work(),
///         }
///     }
/// }
///
/// /// Far below, where nobody has a context at hand.
/// fn table() -> String {
///     TENANT.with(|tenant| format!("orders of {}", tenant.0))
/// }
///
/// #[retell::activity]
/// async fn count(_cx: ActivityContext, _: ()) -> Result<String, ActivityError> {
///     Ok(table())
/// }
///
/// #[retell::workflow]
/// async fn report(cx: WorkflowContext) -> WorkflowResult<String> {
///     Ok(cx.activity(count, &()).await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Orchestrator::new(Memory::new()).propagate(Tenants).workflow(report).activity(count).start().await?;
/// let run = TENANT.scope(Tenant("acme".to_owned()), engine.start(report, "report-1", ()).into_future()).await?;
/// assert_eq!(run.result().await?, "orders of acme");
/// # engine.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub trait ContextPropagator: Send + Sync + 'static {
    /// Writes what is current into the headers of a call. Called once for each call of a client, where that is first
    /// polled; from several threads at a time.
    fn inject(&self, headers: &mut Headers);

    /// Calls `work` once, with the context of these headers current, and makes what was current before current again.
    ///
    /// Called around each poll of an attempt (once for a blocking one), and around the making of the engine's spans;
    /// from several threads at a time. Propagators nest, the one registered first outermost.
    fn within(&self, headers: &Headers, work: &mut dyn FnMut()) {
        let _ = headers;
        work();
    }
}

/// Does some work with the context of these headers current, as an engine does: for code that runs attempts elsewhere, on
/// another runtime, say. Without propagators it is called as it is.
pub fn within<T>(
    propagators: &[Arc<dyn ContextPropagator>],
    headers: &Headers,
    work: impl FnOnce() -> T,
) -> T {
    if propagators.is_empty() {
        return work();
    }
    let (mut work, mut done) = (Some(work), None);
    nest(propagators, headers, &mut || {
        if let Some(work) = work.take() {
            done = Some(work());
        }
    });
    // A propagator may have forgotten to call it.
    done.unwrap_or_else(|| work.take().expect("work that was not done is still there")())
}

fn nest(propagators: &[Arc<dyn ContextPropagator>], headers: &Headers, work: &mut dyn FnMut()) {
    match propagators.split_first() {
        None => work(),
        Some((first, rest)) => first.within(headers, &mut || nest(rest, headers, work)),
    }
}

impl<P: ContextPropagator + ?Sized> ContextPropagator for Arc<P> {
    fn inject(&self, headers: &mut Headers) {
        (**self).inject(headers);
    }

    fn within(&self, headers: &Headers, work: &mut dyn FnMut()) {
        (**self).within(headers, work);
    }
}
