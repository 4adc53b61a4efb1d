//! When a failed attempt is tried again, and when not.

use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::{FailureKind, FailurePredicate};
use retell_tester::Tester;

const SECOND: Duration = Duration::from_secs(1);

#[retell::activity]
async fn fetch(_cx: ActivityContext, page: String) -> Result<String, ActivityError> {
    Ok(page)
}

#[retell::workflow]
async fn read(cx: WorkflowContext, policy: RetryPolicy) -> WorkflowResult<String> {
    Ok(cx.activity(fetch, &"home".to_owned()).retry(policy).await?)
}

fn busy() -> ActivityError {
    ActivityError::new("Busy", "come back later")
}

/// When the attempts began, in seconds since the first.
fn attempts(tester: &Tester) -> Vec<f64> {
    let calls = tester.calls().of(fetch);
    calls.iter().map(|call| call.call.at.since(calls[0].call.at).as_secs_f64()).collect()
}

#[test]
fn an_error_chooses_the_next_delay() {
    let tester = Tester::new().workflow(read);
    let asked = [Err(busy().retry_after(90 * SECOND)), Err(busy()), Ok("page".to_owned())];
    tester.fake(fetch).in_turn(asked);
    let policy = RetryPolicy::fixed(2 * SECOND);
    assert_eq!(tester.start(read, "read", policy).result().unwrap(), "page");
    assert_eq!(attempts(&tester), [0.0, 90.0, 92.0]);
}

#[test]
fn jitter_spreads_the_waits_and_survives_a_crash() {
    let waits = |crash: bool| {
        let tester = Tester::new().workflow(read);
        tester.fake(fetch).in_turn([Err(busy()), Err(busy()), Err(busy()), Ok("page".to_owned())]);
        if crash {
            tester.after(3 * SECOND, |tester| tester.crash());
        }
        let policy = RetryPolicy::fixed(10 * SECOND).jitter(0.5);
        tester.start(read, "read", policy).result().unwrap();
        attempts(&tester)
    };
    let whole = waits(false);
    assert_eq!(whole, waits(true), "a worker that takes over waits as long");
    let each: Vec<f64> = whole.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(each.iter().all(|wait| (5.0..=10.0).contains(wait)), "{each:?}");
    assert!(each[0] != each[1], "{each:?}");
}

#[retell::workflow]
async fn read_here(cx: WorkflowContext, policy: RetryPolicy) -> WorkflowResult<String> {
    Ok(cx.local_activity(fetch, &"home".to_owned()).retry(policy).await?)
}

#[test]
fn a_call_that_is_tried_again_here_waits_with_jitter_too() {
    let tester = Tester::new().workflow(read_here);
    tester.fake(fetch).in_turn([Err(busy()), Err(busy()), Ok("page".to_owned())]);
    let policy = RetryPolicy::fixed(10 * SECOND).jitter(0.5);
    tester.start(read_here, "read", policy).result().unwrap();
    let began = attempts(&tester);
    let waits = [began[1], began[2] - began[1]];
    assert!(waits.iter().all(|wait| (5.0..10.0).contains(wait)) && waits[0] != waits[1], "{waits:?}");
}

#[test]
fn a_predicate_says_what_is_tried_again() {
    let only_busy = RetryPolicy::fixed(SECOND).retry_if(FailurePredicate::error_type("Busy"));
    let tester = Tester::new().workflow(read);
    tester.fake(fetch).in_turn([Err(busy()), Err(ActivityError::new("Gone", "no such page"))]);
    let error = tester.start(read, "gone", only_busy).result().unwrap_err();
    assert!(error.to_string().contains("no such page"), "{error}");
    assert_eq!(tester.calls().count("fetch"), 2);

    let no_panics = RetryPolicy::fixed(SECOND).retry_if(FailurePredicate::kind(FailureKind::Panic).negated());
    let tester = Tester::new().workflow(read);
    tester.fake(fetch).panics("boom");
    tester.start(read, "panics", no_panics).result().unwrap_err();
    assert_eq!(tester.calls().count("fetch"), 1);
}
