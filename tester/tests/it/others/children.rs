//! What a test sees of children: their runs, their histories, and what a parent still waits for.

use std::time::Duration;

use retell::backend::RunStatus;
use retell::prelude::*;
use retell::workflow::{ParentClosePolicy, SignalType};
use retell::write::CloseStatus;
use retell_tester::snapshot::stable_text;
use retell_tester::{Tester, Trouble};

const DAY: Duration = Duration::from_secs(86_400);
const GO: SignalType<u32> = SignalType::new("go");

#[retell::workflow]
async fn waits(cx: WorkflowContext) -> WorkflowResult<u32> {
    Ok(cx.signal(GO).await?)
}

#[retell::workflow]
async fn sleeps(cx: WorkflowContext, days: u32) -> WorkflowResult<u32> {
    cx.sleep(DAY * days).await?;
    Ok(days)
}

#[retell::workflow]
async fn parent(cx: WorkflowContext) -> WorkflowResult<u32> {
    let waiting = cx.child(waits, &()).id("waiting").started().await?;
    let slept = cx.child(sleeps, &3).await?;
    waiting.signal(GO, &slept).await?;
    Ok(waiting.result().await?)
}

#[test]
fn a_childs_sleep_passes_in_no_time_and_both_histories_are_told() {
    let tester = Tester::new().workflow(parent).workflow(waits).workflow(sleeps);
    let run = tester.start(parent, "parent", ());
    assert_eq!(run.result().unwrap(), 3);
    let told = stable_text(&run.history());
    let kinds: Vec<&str> = told.lines().skip(1).filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(
        kinds,
        [
            "WorkflowStarted",
            "ChildWorkflowScheduled",
            "ChildWorkflowStarted",
            "ChildWorkflowScheduled",
            "ChildWorkflowCompleted",
            "ExternalSignalRequested",
            "ExternalDelivered",
            "ChildWorkflowCompleted",
            "WorkflowCompleted",
        ],
        "{told}"
    );
    let child = tester.run(waits, "waiting");
    assert!(child.history().iter().any(|event| event.kind.name() == "SignalReceived"));
}

#[test]
fn a_parent_that_waits_for_ever_is_told_for_which_child() {
    let tester = Tester::new().workflow(parent).workflow(waits);
    let run = tester.start(parent, "parent", ());
    match run.try_result() {
        Err(Trouble::Still(why)) => {
            assert!(why.contains("waits for child workflow") && why.contains("sleeps"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[retell::workflow]
async fn fires_and_forgets(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.child(sleeps, &1).id("left").parent_close_policy(ParentClosePolicy::Abandon).detach()?;
    cx.child(sleeps, &1).id("ended").detach()?;
    Ok(())
}

#[test]
fn a_detached_child_follows_the_rule_that_it_was_given() {
    let tester = Tester::new().workflow(fires_and_forgets).workflow(sleeps);
    let run = tester.start(fires_and_forgets, "parent", ());
    run.result().unwrap();
    assert_eq!(tester.run(sleeps, "left").result().unwrap(), 1);
    let ended = tester.run(sleeps, "ended").describe().unwrap();
    assert_eq!(ended.status, RunStatus::Closed(CloseStatus::Terminated));
}
