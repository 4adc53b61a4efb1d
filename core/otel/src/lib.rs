//! Trace context for Retell: a trace that begins with a caller goes on through the run that he starts, and through the
//! activities that it calls, in other processes and after restarts.
//!
//! ```
//! use retell::prelude::*;
//! use retell_memory::Memory;
//! use retell_otel::TraceContext;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Orchestrator::new(Memory::new()).propagate(TraceContext).start().await?;
//! # engine.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Needs OpenTelemetry's API alone. With `tracing`, add the layer of the crate `tracing-opentelemetry` to the
//! subscriber: its spans are OpenTelemetry's, and those that Retell opens (`workflow` for a workflow task, `activity` for
//! an attempt) become children of the caller's span.

mod traceparent;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use retell::around::ContextPropagator;
use retell::vocabulary::Headers;

/// The header of the caller's span.
const TRACEPARENT: &str = "traceparent";
/// The header of what the caller's tracing system has added.
const TRACESTATE: &str = "tracestate";

/// Carries the current span as [W3C Trace Context](https://www.w3.org/TR/trace-context/), in the headers `traceparent`
/// and `tracestate`.
///
/// Where no span is current, a call carries what its client was given under these names, if anything. Headers that are no
/// trace context are passed on, and begin no trace.
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceContext;

impl ContextPropagator for TraceContext {
    fn inject(&self, headers: &mut Headers) {
        let context = Context::current();
        let span = context.span();
        let current = span.span_context();
        if !current.is_valid() {
            return;
        }
        headers.remove(TRACESTATE);
        let state = current.trace_state().header();
        let written = headers
            .insert(TRACEPARENT, &traceparent::write(current))
            .and_then(|()| if state.is_empty() { Ok(()) } else { headers.insert(TRACESTATE, &state) });
        // A text always encodes; and a call is worth more than its trace.
        debug_assert_eq!(written, Ok(()));
    }

    fn within(&self, headers: &Headers, work: &mut dyn FnMut()) {
        let attached = read(headers).map(|span| Context::current().with_remote_span_context(span).attach());
        work();
        drop(attached);
    }
}

/// The span that a call came from, if its headers say.
#[must_use]
pub fn read(headers: &Headers) -> Option<SpanContext> {
    let text = headers.get::<String>(TRACEPARENT).ok()??;
    let state = headers.get::<String>(TRACESTATE).ok().flatten().unwrap_or_default();
    traceparent::read(&text, &state)
}
