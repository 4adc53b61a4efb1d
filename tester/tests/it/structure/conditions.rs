//! Waiting until the workflow's own state is as it should be.

use std::time::Duration;

use retell::prelude::*;
use retell_tester::{Explorer, Tester, Trouble};

use super::{failure, work};

/// Buys when enough was offered, from whatever came first.
#[retell::workflow]
async fn collect_offers(cx: WorkflowContext, wanted: u32) -> WorkflowResult<u32> {
    let sum = cx.share(0);
    let listen = async {
        loop {
            let offer = cx.signal::<u32>("offer").await?;
            let offer = cx.activity(work, &offer).await?;
            sum.with(|sum| *sum += offer);
        }
    };
    retell::select! {
        failed = listen => failed,
        met = cx.timeout(Duration::from_secs(3_600), cx.wait_until(&sum, |sum| *sum >= wanted)) => {
            met??;
            Ok(sum.read(|sum| *sum))
        }
    }
}

#[test]
fn the_condition_is_met_by_another_branch() {
    let tester = Tester::new().workflow(collect_offers);
    tester.fake(work).takes(Duration::from_secs(1)).answers(Ok);
    let run = tester.start(collect_offers, "offers", 10);
    for offer in [3, 4, 5] {
        run.signal("offer", &offer).unwrap();
    }
    assert_eq!(run.result().unwrap(), 12);
}

#[test]
fn a_condition_composes_with_a_deadline() {
    let tester = Tester::new().workflow(collect_offers);
    let run = tester.start(collect_offers, "offers", 10);
    let failure = failure(run.result());
    assert!(failure.message.contains("the time was up"), "{failure}");
}

#[test]
fn it_is_met_in_every_order() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(collect_offers).activity(work);
        tester.start(collect_offers, "offers", 3);
        tester
    })
    .signal("offers", "offer", &1)
    .signal("offers", "offer", &2)
    .crashes(1)
    .always("both were taken, or the time was up", |ending| {
        ending.result(collect_offers, "offers").is_some_and(|result| result.is_ok_and(|sum| sum == 3))
            || ending.count("offers", "TimerFired") == 1
    })
    .run();
    assert!(explored.complete(), "{explored}");
}

#[retell::workflow]
async fn waits_for_nothing(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(cx.wait_until(&cx.share(()), |()| false).await?)
}

#[test]
fn a_condition_that_nothing_can_meet_is_found() {
    let tester = Tester::new().workflow(waits_for_nothing);
    let trouble = tester.start(waits_for_nothing, "nothing", ()).try_result().unwrap_err();
    assert!(matches!(trouble, Trouble::TaskFailed { .. }), "{trouble}");
    assert!(trouble.to_string().contains("nothing can ever wake"), "{trouble}");
}
