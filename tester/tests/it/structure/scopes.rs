//! Cancellation scopes.

use std::time::Duration;

use retell::prelude::*;
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
