//! What a test sees of children: their runs, their histories, and what a parent still waits for.

use std::time::Duration;

use retell::backend::RunStatus;
use retell::history::EventKind;
use retell::prelude::*;
use retell::vocabulary::TimeoutKind;
use retell::workflow::{ChildError, ParentClosePolicy, SignalType};
use retell::write::CloseStatus;
use retell_tester::snapshot::stable_text;
use retell_tester::{Tester, Trouble};

const DAY: Duration = Duration::from_secs(86_400);
const GO: SignalType<u32> = SignalType::new("go");

#[retell::workflow]
async fn waits(cx: WorkflowContext) -> WorkflowResult<u32> {
    Ok(cx.signal(GO).await?)
}

#[retell::workflow]
async fn sleeps(cx: WorkflowContext, days: u32) -> WorkflowResult<u32> {
    cx.sleep(DAY * days).await?;
    Ok(days)
}

#[retell::workflow]
async fn parent(cx: WorkflowContext) -> WorkflowResult<u32> {
    let waiting = cx.child(waits, &()).id("waiting").started().await?;
    let slept = cx.child(sleeps, &3).await?;
    waiting.signal(GO, &slept).await?;
    Ok(waiting.result().await?)
}

#[test]
fn a_childs_sleep_passes_in_no_time_and_both_histories_are_told() {
    let tester = Tester::new().workflow(parent).workflow(waits).workflow(sleeps);
    let run = tester.start(parent, "parent", ());
    assert_eq!(run.result().unwrap(), 3);
    let told = stable_text(&run.history());
    let kinds: Vec<&str> = told.lines().skip(1).filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(
        kinds,
        [
            "WorkflowStarted",
            "ChildWorkflowScheduled",
            "ChildWorkflowStarted",
            "ChildWorkflowScheduled",
            "ChildWorkflowCompleted",
            "ExternalSignalRequested",
            "ExternalDelivered",
            "ChildWorkflowCompleted",
            "WorkflowCompleted",
        ],
        "{told}"
    );
    let child = tester.run(waits, "waiting");
    assert!(child.history().iter().any(|event| event.kind.name() == "SignalReceived"));
}

#[test]
fn a_parent_that_waits_for_ever_is_told_for_which_child() {
    let tester = Tester::new().workflow(parent).workflow(waits);
    let run = tester.start(parent, "parent", ());
    match run.try_result() {
        Err(Trouble::Still(why)) => {
            assert!(why.contains("waits for child workflow") && why.contains("sleeps"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[retell::workflow]
async fn fires_and_forgets(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.child(sleeps, &1).id("left").parent_close_policy(ParentClosePolicy::Abandon).detach()?;
    cx.child(sleeps, &1).id("ended").detach()?;
    Ok(())
}

#[test]
fn a_detached_child_follows_the_rule_that_it_was_given() {
    let tester = Tester::new().workflow(fires_and_forgets).workflow(sleeps);
    let run = tester.start(fires_and_forgets, "parent", ());
    run.result().unwrap();
    assert_eq!(tester.run(sleeps, "left").result().unwrap(), 1);
    let ended = tester.run(sleeps, "ended").describe().unwrap();
    assert_eq!(ended.status, RunStatus::Closed(CloseStatus::Terminated));
}

/// Fails until its third try.
#[retell::workflow]
async fn third_time(cx: WorkflowContext, name: String) -> WorkflowResult<String> {
    match cx.info().attempt.0 {
        3 => Ok(name),
        attempt => Err(WorkflowError::new(format!("{name} {attempt}")).error_type("Busy")),
    }
}

#[retell::workflow]
async fn asks_thrice(cx: WorkflowContext, attempts: u32) -> WorkflowResult<String> {
    let policy = RetryPolicy::fixed(DAY).attempts(attempts);
    let child = cx.child(third_time, &"try".to_owned()).id("child");
    Ok(child.memo("asked by", "asks_thrice").start_delay(DAY).retry(policy).await?)
}

#[test]
fn a_child_that_fails_is_tried_again_and_its_parent_hears_of_the_last_try_only() {
    for (attempts, told) in [(3, "ChildWorkflowCompleted"), (2, "ChildWorkflowFailed")] {
        let tester = Tester::new().workflow(asks_thrice).workflow(third_time);
        let began = tester.now();
        let run = tester.start(asks_thrice, "parent", attempts);
        match run.result() {
            Ok(value) => assert_eq!((attempts, value.as_str()), (3, "try")),
            Err(error) => assert!(attempts == 2 && error.to_string().contains("try 2"), "{error}"),
        }
        // One day until it begins, and one before each try but the first.
        let waited = tester.now().since(began);
        assert!((DAY * attempts..DAY * attempts + DAY / 2).contains(&waited), "{waited:?}");
        let heard: Vec<_> = run.history().iter().map(|event| event.kind.name()).collect();
        let outcomes =
            heard.iter().filter(|name| ["ChildWorkflowCompleted", "ChildWorkflowFailed"].contains(name));
        assert_eq!(Vec::from_iter(outcomes), [&told], "{heard:?}");
        let child = tester.run(third_time, "child");
        assert_eq!(child.histories().len(), attempts as usize);
        assert_eq!(
            tester.client().memo::<String>(&child.describe().unwrap(), "asked by").unwrap().as_deref(),
            Some("asks_thrice")
        );
    }
}

#[retell::workflow]
async fn impatient(cx: WorkflowContext, whole: bool) -> WorkflowResult<String> {
    let call = cx.child(sleeps, &3).id("child");
    let call = if whole { call.execution_timeout(DAY) } else { call.run_timeout(DAY) };
    match call.await {
        Err(ChildError::TimedOut) => Ok("gave up".to_owned()),
        other => Ok(format!("{other:?}")),
    }
}

#[test]
fn a_child_that_takes_too_long_is_a_typed_error_of_its_parent() {
    for (whole, limit) in [(false, TimeoutKind::Run), (true, TimeoutKind::Execution)] {
        let tester = Tester::new().workflow(impatient).workflow(sleeps);
        let run = tester.start(impatient, "parent", whole);
        assert_eq!(run.result().unwrap(), "gave up");
        assert!(run.history().iter().any(|event| event.kind.name() == "ChildWorkflowTimedOut"));
        let child = tester.run(sleeps, "child");
        let history = child.history();
        let EventKind::WorkflowTimedOut(closed) = &history.last().unwrap().kind else {
            panic!("{history:?}")
        };
        assert_eq!(closed.limit, limit);
    }
}
