//! Cancellation scopes.

use std::time::Duration;

use retell::prelude::*;
use retell::workflow::{ActivityCancellation, CallError};
use retell::write::CloseStatus;
use retell_tester::{Explorer, Tester};

use super::{count, work};

/// Three at once; whichever is first ends the others, and cleans up under a shield.
#[retell::workflow]
async fn first_wins(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let scope = cx.scope();
    let (cx, scope) = (&cx, &scope);
    let one = |number: u32| async move {
        match scope.cx().activity(work, &number).await {
            Ok(number) => {
                scope.cancel();
                number
            }
            Err(_) => cx.shielded().activity(work, &(10 * number)).await.unwrap_or_default(),
        }
    };
    Ok(retell::workflow::all((1..=3).map(one)).await)
}

#[test]
fn the_winner_of_a_scope_ends_the_others_and_they_clean_up() {
    let tester = Tester::new().workflow(first_wins);
    tester.fake(work).when(|number| *number == 2).takes(Duration::from_secs(1)).returns(2);
    tester.fake(work).when(|number| *number < 10).takes(Duration::from_secs(9)).answers(Ok);
    tester.fake(work).answers(Ok);
    let run = tester.start(first_wins, "first", ());
    assert_eq!(run.result().unwrap(), [10, 2, 30]);
    assert_eq!(count(&run.history(), "ActivityCancelled"), 2);
}

#[test]
fn whatever_the_order_one_wins_and_the_others_clean_up() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(first_wins).activity(work);
        tester.start(first_wins, "first", ());
        tester
    })
    .crashes(1)
    .always("one wins", |ending| {
        let result = ending.result(first_wins, "first").unwrap().unwrap();
        result.iter().filter(|number| **number < 10).count() == 1
            && ending.count("first", "ActivityCancelled") == 2
    })
    .run();
    assert!(explored.complete(), "{explored}");
}

#[test]
fn a_cancel_request_reaches_into_scopes_and_not_under_shields() {
    let tester = Tester::new().workflow(first_wins);
    tester.fake(work).when(|number| *number < 10).never_returns();
    tester.fake(work).answers(Ok);
    let run = tester.start(first_wins, "first", ());
    run.cancel("enough").unwrap();
    assert_eq!(run.result().unwrap(), [10, 20, 30]);
    assert_eq!(run.closed(), Some(CloseStatus::Completed));
}

/// Cancels its scope after ten seconds, and says how the call in it ended, and when.
#[retell::workflow]
async fn cancels_its_scope(
    cx: WorkflowContext,
    cancellation: ActivityCancellation,
) -> WorkflowResult<String> {
    let (began, scope) = (cx.now(), cx.scope());
    let call = scope.cx().activity(work, &9).retry(RetryPolicy::never()).cancellation(cancellation);
    let (worked, slept) = retell::join!(async { (call.await, cx.now()) }, async {
        cx.sleep(Duration::from_secs(10)).await?;
        scope.cancel();
        Ok::<_, CallError>(())
    });
    slept?;
    let (worked, ended) = worked;
    cx.sleep(Duration::from_secs(100)).await?;
    let how = if worked.is_ok() { "worked" } else { "cancelled" };
    Ok(format!("{how} after {:?}", ended.since(began)))
}

#[test]
fn a_cancelled_scope_treats_a_call_as_its_cancellation_says() {
    for (cancellation, how, event) in [
        (ActivityCancellation::Try, "cancelled after 10s", "ActivityCancelled"),
        (ActivityCancellation::Wait, "worked after 60s", "ActivityCancelRequested"),
        (ActivityCancellation::Abandon, "cancelled after 10s", "ActivityCompleted"),
    ] {
        let tester = Tester::new().workflow(cancels_its_scope);
        tester.fake(work).takes(Duration::from_secs(60)).answers(Ok);
        let run = tester.start(cancels_its_scope, "scope", cancellation);
        assert_eq!(run.result().unwrap(), how, "{cancellation:?}");
        assert_eq!(count(&run.history(), event), 1, "{cancellation:?}");
    }
}

#[test]
fn a_call_that_waits_is_asked_once_by_scope_and_run() {
    let tester = Tester::new().workflow(cancels_its_scope);
    tester.fake(work).takes(Duration::from_secs(20)).fails(ActivityError::cancelled());
    let run = tester.start(cancels_its_scope, "scope", ActivityCancellation::Wait);
    assert_eq!(run.result().unwrap(), "cancelled after 20s");
    let run = tester.start(cancels_its_scope, "both", ActivityCancellation::Wait);
    let cancelled = run.clone();
    tester.after(Duration::from_secs(15), move |_| cancelled.cancel("enough").unwrap());
    assert!(run.result().is_err());
    assert_eq!(count(&run.history(), "ActivityCancelRequested"), 1);
}

/// Under a shield, in a cancelled scope: that is not the run's cancel request.
#[retell::workflow]
async fn waits_in_a_cancelled_scope(cx: WorkflowContext, again: bool) -> WorkflowResult<bool> {
    if again {
        return Ok(cx.sleep(Duration::from_secs(1)).await.is_err());
    }
    cx.shielded().sleep(Duration::from_secs(10)).await?;
    let scope = cx.shielded().scope();
    scope.cancel();
    let state = scope.cx().share(0);
    let waited = scope.cx().wait_until(&state, |number| *number > 0).await;
    assert!(waited.is_err());
    cx.continue_as_new(waits_in_a_cancelled_scope, &true)
}

#[test]
fn a_wait_that_its_scope_ends_leaves_the_cancel_request_unread() {
    let tester = Tester::new().workflow(waits_in_a_cancelled_scope);
    let run = tester.start(waits_in_a_cancelled_scope, "unread", false);
    run.cancel("enough").unwrap();
    assert!(run.result().unwrap(), "the run that follows hears of it");
}
