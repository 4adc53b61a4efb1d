//! Many futures together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use retell::prelude::*;
use retell::workflow::{all, try_all};
use retell_tester::{Explorer, Tester};

use super::{count, failure, names, work};

const SECOND: Duration = Duration::from_secs(1);

#[retell::workflow]
async fn collects(cx: WorkflowContext) -> WorkflowResult<Vec<Option<u32>>> {
    let never = RetryPolicy::never();
    let calls = (1..=3).map(|number| cx.activity(work, &number).retry(never.clone()));
    Ok(all(calls).await.into_iter().map(Result::ok).collect())
}

#[retell::workflow]
async fn gives_up_at_the_first_error(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let never = RetryPolicy::never();
    Ok(try_all((1..=4).map(|number| cx.activity(work, &number).retry(never.clone()))).await?)
}

fn second_fails(tester: &Tester) {
    tester.fake(work).when(|number| *number == 2).takes(2 * SECOND).fails(ActivityError::new("No", "no"));
    tester.fake(work).when(|number| *number == 3).takes(SECOND).returns(3);
    tester.fake(work).takes(3 * SECOND).answers(Ok);
}

#[test]
fn all_results_are_collected_in_the_order_of_the_calls() {
    let tester = Tester::new().workflow(collects);
    second_fails(&tester);
    assert_eq!(tester.start(collects, "all", ()).result().unwrap(), [Some(1), None, Some(3)]);
}

#[test]
fn the_first_error_cancels_the_rest() {
    let tester = Tester::new().workflow(gives_up_at_the_first_error);
    second_fails(&tester);
    let run = tester.start(gives_up_at_the_first_error, "try", ());
    assert_eq!(&*failure(run.result()).error_type, "No");
    assert_eq!(
        names(&run.history())[5..],
        ["ActivityCompleted", "ActivityFailed", "ActivityCancelled", "ActivityCancelled", "WorkflowFailed"]
    );
}

#[retell::workflow]
async fn two_at_a_time(cx: WorkflowContext) -> WorkflowResult<(Vec<u32>, usize)> {
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (cx, running, most) = (&cx, &running, &most);
    let one = |number: u32| async move {
        most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let done = cx.activity(work, &number).await;
        running.fetch_sub(1, Ordering::Relaxed);
        done
    };
    let numbers = try_all((0..5).map(one)).at_most(2).await?;
    let none: Vec<u32> = all(std::iter::empty::<std::future::Ready<u32>>()).at_most(0).await;
    assert!(none.is_empty());
    Ok((numbers, most.load(Ordering::Relaxed)))
}

#[test]
fn no_more_than_so_many_run_at_once_whatever_the_order() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(two_at_a_time).activity(work);
        tester.start(two_at_a_time, "two", ());
        tester
    })
    .always("two at a time, in order", |ending| {
        ending.result(two_at_a_time, "two").unwrap().unwrap() == (vec![0, 1, 2, 3, 4], 2)
    })
    .run();
    assert!(explored.complete() && explored.schedules > 4, "{explored}");
}

#[retell::workflow]
async fn very_many(cx: WorkflowContext) -> WorkflowResult<usize> {
    Ok(try_all((0..2_000).map(|number| cx.activity(work, &number))).at_most(100).await?.len())
}

#[test]
fn thousands_pass_through_a_narrow_door() {
    let tester = Tester::new().workflow(very_many);
    tester.fake(work).answers(Ok);
    let run = tester.start(very_many, "many", ());
    assert_eq!(run.result().unwrap(), 2_000);
    assert_eq!(count(&run.history(), "ActivityCompleted"), 2_000);
}
