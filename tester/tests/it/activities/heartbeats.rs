//! Heartbeats: silence ends an attempt, and the next one knows how far the last one came.

use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::TimeoutKind;
use retell_tester::Tester;

const SECOND: Duration = Duration::from_secs(1);

#[retell::activity]
async fn copy(_cx: ActivityContext, pages: u64) -> Result<u64, ActivityError> {
    Ok(pages)
}

#[retell::workflow]
async fn copies(cx: WorkflowContext, limit: Option<Duration>) -> WorkflowResult<u64> {
    let mut call = cx.activity(copy, &9).retry(RetryPolicy::fixed(SECOND).attempts(3));
    if let Some(limit) = limit {
        call = call.heartbeat_timeout(limit);
    }
    Ok(call.await?)
}

/// Copies three more pages than the attempt before, and fails until all are done.
fn three_at_a_time(cx: &ActivityContext, pages: u64) -> Result<u64, ActivityError> {
    let done = cx.heartbeat_details::<u64>()?.unwrap_or(0) + 3;
    cx.heartbeat(&(done - 1))?;
    cx.heartbeat(&done)?;
    if done < pages { Err(ActivityError::new("Jammed", format!("after page {done}"))) } else { Ok(done) }
}

#[test]
fn details_go_to_the_next_attempt() {
    for limit in [None, Some(5 * SECOND)] {
        let tester = Tester::new().workflow(copies);
        tester.fake(copy).answers_with_context(|cx, pages| three_at_a_time(&cx, pages));
        assert_eq!(tester.start(copies, "copies", limit).result().unwrap(), 9);
        assert_eq!(tester.calls().count("copy"), 3);
    }
}

#[test]
fn silence_ends_an_attempt() {
    let tester = Tester::new().workflow(copies);
    let began = tester.now();
    tester.fake(copy).times(2).never_returns();
    tester.fake(copy).times(1).returns(9);
    assert_eq!(tester.start(copies, "copies", Some(5 * SECOND)).result().unwrap(), 9);
    assert_eq!(tester.now(), began + 12 * SECOND);

    let tester = Tester::new().workflow(copies);
    tester.fake(copy).times(3).never_returns();
    let error = tester.start(copies, "copies", Some(5 * SECOND)).result().unwrap_err();
    let retell::client::ResultError::Failed(failure) = error else { panic!("it failed") };
    assert_eq!(failure.timeout_kind(), Some(TimeoutKind::Heartbeat));
}

#[test]
fn a_crash_loses_no_attempt_under_a_heartbeat_timeout() {
    let tester = Tester::new().workflow(copies);
    tester.fake(copy).times(1).never_returns();
    tester.fake(copy).times(1).returns(9);
    tester.after(SECOND, |tester| tester.crash());
    assert_eq!(tester.start(copies, "copies", Some(50 * SECOND)).result().unwrap(), 9);
    assert_eq!(tester.calls().count("copy"), 2);
}
