//! Runs that fail and are tried again.

use std::time::Duration;

use retell::client::{ResultError, StartCall};
use retell::history::EventKind;
use retell::prelude::*;
use retell::vocabulary::TimeoutKind;
use retell::write::CloseStatus;
use retell_tester::{TestRun, Tester};

const SECOND: Duration = Duration::from_secs(1);

/// Fails until its third try; tells what each try was told of the one before.
#[retell::workflow]
async fn third_time(cx: WorkflowContext, name: String) -> WorkflowResult<String> {
    let info = cx.info();
    if info.attempt.0 < 3 {
        return Err(WorkflowError::new(format!("{name} {}", info.attempt)).error_type("Busy"));
    }
    Ok(format!("after {:?}", info.last_failure.map(|failure| failure.message.to_string())))
}

/// Fails once it is told to, without having read anything else.
#[retell::workflow]
async fn reader(cx: WorkflowContext) -> WorkflowResult<String> {
    if cx.info().attempt.0 == 1 {
        cx.signal::<()>("fail").await?;
        return Err(WorkflowError::new("as told"));
    }
    let mut read = Vec::new();
    for _ in 0..3 {
        read.push(cx.signal::<String>("news").await?);
    }
    Ok(read.join(" "))
}

#[retell::workflow]
async fn sleeper(cx: WorkflowContext) -> WorkflowResult<u32> {
    if cx.info().attempt.0 < 3 {
        cx.sleep(100 * SECOND).await?;
    }
    Ok(cx.info().attempt.0)
}

fn closes(run: &TestRun<impl Workflow>) -> Vec<&'static str> {
    run.histories().iter().map(|(_, events)| events.last().unwrap().kind.name()).collect()
}

#[test]
fn a_failed_run_is_tried_again_after_its_wait() {
    for crash in [false, true] {
        let tester = Tester::new().workflow(third_time);
        let began = tester.now();
        if crash {
            tester.after(SECOND * 3 / 2, |tester| tester.crash());
        }
        let run = tester
            .start_with(third_time, "run", "try".to_owned(), |call| call.retry(RetryPolicy::exponential()))
            .unwrap();
        assert_eq!(run.result().unwrap(), "after Some(\"try 2\")");
        let waited = tester.now().since(began);
        assert!((3 * SECOND..5 * SECOND).contains(&waited), "{waited:?}");
        assert_eq!(closes(&run), ["WorkflowFailed", "WorkflowFailed", "WorkflowCompleted"]);
    }
}

#[test]
fn jitter_gives_each_try_a_wait_of_its_own_and_now_is_when_the_code_begins() {
    #[retell::workflow]
    async fn fails(cx: WorkflowContext) -> WorkflowResult<()> {
        Err(WorkflowError::new(cx.now().to_string()))
    }
    let tester = Tester::new().workflow(fails);
    let policy = RetryPolicy::fixed(10 * SECOND).jitter(0.5).attempts(3);
    let run = tester.start_with(fails, "run", (), |call| call.retry(policy.clone())).unwrap();
    run.result().unwrap_err();
    for (_, events) in run.histories() {
        let EventKind::WorkflowStarted(started) = &events[0].kind else { panic!("no start") };
        let EventKind::WorkflowFailed(failed) = &events[1].kind else { panic!("no end") };
        let begins = started.begins(events[0].at);
        assert_eq!(&*failed.failure.message, begins.to_string());
        let waited = begins.since(events[0].at);
        let first = started.attempt.0 == 1;
        assert!(first || (5 * SECOND..=10 * SECOND).contains(&waited), "{waited:?}");
        assert!(events[1].at >= begins);
    }
}

#[test]
fn what_the_policy_excludes_and_the_last_try_are_final() {
    let busy = RetryPolicy::fixed(SECOND);
    for (policy, tries) in [(busy.clone().attempts(2), 2), (busy.clone().non_retryable("Busy"), 1)] {
        let tester = Tester::new().workflow(third_time);
        let retried = |call: StartCall<third_time>| call.retry(policy.clone());
        let run = tester.start_with(third_time, "run", "try".to_owned(), retried).unwrap();
        let error = run.result().unwrap_err();
        assert!(error.to_string().contains(&format!("try {tries}")), "{error}");
        assert_eq!(run.histories().len(), tries);
    }
}

#[test]
fn unread_messages_go_along_in_order() {
    let tester = Tester::new().workflow(reader);
    let run =
        tester.start_with(reader, "run", (), |call| call.retry(RetryPolicy::fixed(10 * SECOND))).unwrap();
    run.signal("news", "one").unwrap();
    run.signal("news", "two").unwrap();
    run.signal("fail", &()).unwrap();
    tester.rest();
    assert_eq!(run.histories().len(), 2);
    let while_it_waits = run.clone();
    tester.after(5 * SECOND, move |_| while_it_waits.signal("news", "three").unwrap());
    assert_eq!(run.result().unwrap(), "one two three");
}

#[test]
fn a_run_that_passed_its_run_timeout_is_tried_again_within_its_execution_timeout() {
    let tester = Tester::new().workflow(sleeper);
    let policy = RetryPolicy::fixed(SECOND);
    let within = |length| {
        let policy = policy.clone();
        move |call: StartCall<sleeper>| {
            call.retry(policy.clone()).run_timeout(10 * SECOND).execution_timeout(length)
        }
    };
    let run = tester.start_with(sleeper, "long", (), within(100 * SECOND)).unwrap();
    assert_eq!(run.result().unwrap(), 3);
    assert_eq!(closes(&run), ["WorkflowTimedOut", "WorkflowTimedOut", "WorkflowCompleted"]);
    let run = tester.start_with(sleeper, "short", (), within(15 * SECOND)).unwrap();
    assert!(matches!(run.result(), Err(ResultError::TimedOut(TimeoutKind::Execution))));
    assert_eq!(run.histories().len(), 2);
}

#[test]
fn cancelled_and_terminated_runs_are_not_tried_again() {
    let tester = Tester::new().workflow(sleeper);
    let retried = |call: StartCall<sleeper>| call.retry(RetryPolicy::fixed(SECOND));
    let cancelled = tester.start_with(sleeper, "cancelled", (), retried).unwrap();
    cancelled.cancel("enough").unwrap();
    let terminated = tester.start_with(sleeper, "terminated", (), retried).unwrap();
    terminated.terminate("enough").unwrap();
    tester.advance(10 * SECOND);
    assert_eq!(cancelled.closed(), Some(CloseStatus::Cancelled));
    assert_eq!(terminated.closed(), Some(CloseStatus::Terminated));
}

#[test]
fn a_cancel_request_while_the_next_try_waits_is_heard_when_it_begins() {
    let tester = Tester::new().workflow(reader);
    let run =
        tester.start_with(reader, "run", (), |call| call.retry(RetryPolicy::fixed(10 * SECOND))).unwrap();
    run.signal("fail", &()).unwrap();
    tester.rest();
    run.cancel("enough").unwrap();
    assert!(matches!(run.result(), Err(ResultError::Cancelled)));
    let last = run.histories().pop().unwrap().1;
    assert!(last[1].at.since(last[0].at) >= 10 * SECOND, "nothing begins it earlier");
}
