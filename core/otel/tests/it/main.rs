//! A trace through an engine, as OpenTelemetry sees it.

// Helpers outside of `#[test]` functions are tests too.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use retell::prelude::*;
use retell_memory::Memory;
use retell_otel::TraceContext;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

#[retell::activity]
async fn charge(cx: ActivityContext, _: ()) -> Result<(), ActivityError> {
    let _inside = tracing::info_span!("bank").entered();
    if cx.attempt().0 == 1 { Err(ActivityError::new("Busy", "not now")) } else { Ok(()) }
}

#[retell::activity]
fn print(_cx: ActivityContext, _: ()) -> Result<(), ActivityError> {
    let _inside = tracing::info_span!("printer").entered();
    Ok(())
}

#[retell::workflow]
async fn order(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(charge, &()).retry(RetryPolicy::fixed(Duration::from_millis(1))).await?;
    Ok(cx.activity(print, &()).await?)
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> Vec<&'a SpanData> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn ids(spans: &[&SpanData]) -> Vec<SpanId> {
    spans.iter().map(|span| span.span_context.span_id()).collect()
}

fn parents(spans: &[&SpanData]) -> Vec<SpanId> {
    spans.iter().map(|span| span.parent_span_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_from_the_caller_through_the_run_into_its_activities() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();

    let engine = Orchestrator::new(Memory::new()).propagate(TraceContext).workflow(order).activity(charge);
    let engine = engine.activity(print).start().await.unwrap();
    let span = tracing::info_span!("caller");
    let run = engine.start(order, "order-1", ()).into_future().instrument(span).await.unwrap();
    run.result().await.unwrap();
    engine.shutdown().await;

    let spans = exporter.get_finished_spans().unwrap();
    let [caller] = named(&spans, "caller")[..] else { panic!("one caller: {spans:#?}") };
    let trace = caller.span_context.trace_id();
    assert!(spans.iter().all(|span| span.span_context.trace_id() == trace), "{spans:#?}");
    let activities = named(&spans, "activity");
    assert_eq!(parents(&activities), [caller.span_context.span_id(); 3], "two attempts, and one");
    let inner: Vec<&SpanData> = [named(&spans, "bank"), named(&spans, "printer")].concat();
    assert_eq!(parents(&inner), ids(&activities));
    let tasks = named(&spans, "workflow");
    assert!(
        !tasks.is_empty() && parents(&tasks).iter().all(|parent| *parent == caller.span_context.span_id())
    );
}
