//! Runs that take longer than they may.

use std::time::Duration;

use retell::backend::RunStatus;
use retell::client::ResultError;
use retell::history::EventKind;
use retell::prelude::*;
use retell::vocabulary::TimeoutKind;
use retell::write::CloseStatus;
use retell_tester::Tester;

const MINUTE: Duration = Duration::from_secs(60);

#[retell::activity]
async fn fetch(_cx: ActivityContext, page: u32) -> Result<u32, ActivityError> {
    Ok(page)
}

/// Waits for `go` for ever.
#[retell::workflow]
async fn patient(cx: WorkflowContext) -> WorkflowResult<String> {
    while cx.signal::<String>("go").await? != "go" {}
    Ok("gone".to_owned())
}

/// Reads a page, and then sleeps for an hour, again and again.
#[retell::workflow]
async fn endless(cx: WorkflowContext, page: u32) -> WorkflowResult<u32> {
    cx.activity(fetch, &page).await?;
    cx.sleep(60 * MINUTE).await?;
    cx.continue_as_new(endless, &(page + 1))
}

#[retell::workflow]
async fn broken(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.signal::<String>("go").await?;
    panic!("a bug of this deploy")
}

fn timed_out(result: Result<impl std::fmt::Debug, ResultError>) -> TimeoutKind {
    match result {
        Err(ResultError::TimedOut(limit)) => limit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_that_takes_too_long_closes_as_timed_out() {
    for crash in [false, true] {
        let tester = Tester::new().workflow(patient);
        let run = tester.start_with(patient, "run", (), |call| call.run_timeout(MINUTE)).unwrap();
        let began = tester.now();
        if crash {
            tester.after(MINUTE / 2, |tester| tester.crash());
        }
        assert_eq!(timed_out(run.result()), TimeoutKind::Run);
        assert_eq!(tester.now(), began + MINUTE);
        assert_eq!(run.describe().unwrap().status, RunStatus::Closed(CloseStatus::TimedOut));
    }
}

#[test]
fn a_run_that_ends_in_time_is_left_alone() {
    let tester = Tester::new().workflow(patient);
    let run = tester.start_with(patient, "run", (), |call| call.run_timeout(MINUTE)).unwrap();
    run.signal("go", "go").unwrap();
    assert_eq!(run.result().unwrap(), "gone");
    tester.advance(2 * MINUTE);
    assert_eq!(run.closed(), Some(CloseStatus::Completed));
}

#[test]
fn what_a_timed_out_run_was_sent_is_in_its_history() {
    let tester = Tester::new().workflow(patient);
    let run = tester.start_with(patient, "run", (), |call| call.run_timeout(MINUTE)).unwrap();
    for text in ["one", "two", "three"] {
        run.signal("go", text).unwrap();
    }
    timed_out(run.result());
    let signals = |kind: &EventKind| matches!(kind, EventKind::SignalReceived(_));
    assert_eq!(run.history().iter().filter(|event| signals(&event.kind)).count(), 3);
}

#[test]
fn an_activity_of_a_timed_out_run_is_stopped_and_its_row_goes() {
    let tester = Tester::new().workflow(endless);
    tester.fake(fetch).takes(60 * MINUTE).returns(1);
    let run = tester.start_with(endless, "run", 1, |call| call.run_timeout(MINUTE)).unwrap();
    assert_eq!(timed_out(run.result()), TimeoutKind::Run);
    let stats = tester.call(tester.client().stats()).unwrap();
    assert_eq!((stats.open, stats.queued, stats.messages), (0, 0, 0));
}

#[test]
fn an_execution_timeout_lasts_over_all_runs_of_a_chain() {
    let tester = Tester::new().workflow(endless).activity(fetch);
    let began = tester.now();
    let options = |call: retell::client::StartCall<endless>| {
        call.execution_timeout(150 * MINUTE).run_timeout(90 * MINUTE)
    };
    let run = tester.start_with(endless, "run", 1, options).unwrap();
    assert_eq!(timed_out(run.result()), TimeoutKind::Execution);
    assert_eq!(tester.now(), began + 150 * MINUTE);
    assert_eq!(run.histories().len(), 3);
}

#[test]
fn a_parked_run_times_out_too() {
    let tester = Tester::new().workflow(broken);
    let policy = RetryPolicy::fixed(MINUTE);
    let options = |call: retell::client::StartCall<broken>| call.run_timeout(MINUTE).retry(policy.clone());
    let run = tester.start_with(broken, "run", (), options).unwrap();
    run.signal("go", "go").unwrap();
    run.signal("go", "unread").unwrap();
    tester.advance(2 * MINUTE);
    assert_eq!(
        run.closed(),
        Some(CloseStatus::TimedOut),
        "it is not tried again: what is unread is not known"
    );
    let kinds: Vec<_> = run.history().iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["WorkflowStarted", "SignalReceived", "SignalReceived", "WorkflowTimedOut"]);
    assert_eq!(timed_out(run.try_result().unwrap()), TimeoutKind::Run);
}
