//! Interceptors: on the client's side, around runs and what they call, and around attempts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use retell::activity::ActivityContext;
use retell::around::{Body, CallFault, ClientCall, ClientOperation, Interceptor, OutboundCall};
use retell::client::{QueryError, ResultError, SendError, StartError, UpdateError};
use retell::history::{SignalReceived, UpdateRefusal, UpdateRequested};
use retell::prelude::*;
use retell::replay::{Conclusion, QueryFault};
use retell::vocabulary::{Failure, FailureKind, Headers, Payload, QueryName};
use retell::workflow::{QueryType, SignalType, UpdateType};
use retell_tester::{Tester, Trouble};

use super::{Tenant, of, tenant};

const ADD: UpdateType<u64, u64> = UpdateType::new("add");
const SUM: QueryType<(), u64> = QueryType::new("sum");
const DONE: SignalType<()> = SignalType::new("done");

#[retell::activity]
async fn double(cx: ActivityContext, number: u64) -> Result<u64, ActivityError> {
    let factor = cx.state::<u64>().map_or(2, |factor| *factor);
    Ok(factor * number)
}

/// Adds the doubles of what it is told.
#[retell::workflow]
async fn sums(cx: WorkflowContext, first: u64) -> WorkflowResult<u64> {
    let sum = cx.share(cx.activity(double, &first).await?);
    sum.handle_query(SUM, |sum, ()| *sum);
    sum.handle_update(ADD, async |cx, sum, number| {
        let doubled = cx.activity(double, &number).await?;
        Ok(sum.with(|sum| {
            *sum += doubled;
            *sum
        }))
    });
    cx.sleep(Duration::from_secs(60)).await?;
    cx.side_effect(|| ()).await?;
    cx.signal(DONE).await?;
    Ok(sum.with(|sum| *sum))
}

fn tester() -> Tester {
    Tester::new().workflow(sums).activity(double)
}

/// Writes down what it sees.
#[derive(Clone, Default)]
struct Scribe {
    name: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scribe {
    fn note(&self, what: impl Into<String>) {
        self.seen.lock().unwrap().push(format!("{}{}", self.name, what.into()));
    }

    /// What was seen since this was asked last.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// What the code does for the first time.
    fn note_live(&self, cx: &WorkflowContext, what: impl Into<String>) {
        if !cx.is_replaying() {
            self.note(what);
        }
    }
}

impl Interceptor for Scribe {
    fn call<'a>(
        &'a self,
        call: &'a ClientCall,
        body: Body<'a, Result<(), CallFault>>,
    ) -> Body<'a, Result<(), CallFault>> {
        Box::pin(async move {
            let ended = body.await;
            let ended_well = if ended.is_ok() { "" } else { " failed" };
            self.note(format!("{:?} of {}{ended_well}", call.operation, call.workflow));
            ended
        })
    }

    fn run(&self, cx: &WorkflowContext, body: Body<'static, Conclusion>) -> Body<'static, Conclusion> {
        let (cx, scribe) = (cx.clone(), self.clone());
        Box::pin(async move {
            scribe.note_live(&cx, "run begins");
            let conclusion = body.await;
            scribe.note_live(&cx, "run ends");
            conclusion
        })
    }

    fn signal(&self, cx: &WorkflowContext, signal: &SignalReceived) {
        self.note_live(cx, format!("signal {}", signal.signal));
    }

    fn update(
        &self,
        cx: &WorkflowContext,
        update: &UpdateRequested,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        self.note_live(cx, format!("update {}", update.update));
        body
    }

    fn outbound(&self, cx: &WorkflowContext, call: &mut OutboundCall<'_>) {
        self.note_live(
            cx,
            match call {
                OutboundCall::Activity(call) => format!("calls {}", call.activity),
                OutboundCall::Sleep { .. } => "sleeps".to_owned(),
                OutboundCall::SideEffect => "draws".to_owned(),
                _ => "goes on".to_owned(),
            },
        );
    }

    fn attempt(
        &self,
        cx: &ActivityContext,
        input: &Payload,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        self.note(format!("attempt {} of {}", cx.attempt(), input.decode::<u64>().unwrap()));
        body
    }
}

#[test]
fn every_side_is_seen() {
    let scribe = Scribe::default();
    let tester = tester().intercept(scribe.clone());
    let run = tester.start(sums, "sums", 1);
    let begun = ["run begins", "calls double", "Start of sums", "attempt 1 of 1", "sleeps"];
    let mut seen = scribe.take();
    seen.sort_by_key(|seen| begun.iter().position(|begun| begun == seen));
    assert_eq!(seen, begun);
    assert_eq!(run.update(ADD, &2).unwrap(), 6);
    assert_eq!(scribe.take(), [r#"Update("add") of sums"#, "update add", "calls double", "attempt 1 of 2"]);
    assert_eq!(run.query(SUM, &()).unwrap(), 6);
    assert_eq!(scribe.take(), [r#"Query("sum") of sums"#]);
    run.signal(DONE, &()).unwrap();
    assert_eq!(run.result().unwrap(), 6);
    let seen = [r#"Signal("done") of sums"#, "draws", "signal done", "run ends", "AwaitResult of sums"];
    assert_eq!(scribe.take(), seen);
    assert!(run.cancel("late").is_err());
    assert!(run.terminate("late").is_err());
    assert_eq!(scribe.take(), ["Cancel of sums failed", "Terminate of sums failed"]);
}

#[test]
fn interceptors_nest_in_the_order_of_their_registration() {
    let outer = Scribe { name: "outer ", ..Scribe::default() };
    let inner = Scribe { name: "inner ", seen: outer.seen.clone() };
    let tester = tester().intercept(outer.clone()).intercept(inner);
    tester.start(sums, "sums", 1);
    let seen = outer.take();
    let of = |what: &str| seen.iter().filter(|seen| seen.ends_with(what)).cloned().collect::<Vec<_>>();
    assert_eq!(of("run begins"), ["outer run begins", "inner run begins"]);
    assert_eq!(of("calls double"), ["outer calls double", "inner calls double"]);
    assert_eq!(of("Start of sums"), ["inner Start of sums", "outer Start of sums"]);
}

/// Lets nobody in without a tenant.
struct Door;

impl Door {
    fn check(headers: &Headers) -> Result<(), Box<Failure>> {
        match headers.find::<Tenant>() {
            Ok(Some(_)) => Ok(()),
            _ => Err(Failure::new("NoTenant", "say on whose behalf").into()),
        }
    }
}

impl Interceptor for Door {
    fn prepare_call(&self, call: &mut ClientCall) -> Result<(), Box<Failure>> {
        match call.operation {
            // These are looked at where they arrive.
            ClientOperation::Update(_) | ClientOperation::Query(_) => Ok(()),
            _ => Self::check(&call.headers),
        }
    }

    fn admit_update(&self, _cx: &WorkflowContext, update: &UpdateRequested) -> Result<(), Box<Failure>> {
        Self::check(&update.headers)
    }

    fn admit_query(
        &self,
        _query: &QueryName,
        _argument: &Payload,
        headers: &Headers,
    ) -> Result<(), Box<Failure>> {
        Self::check(headers)
    }

    fn attempt(
        &self,
        cx: &ActivityContext,
        _input: &Payload,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        match Self::check(cx.headers()) {
            Ok(()) => body,
            Err(failure) => Box::pin(async move { Err(failure.non_retryable()) }),
        }
    }
}

#[test]
fn each_side_may_refuse_with_an_error_of_its_own() {
    let tester = tester().intercept(Door);
    let refused = tester.start_with(sums, "sums", 1, |call| call).unwrap_err();
    assert!(matches!(refused, StartError::Intercepted(failure) if &*failure.error_type == "NoTenant"));
    let start = |call: retell::client::StartCall<sums>| call.headers(of("acme"));
    let run = tester.start_with(sums, "sums", 1, start).unwrap();
    let known = run.with_headers(of("acme"));

    let refused = run.update(ADD, &2).unwrap_err();
    let UpdateError::Refused { refusal: UpdateRefusal::Validator, failure } = refused else {
        panic!("{refused}")
    };
    assert_eq!(&*failure.error_type, "NoTenant");
    assert_eq!(known.update(ADD, &2).unwrap(), 6);

    let refused = run.query(SUM, &()).unwrap_err();
    assert!(matches!(refused, QueryError::Refused(QueryFault::Intercepted(_))), "{refused}");
    assert_eq!(known.query(SUM, &()).unwrap(), 6);

    assert!(matches!(run.signal(DONE, &()), Err(SendError::Intercepted(_))));
    assert!(matches!(run.cancel("please"), Err(SendError::Intercepted(_))));
    assert!(matches!(run.terminate("please"), Err(SendError::Intercepted(_))));
    known.signal(DONE, &()).unwrap();
    assert!(matches!(run.result(), Err(ResultError::Intercepted(_))));
    assert_eq!(known.result().unwrap(), 6);
}

/// Drops what it stands around.
struct Mute;

impl Interceptor for Mute {
    fn call<'a>(
        &'a self,
        _call: &'a ClientCall,
        _body: Body<'a, Result<(), CallFault>>,
    ) -> Body<'a, Result<(), CallFault>> {
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn a_call_that_is_dropped_is_an_error_and_not_made() {
    let tester = tester().intercept(Mute);
    let refused = tester.start_with(sums, "sums", 1, |call| call).unwrap_err();
    assert!(matches!(refused, StartError::Intercepted(_)), "{refused}");
}

/// Adds a header to each call, sets an option, and gives attempts what they did not have.
#[derive(Clone, Default)]
struct Adds(Arc<AtomicU64>);

impl Interceptor for Adds {
    fn prepare_call(&self, call: &mut ClientCall) -> Result<(), Box<Failure>> {
        Ok(call.headers.set(&tenant("acme")).map_err(|error| Failure::from_error(&error))?)
    }

    fn outbound(&self, cx: &WorkflowContext, call: &mut OutboundCall<'_>) {
        if let OutboundCall::Activity(call) = call {
            call.retry = RetryPolicy::never();
            call.headers.insert("of", cx.run().workflow_id.as_str()).unwrap();
        }
    }

    fn prepare_attempt(&self, cx: ActivityContext) -> ActivityContext {
        assert_eq!(cx.propagated(), Ok(Some(tenant("acme"))));
        assert_eq!(cx.headers().get::<String>("of").unwrap().as_deref(), Some("adds"));
        self.0.fetch_add(1, Ordering::Relaxed);
        cx.with_state(10_u64)
    }
}

#[retell::workflow]
async fn tenfold(cx: WorkflowContext) -> WorkflowResult<u64> {
    Ok(cx.activity(double, &4).await?)
}

#[test]
fn headers_options_and_state_may_be_added() {
    let adds = Adds::default();
    let tester = tester().workflow(tenfold).intercept(adds.clone());
    assert_eq!(tester.start(tenfold, "adds", ()).result().unwrap(), 40);
    assert_eq!(adds.0.load(Ordering::Relaxed), 1);
    let tester = self::tester().workflow(tenfold).intercept(adds.clone());
    tester.fake(double).fails(ActivityError::new("Broken", "once is enough"));
    tester.start(tenfold, "adds", ()).result().unwrap_err();
    assert_eq!(tester.calls().of(double).len(), 1);
}

/// Makes a value of a panic.
struct Catches;

impl Interceptor for Catches {
    fn attempt(
        &self,
        _cx: &ActivityContext,
        _input: &Payload,
        body: Body<'static, Result<Payload, Failure>>,
    ) -> Body<'static, Result<Payload, Failure>> {
        Box::pin(async move {
            let body = std::panic::AssertUnwindSafe(body);
            let caught = futures::FutureExt::catch_unwind(body).await;
            caught
                .unwrap_or_else(|_| Err(Failure::of_kind(FailureKind::Application, "caught").non_retryable()))
        })
    }
}

#[retell::activity]
async fn panics(_cx: ActivityContext, _: ()) -> Result<(), ActivityError> {
    panic!("nobody expects this");
}

#[retell::workflow]
async fn meets_a_panic(cx: WorkflowContext) -> WorkflowResult<String> {
    let failed = cx.activity(panics, &()).await.unwrap_err();
    Ok(failed.failure().map(|failure| failure.message.to_string()).unwrap_or_default())
}

#[test]
fn a_panic_of_an_attempt_may_be_caught() {
    let tester = Tester::new().workflow(meets_a_panic).activity(panics).intercept(Catches);
    assert_eq!(tester.start(meets_a_panic, "panics", ()).result().unwrap(), "caught");
}

/// Numbers the inputs of activities as the process makes them, which no history knows.
struct Numbers(AtomicU64);

impl Interceptor for Numbers {
    fn outbound(&self, _cx: &WorkflowContext, call: &mut OutboundCall<'_>) {
        if let OutboundCall::Activity(call) = call {
            call.input = Payload::encode(&self.0.fetch_add(1, Ordering::Relaxed)).unwrap();
        }
    }
}

#[test]
fn an_interceptor_that_does_not_replay_is_found() {
    let tester = tester().workflow(tenfold).intercept(Numbers(AtomicU64::new(0)));
    let run = tester.start(tenfold, "numbered", ());
    let found = run.try_result();
    assert!(matches!(found, Err(Trouble::Nondeterminism(_))), "{found:?}");
}

#[test]
fn an_interceptor_that_replays_survives_a_crash() {
    let scribe = Scribe::default();
    let tester = tester().intercept(scribe.clone());
    let run = tester.start(sums, "sums", 1);
    tester.rest();
    scribe.take();
    tester.crash();
    run.signal(DONE, &()).unwrap();
    assert_eq!(run.result().unwrap(), 2);
    let seen = [r#"Signal("done") of sums"#, "draws", "signal done", "run ends", "AwaitResult of sums"];
    assert_eq!(scribe.take(), seen, "what was done before is done in silence");
}
