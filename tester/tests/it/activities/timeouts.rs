//! The limits of whole calls, wherever the call stands when its time is over.

use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::{TaskQueue, TimeoutKind};
use retell::workflow::CallError;
use retell_tester::Tester;

const SECOND: Duration = Duration::from_secs(1);

#[retell::activity]
async fn charge(_cx: ActivityContext, cents: u64) -> Result<u64, ActivityError> {
    Ok(cents)
}

/// A queue if it is not the workflow's own, how long the call may wait and last, and between attempts.
type Limits = (Option<TaskQueue>, Option<Duration>, Option<Duration>, Duration);

#[retell::workflow]
async fn limited(cx: WorkflowContext, limits: Limits) -> WorkflowResult<String> {
    let (queue, start, close, wait) = limits;
    let mut call = cx.activity(charge, &1).retry(RetryPolicy::fixed(wait));
    if let Some(queue) = queue {
        call = call.task_queue(queue);
    }
    if let Some(start) = start {
        call = call.schedule_to_start(start);
    }
    if let Some(close) = close {
        call = call.schedule_to_close(close);
    }
    Ok(match call.await {
        Ok(cents) => cents.to_string(),
        Err(CallError::Failed(failure)) => match failure.timeout_kind() {
            Some(kind) => format!("{kind:?} {}", failure.causes.len()),
            None => failure.to_string(),
        },
        Err(error) => return Err(error.into()),
    })
}

fn elsewhere() -> Option<TaskQueue> {
    Some(TaskQueue::new("elsewhere").unwrap())
}

/// Runs the workflow; what it returned, and after how many seconds.
fn run(tester: &Tester, limits: Limits) -> (String, f64) {
    let began = tester.now();
    let text = tester.start(limited, "limited", limits).result().unwrap();
    (text, tester.now().since(began).as_secs_f64())
}

#[test]
fn a_call_in_a_queue_that_nobody_serves_times_out() {
    let tester = Tester::new().workflow(limited).activity(charge);
    let close = (elsewhere(), None, Some(60 * SECOND), SECOND);
    assert_eq!(run(&tester, close), ("ScheduleToClose 0".to_owned(), 60.0));
    let both = (elsewhere(), Some(5 * SECOND), Some(60 * SECOND), SECOND);
    assert_eq!(run(&tester, both), ("ScheduleToStart 0".to_owned(), 5.0));
}

#[test]
fn a_restart_prolongs_no_limit() {
    let tester = Tester::new().workflow(limited).activity(charge);
    tester.after(20 * SECOND, |tester| tester.crash());
    tester.after(30 * SECOND, |tester| tester.stop_worker());
    tester.after(90 * SECOND, |tester| tester.start_worker());
    let close = (elsewhere(), None, Some(60 * SECOND), SECOND);
    assert_eq!(run(&tester, close), ("ScheduleToClose 0".to_owned(), 90.0));
}

#[test]
fn an_attempt_that_runs_is_stopped_when_the_whole_call_is_over() {
    let tester = Tester::new().workflow(limited);
    tester.fake(charge).times(1).never_returns();
    let close = (None, None, Some(60 * SECOND), SECOND);
    assert_eq!(run(&tester, close), ("ScheduleToClose 0".to_owned(), 60.0));
}

#[test]
fn what_could_not_begin_in_time_is_not_tried_again() {
    let tester = Tester::new().workflow(limited);
    tester.fake(charge).fails(ActivityError::new("Busy", "come back later"));
    let close = (None, None, Some(25 * SECOND), 10 * SECOND);
    assert_eq!(run(&tester, close), ("come back later".to_owned(), 20.0));
    assert_eq!(tester.calls().count("charge"), 3);
}

#[test]
fn the_last_failure_is_the_cause_of_a_timeout() {
    let tester = Tester::new().workflow(limited);
    tester.fake(charge).times(1).fails(ActivityError::new("Busy", "come back later"));
    tester.fake(charge).times(1).never_returns();
    let close = (None, None, Some(25 * SECOND), 10 * SECOND);
    assert_eq!(run(&tester, close), ("ScheduleToClose 1".to_owned(), 25.0));
}

#[test]
fn a_call_that_began_in_time_may_last() {
    let tester = Tester::new().workflow(limited);
    tester.fake(charge).takes(100 * SECOND).returns(7);
    let start = (None, Some(5 * SECOND), None, SECOND);
    assert_eq!(run(&tester, start), ("7".to_owned(), 100.0));
}

#[retell::workflow]
async fn two(cx: WorkflowContext) -> WorkflowResult<(bool, bool)> {
    let (one, other) = retell::join!(
        cx.activity(charge, &1).schedule_to_start(5 * SECOND),
        cx.activity(charge, &2).schedule_to_start(5 * SECOND),
    );
    let late = |result: Result<u64, CallError>| {
        result.is_err_and(|error| {
            error.failure().and_then(|failure| failure.timeout_kind()) == Some(TimeoutKind::ScheduleToStart)
        })
    };
    Ok((late(one), late(other)))
}

#[test]
fn a_call_that_stands_in_line_on_its_own_worker_times_out_too() {
    let tester = Tester::new().options(|options| options.activity_slots = 1).workflow(two);
    tester.fake(charge).takes(100 * SECOND).returns(7);
    assert_eq!(tester.start(two, "two", ()).result().unwrap(), (false, true));
    assert_eq!(tester.calls().count("charge"), 1);
}
