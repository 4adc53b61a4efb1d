//! Interceptors: one place for what concerns every call: who may make it, how long it takes, what it is given.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use retell::around::{Body, ClientCall, ClientOperation, Interceptor, OutboundCall};
use retell::prelude::*;
use retell::vocabulary::{Failure, Payload};
use retell_memory::Memory;

/// What became of attempts, by activity: how many, and how long they took.
#[derive(Debug, Clone, Default)]
struct Meter(Arc<Mutex<BTreeMap<String, (u32, Duration)>>>);

impl Interceptor for Meter {
    fn attempt(
        &self,
        cx: &ActivityContext,
        _input: &Payload,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        let (measured, activity) = (self.0.clone(), cx.info().activity.to_string());
        Box::pin(async move {
            let began = Instant::now();
            let result = body.await;
            let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
            let (count, time) = measured.entry(activity).or_default();
            (*count, *time) = (*count + 1, *time + began.elapsed());
            result
        })
    }
}

/// Lets only administrators end runs.
struct Guard {
    administrator: bool,
}

impl Interceptor for Guard {
    fn prepare_call(&self, call: &mut ClientCall) -> Result<(), Box<Failure>> {
        if call.operation == ClientOperation::Terminate && !self.administrator {
            let message = format!("{} may be ended by administrators only", call.workflow_id);
            return Err(Failure::new("Forbidden", message).into());
        }
        Ok(())
    }
}

/// Gives every activity a limit that its caller has not thought of.
struct Limits;

impl Interceptor for Limits {
    // Part of the workflow's code: it says the same each time.
    fn outbound(&self, _cx: &WorkflowContext, call: &mut OutboundCall<'_>) {
        if let OutboundCall::Activity(call) = call {
            call.start_to_close.get_or_insert(Duration::from_secs(30));
        }
    }
}

#[retell::activity]
async fn pack(_cx: ActivityContext, goods: String) -> Result<String, ActivityError> {
    Ok(format!("a box of {goods}"))
}

#[retell::workflow]
async fn order(cx: WorkflowContext, goods: String) -> WorkflowResult<String> {
    let packed = cx.activity(pack, &goods).await?;
    cx.signal::<()>("paid").await?;
    Ok(packed)
}

async fn run() -> Result<String, Box<dyn Error>> {
    let meter = Meter::default();
    let engine = Orchestrator::new(Memory::new())
        .intercept(Guard { administrator: false })
        .intercept(meter.clone())
        .intercept(Limits)
        .workflow(order)
        .activity(pack)
        .start()
        .await?;
    let run = engine.start(order, "order-42", "books".to_owned()).await?;
    let forbidden =
        run.terminate("I feel like it").await.map_or_else(|error| error.to_string(), |()| String::new());
    run.signal("paid", &()).await?;
    let packed = run.result().await?;
    engine.shutdown().await;
    let attempts: u32 =
        meter.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|(count, _)| count).sum();
    Ok(format!("{packed}, in attempts: {attempts}; {forbidden}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell::history::EventKind;
    use retell_tester::Tester;

    use super::*;

    #[tokio::test]
    async fn calls_are_measured_and_some_refused() {
        let told = run().await.unwrap();
        assert!(
            told.starts_with("a box of books, in attempts: 1; an interceptor refused the call"),
            "{told}"
        );
    }

    /// The tester takes interceptors as the engine does, and its second machine has them too.
    #[test]
    fn every_activity_has_a_limit() {
        let tester = Tester::new().workflow(order).activity(pack).intercept(Limits);
        let run = tester.start(order, "order-42", "books".to_owned());
        run.signal("paid", &()).unwrap();
        run.result().unwrap();
        let limited = |kind: &EventKind| matches!(kind, EventKind::ActivityScheduled(call) if call.start_to_close.is_some());
        assert!(run.has_event(limited));
    }
}
