//! Fakes and expectations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::{Attempt, FailureKind};
use retell::workflow::CallError;
use retell_tester::{Tester, Trouble};

#[retell::activity]
async fn charge(_cx: ActivityContext, cents: u64) -> Result<String, ActivityError> {
    Ok(format!("really charged {cents}"))
}

#[retell::activity]
async fn ship(_cx: ActivityContext, receipt: String) -> Result<String, ActivityError> {
    Ok(format!("really shipped for {receipt}"))
}

#[retell::workflow]
async fn order(cx: WorkflowContext, cents: u64) -> WorkflowResult<String> {
    let policy = RetryPolicy::fixed(Duration::from_secs(60)).attempts(3);
    let receipt = cx.activity(charge, &cents).retry(policy).await?;
    Ok(cx.activity(ship, &receipt).await?)
}

fn tester() -> Tester {
    Tester::new().workflow(order)
}

#[test]
fn real_code_runs_where_no_fake_takes_the_call() {
    let tester = tester().activity(charge).activity(ship);
    tester.fake(charge).when(|cents| *cents > 100).returns("faked".to_owned());
    assert_eq!(tester.start(order, "small", 7).result().unwrap(), "really shipped for really charged 7");
    assert_eq!(tester.start(order, "large", 700).result().unwrap(), "really shipped for faked");
}

#[test]
fn a_sequence_fails_first_and_then_works() {
    let tester = tester();
    let began = tester.now();
    tester.fake(charge).in_turn([
        Err(ActivityError::new("Busy", "try again")),
        Err(ActivityError::new("Busy", "try again")),
        Ok("receipt".to_owned()),
    ]);
    tester.fake(ship).takes(Duration::from_secs(5)).answers(|receipt| Ok(format!("parcel for {receipt}")));
    assert_eq!(tester.start(order, "busy", 7).result().unwrap(), "parcel for receipt");
    assert_eq!(tester.now(), began + Duration::from_secs(125));
    let calls = tester.calls();
    assert_eq!(calls.names(), ["charge", "charge", "charge", "ship"]);
    let charged = calls.of(charge);
    assert!(charged.iter().all(|call| call.input == 7 && call.call.number == 1));
    assert_eq!(charged.iter().map(|call| call.call.attempt).collect::<Vec<_>>(), [1, 2, 3].map(Attempt));
    assert_eq!(charged[1].call.at, began + Duration::from_secs(60));
}

#[test]
fn failures_and_panics_end_calls_as_in_production() {
    let tester = tester();
    tester.fake(charge).fails(ActivityError::new("Declined", "no money").non_retryable());
    let error = tester.start(order, "declined", 7).result().unwrap_err();
    assert!(error.to_string().contains("no money"), "{error}");
    assert_eq!(tester.calls().count("charge"), 1);
}

#[retell::workflow]
async fn times_out(cx: WorkflowContext) -> WorkflowResult<FailureKind> {
    let policy = RetryPolicy::never();
    match cx.activity(charge, &1).retry(policy).start_to_close(Duration::from_secs(3)).await {
        Err(CallError::Failed(failure)) => Ok(failure.kind),
        other => Err(WorkflowError::new(format!("{other:?}"))),
    }
}

#[test]
fn what_never_returns_times_out_and_what_panics_fails() {
    let tester = Tester::new().workflow(times_out);
    let began = tester.now();
    tester.fake(charge).times(1).never_returns();
    tester.fake(charge).times(1).panics("boom");
    assert_eq!(tester.start(times_out, "never", ()).result().unwrap(), FailureKind::Timeout);
    assert_eq!(tester.now(), began + Duration::from_secs(3));
    assert_eq!(tester.start(times_out, "panics", ()).result().unwrap(), FailureKind::Panic);
}

#[test]
fn a_fake_by_name_needs_no_code() {
    let tester = tester();
    tester.fake_named::<u64, &str>("charge").returns("by name");
    let shipped = Arc::new(AtomicU32::new(0));
    let count = shipped.clone();
    tester.fake_named::<String, String>("ship").answers_with_context(move |cx, receipt| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(format!("{receipt}, attempt {}", cx.attempt()))
    });
    assert_eq!(tester.start(order, "name", 7).result().unwrap(), "by name, attempt 1");
    assert_eq!(shipped.load(Ordering::Relaxed), 1);
}

#[test]
fn what_was_expected_and_did_not_happen_is_reported() {
    let tester = tester();
    tester.fake(charge).times(2).returns("receipt".to_owned());
    tester.fake(ship).at_least(1).returns("parcel".to_owned());
    tester.expect_order(["ship", "charge"]);
    tester.start(order, "once", 7).result().unwrap();
    let Err(Trouble::Unmet(unmet)) = tester.check() else { panic!("two things are unmet") };
    assert_eq!(unmet.len(), 2, "{unmet:?}");
    assert!(unmet[0].contains(r#"the fake of "charge" at tester/tests/it/fakes.rs"#), "{unmet:?}");
    assert!(unmet[0].contains("was to take 2 attempts, but took 1"), "{unmet:?}");
    assert!(unmet[1].contains(r#"but were ["charge", "ship"]"#), "{unmet:?}");
}

#[test]
#[should_panic(expected = "what was expected did not happen")]
fn a_tester_that_goes_says_what_is_missing() {
    let tester = tester();
    tester.fake(charge).at_least(1).returns("receipt".to_owned());
}

#[test]
fn a_call_that_nothing_takes_is_told_at_once() {
    let tester = tester();
    tester.fake(charge).when(|cents| *cents > 100).returns("large".to_owned());
    tester.fake(charge).times(0).returns("none".to_owned());
    let trouble = tester.start(order, "small", 7).try_result().unwrap_err().to_string();
    assert!(trouble.contains(r#""charge" was called with 7, which none of its fakes takes"#), "{trouble}");
}
