//! Around: the user's own code before, after and about every call, and context that travels with the calls.
//!
//! A [`ContextPropagator`] carries context of a program from callers into runs and activities; an [`Interceptor`]
//! stands around calls of a client, runs and their calls, and attempts of activities. Both are registered with the
//! [`Orchestrator`](crate::Orchestrator). Imports what users write with; `worker` and `client` call it.

mod client_call;
mod definition;
mod interceptor;
mod outbound;
mod propagator;
#[cfg(feature = "worker")]
mod surroundings;

use std::pin::Pin;

pub use client_call::{CallFault, ClientCall, ClientOperation};
pub use definition::intercepted;
pub use interceptor::Interceptor;
pub use outbound::OutboundCall;
pub use propagator::{ContextPropagator, within};
#[cfg(feature = "worker")]
pub(crate) use surroundings::Surroundings;

/// What an interceptor stands around: a future that does nothing until it is polled. Wrap it, watch it, or drop it and
/// answer in its place.
pub type Body<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
