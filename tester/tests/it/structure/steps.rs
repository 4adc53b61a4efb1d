//! Steps and local activities on the whole engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use retell::history::EventKind;
use retell::prelude::*;
use retell::vocabulary::{Attempt, FailureKind};
use retell_tester::{Explorer, Tester, Trouble};

use super::{count, failure, names, work};

const SECOND: Duration = Duration::from_secs(1);

type Counter = Arc<AtomicU32>;

/// Doubles a number so many times, and counts what it does where everyone sees it.
#[retell::workflow]
async fn doubles(cx: WorkflowContext, times: u32) -> WorkflowResult<u32> {
    let mut number = 1;
    for _ in 0..times {
        number = cx
            .step("double", &number, |cx, number: u32| async move {
                cx.state::<Counter>()?.fetch_add(1, Ordering::Relaxed);
                // On the worker's runtime, as the body of an activity.
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(2 * number)
            })
            .await?;
    }
    Ok(number)
}

#[test]
fn each_step_runs_once_and_costs_one_commit() {
    let ran = Counter::default();
    let tester = Tester::new().workflow(doubles).state(ran.clone());
    let run = tester.start(doubles, "doubles", 5);
    assert_eq!(run.result().unwrap(), 32);
    assert_eq!(ran.load(Ordering::Relaxed), 5);
    assert_eq!(tester.commits(), 6, "the first task, and one for each step");
    let history = run.history();
    let local = |event: &retell::history::Event| match &event.kind {
        EventKind::ActivityScheduled(call) => call.local,
        _ => true,
    };
    assert!(history.iter().all(local) && count(&history, "ActivityCompleted") == 5);
}

#[test]
fn a_step_is_faked_and_counted_by_its_name() {
    let tester = Tester::new().workflow(doubles).state(Counter::default());
    tester.fake_named::<u32, u32>("double").when(|number| *number == 2).takes(SECOND).returns(100);
    assert_eq!(tester.start(doubles, "doubles", 3).result().unwrap(), 200);
    assert_eq!(tester.calls().count("double"), 3);
}

#[test]
fn after_a_crash_only_the_step_that_was_under_way_runs_again() {
    let ran = Counter::default();
    let tester = Tester::new().workflow(doubles).state(ran.clone());
    tester.crash_before_commit(2);
    let run = tester.start(doubles, "doubles", 4);
    assert_eq!(run.result().unwrap(), 16);
    assert_eq!(ran.load(Ordering::Relaxed), 5);
    assert_eq!(count(&run.history(), "ActivityScheduled"), 4);
}

#[test]
fn whatever_dies_the_result_is_the_same_and_nothing_is_recorded_twice() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(doubles).state(Counter::default());
        tester.start(doubles, "doubles", 3);
        tester
    })
    .crashes(2)
    .failures(1)
    .always("three steps", |ending| {
        ending.result(doubles, "doubles").unwrap().unwrap() == 8
            && ending.count("doubles", "ActivityCompleted") == 3
    })
    .run();
    assert!(explored.complete(), "{explored}");
}

/// Fails so many times, by its attempt.
#[retell::workflow]
async fn retried(cx: WorkflowContext, attempts: u32) -> WorkflowResult<u32> {
    let fails = |cx: ActivityContext, (): ()| async move {
        match cx.attempt() {
            Attempt(attempt) if attempt < 3 => Err(ActivityError::new("Busy", "try again")),
            Attempt(attempt) => Ok(attempt + u32::from(cx.last_failure().is_some())),
        }
    };
    Ok(cx.step("fails", &(), fails).retry(RetryPolicy::fixed(SECOND).attempts(attempts)).await?)
}

#[test]
fn failed_attempts_are_repeated_here_and_leave_no_trace_in_history() {
    let tester = Tester::new().workflow(retried);
    let began = tester.now();
    let run = tester.start(retried, "retried", 3);
    assert_eq!(run.result().unwrap(), 4);
    assert_eq!(tester.now(), began + 2 * SECOND);
    assert_eq!(
        names(&run.history()),
        ["WorkflowStarted", "ActivityScheduled", "ActivityCompleted", "WorkflowCompleted"]
    );
    let given_up = failure(tester.start(retried, "given up", 2).result());
    assert_eq!(&*given_up.error_type, "Busy");
}

#[test]
fn a_takeover_begins_with_the_second_attempt_and_one_that_is_allowed_one_is_lost() {
    for (attempts, result) in [(5, Ok(4)), (1, Err(FailureKind::WorkerLost))] {
        let tester = Tester::new().with_time_by_hand().workflow(retried);
        tester.fake_named::<(), u32>("fails").when(|()| true).times(1).never_returns();
        let run = tester.start(retried, "taken over", attempts);
        tester.crash();
        tester.advance(10 * SECOND);
        match result {
            Ok(number) => assert_eq!(run.result().unwrap(), number),
            Err(kind) => assert_eq!(failure(run.result()).kind, kind),
        }
        std::mem::forget(tester);
    }
}

#[retell::workflow]
async fn stops_retrying(cx: WorkflowContext) -> WorkflowResult<bool> {
    let always = |_cx, (): ()| async { Err::<(), _>(ActivityError::new("Busy", "try again")) };
    let in_time = cx.timeout(90 * SECOND, cx.step("always fails", &(), always)).await.is_ok();
    cx.sleep(3_600 * SECOND).await?;
    Ok(in_time)
}

#[test]
fn a_step_that_is_let_go_of_is_tried_no_more() {
    let tester = Tester::new().workflow(stops_retrying);
    assert!(!tester.start(stops_retrying, "stops", ()).result().unwrap());
    // After 0, 1, 3, 7, 15, 31 and 63 seconds.
    assert_eq!(tester.calls().count("always fails"), 7);
}

#[retell::workflow]
async fn works_locally(cx: WorkflowContext) -> WorkflowResult<u32> {
    let (left, right) = retell::join!(cx.local_activity(work, &1), cx.local_activity(work, &2));
    Ok(left? + right?)
}

#[test]
fn local_activities_need_no_queue() {
    // No slot is free for a call through the queue: both stand in line here.
    let tester =
        Tester::new().workflow(works_locally).activity(work).options(|options| options.activity_slots = 1);
    let run = tester.start(works_locally, "local", ());
    assert_eq!(run.result().unwrap(), 3);
    assert_eq!(count(&run.history(), "ActivityCompleted"), 2);
}

#[test]
fn a_local_activity_that_is_not_registered_parks_the_run() {
    let tester = Tester::new().workflow(works_locally);
    let trouble = tester.start(works_locally, "local", ()).try_result().unwrap_err();
    assert!(matches!(trouble, Trouble::TaskFailed { .. }), "{trouble}");
    assert!(trouble.to_string().contains(r#"the local activity "work" is not registered"#), "{trouble}");
}

#[retell::activity]
async fn wants_a_token(cx: ActivityContext) -> Result<(), ActivityError> {
    cx.heartbeat(&1)?;
    cx.token().await?;
    Ok(())
}

#[retell::workflow]
async fn asks_locally(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(cx.local_activity(wants_a_token, &()).retry(RetryPolicy::never()).await?)
}

#[test]
fn a_local_call_has_no_row_and_so_no_token() {
    let tester = Tester::new().workflow(asks_locally).activity(wants_a_token);
    let error = tester.start(asks_locally, "token", ()).result().unwrap_err();
    assert!(error.to_string().contains("no worker runs it"), "{error}");
}
