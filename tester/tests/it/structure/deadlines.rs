//! Deadlines around any future.

use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::FailureKind;
use retell_tester::Tester;

use super::{count, failure, names, work};

const MINUTE: Duration = Duration::from_secs(60);

#[retell::workflow]
async fn hurried(cx: WorkflowContext) -> WorkflowResult<u32> {
    let both = async {
        let (left, right) = retell::join!(cx.activity(work, &1), cx.activity(work, &2));
        Ok::<_, WorkflowError>(left? + right?)
    };
    cx.timeout(MINUTE, both).await?
}

#[test]
fn what_is_not_done_in_time_is_cancelled_and_the_error_says_when() {
    let tester = Tester::new().workflow(hurried);
    tester.fake(work).when(|number| *number == 1).takes(MINUTE / 2).returns(1);
    tester.fake(work).takes(2 * MINUTE).returns(2);
    let until = tester.now() + MINUTE;
    let run = tester.start(hurried, "late", ());
    let failure = failure(run.result());
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.message.contains(&until.to_string()), "{failure}");
    let events = names(&run.history());
    assert_eq!(events[1..4], ["ActivityScheduled", "ActivityScheduled", "TimerStarted"]);
    assert_eq!(events[4..], ["ActivityCompleted", "TimerFired", "ActivityCancelled", "WorkflowFailed"]);
}

#[test]
fn what_is_done_in_time_cancels_the_timer() {
    let tester = Tester::new().workflow(hurried);
    tester.fake(work).takes(MINUTE / 2).answers(Ok);
    let run = tester.start(hurried, "timely", ());
    assert_eq!(run.result().unwrap(), 3);
    assert_eq!(count(&run.history(), "TimerCancelled"), 1);
}

#[retell::workflow]
async fn shares_a_deadline(cx: WorkflowContext) -> WorkflowResult<Vec<bool>> {
    let until = cx.now() + MINUTE;
    let mut in_time = Vec::new();
    for number in 0..3 {
        in_time.push(cx.deadline(until, cx.activity(work, &number)).await.is_ok());
    }
    // Ready at once: no timer is started.
    in_time.push(cx.timeout(MINUTE, async {}).await.is_ok());
    Ok(in_time)
}

#[test]
fn a_deadline_that_has_passed_ends_what_comes_after_it() {
    let tester = Tester::new().workflow(shares_a_deadline);
    tester.fake(work).takes(2 * MINUTE / 3).answers(Ok);
    let run = tester.start(shares_a_deadline, "shared", ());
    assert_eq!(run.result().unwrap(), [true, false, false, true]);
    assert_eq!(count(&run.history(), "TimerStarted"), 3);
}

/// Cleans up for longer than it may.
#[retell::workflow]
async fn cleans_up_slowly(cx: WorkflowContext) -> WorkflowResult<String> {
    let shielded = cx.shielded();
    let patient = async {
        let cancelled = cx.sleep(10 * MINUTE).await.is_err();
        shielded.activity(work, &1).await?;
        Ok::<_, WorkflowError>(cancelled)
    };
    Ok(format!("{:?}", cx.timeout(MINUTE, patient).await.is_err()))
}

#[test]
fn the_limit_holds_for_what_cleans_up_after_a_cancel_request() {
    let tester = Tester::new().workflow(cleans_up_slowly);
    tester.fake(work).never_returns();
    let began = tester.now();
    let run = tester.start(cleans_up_slowly, "slow", ());
    run.cancel("enough").unwrap();
    assert_eq!(run.result().unwrap(), "true");
    assert_eq!(tester.now(), began + MINUTE);
    assert_eq!(count(&run.history(), "ActivityCancelled"), 1);
}
