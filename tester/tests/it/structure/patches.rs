//! Changing the code under runs that are open.

use retell::prelude::*;
use retell::workflow::definition;
use retell_tester::{Explorer, Tester};

use super::{count, work};

/// Goes round in both ways, asking each time.
#[retell::workflow]
async fn changed(cx: WorkflowContext, rounds: u32) -> WorkflowResult<u32> {
    let mut sum = 0;
    for round in 0..rounds {
        let number = if cx.patched("tenfold") { 10 * round } else { round };
        sum += cx.activity(work, &number).await?;
    }
    Ok(sum)
}

mod before {
    use super::*;

    #[retell::workflow]
    pub(super) async fn changed(cx: WorkflowContext, rounds: u32) -> WorkflowResult<u32> {
        let mut sum = 0;
        for round in 0..rounds {
            sum += cx.activity(work, &round).await?;
        }
        Ok(sum)
    }
}

#[test]
fn a_new_run_goes_the_new_way_and_holds_one_marker_whatever_dies() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(changed).activity(work);
        tester.start(changed, "changed", 3);
        tester
    })
    .crashes(2)
    .always("the new way", |ending| {
        ending.result(changed, "changed").unwrap().unwrap() == 30
            && ending.count("changed", "PatchRecorded") == 1
    })
    .run();
    assert!(explored.complete(), "{explored}");
}

#[test]
fn a_run_of_the_old_code_replays_on_the_new_and_goes_the_old_way() {
    let tester = Tester::new().workflow(before::changed).activity(work);
    let run = tester.start(before::changed, "old", 3);
    assert_eq!(run.result().unwrap(), 3);
    let history = run.history();
    retell::replay::check(&definition::<changed>().unwrap(), run.key(), &history).unwrap();
    // An open one, too: up to where it stood.
    retell::replay::check(&definition::<changed>().unwrap(), run.key(), &history[..4]).unwrap();
    assert_eq!(count(&history, "PatchRecorded"), 0);
}
