//! All orders: signal, update, cancel, a child's end and continue-as-new over two runs, with deaths of the worker.

use std::time::Duration;

use retell::client::ResultError;
use retell::prelude::*;
use retell::workflow::{ChildCancellation, ChildError, SignalType, UpdateType};
use retell::write::CloseStatus;
use retell_tester::{Ending, Explorer};

const HOUR: Duration = Duration::from_secs(3_600);
const POKE: SignalType<u32> = SignalType::new("poke");
const ADD: UpdateType<u32, u32> = UpdateType::new("add");

/// Goes on as a new run once, whatever it is told; then gives what it was told. Cleans up if it is cancelled.
#[retell::workflow]
async fn child(cx: WorkflowContext, round: u32) -> WorkflowResult<u32> {
    let sum = cx.share(0);
    sum.handle_update(ADD, async |_, sum, more| {
        Ok(sum.with(|sum| {
            *sum += more;
            *sum
        }))
    });
    let poked = retell::select! {
        poked = cx.signal(POKE) => poked,
        timer = cx.sleep(HOUR) => timer.map(|()| 0),
    };
    match poked {
        Ok(_) if round == 0 => cx.continue_as_new(child, &1),
        Ok(poked) => Ok(poked + sum.with(|sum| *sum)),
        Err(error) => {
            cx.shielded().activity(clean, &round).await?;
            Err(error.into())
        }
    }
}

#[retell::activity]
async fn clean(_cx: ActivityContext, _round: u32) -> Result<(), ActivityError> {
    Ok(())
}

/// Waits for its child, and goes on as a new run once.
#[retell::workflow]
async fn parent(cx: WorkflowContext, round: u32) -> WorkflowResult<String> {
    let call = cx.child(child, &0).id(format!("child-{round}")).cancellation(ChildCancellation::Wait);
    let told = match call.await {
        Ok(_) => "completed",
        Err(ChildError::Cancelled) => return Err(ChildError::Cancelled.into()),
        Err(ChildError::ChildCancelled) => "cancelled",
        Err(ChildError::Terminated(_)) => "terminated",
        Err(error) => return Err(error.into()),
    };
    if round == 0 { cx.continue_as_new(parent, &1) } else { Ok(told.to_owned()) }
}

fn world() -> Explorer {
    Explorer::new(|tester| {
        let tester = tester.workflow(parent).workflow(child);
        tester.fake(clean).returns(());
        tester.start(parent, "parent", 0);
        tester
    })
}

/// What the parent came to agrees with what its children came to, and each of them ended.
fn agrees(ending: &Ending<'_>) -> bool {
    let last = |id: &str| ending.tester().was_started(id).then(|| ending.closed(id)).flatten();
    let ends: Vec<CloseStatus> = ["child-0", "child-1"].into_iter().filter_map(last).collect();
    match ending.result(parent, "parent") {
        Some(Ok(told)) => {
            let expected = match told.as_str() {
                "completed" => CloseStatus::Completed,
                "cancelled" => CloseStatus::Cancelled,
                _ => CloseStatus::Terminated,
            };
            ends.len() == 2 && ends[1] == expected
        }
        Some(Err(ResultError::Cancelled)) => ends.contains(&CloseStatus::Cancelled),
        Some(Err(ResultError::Terminated(_))) => true,
        _ => false,
    }
}

/// Each history of the parent has one outcome of its child, and no run of a child is left open.
fn heard_once(ending: &Ending<'_>) -> bool {
    const OUTCOMES: [&str; 4] = [
        "ChildWorkflowCompleted",
        "ChildWorkflowCancelled",
        "ChildWorkflowTerminated",
        "ChildWorkflowFailed",
    ];
    ending.histories("parent").iter().all(|(_, events)| {
        let heard = events.iter().filter(|event| OUTCOMES.contains(&event.kind.name())).count();
        let ended = events.last().is_some_and(|event| event.kind.name() == "WorkflowTerminated");
        heard == 1 || (ended && heard == 0)
    })
}

#[test]
fn a_childs_end_a_cancel_and_continue_as_new_on_both_sides_agree_in_all_orders() {
    let explored = world()
        .cancel("parent")
        .cancel("child-0")
        .signal("child-0", "poke", &1)
        .always("the parent is told how its child has ended", agrees)
        .always("it is told once", heard_once)
        .run();
    assert!(explored.complete(), "{explored}");
}

#[test]
fn updates_signals_and_a_termination_of_the_child_agree_in_all_orders() {
    let explored = world()
        .signal("child-0", "poke", &1)
        .terminate("child-1")
        .action("child-0: update", |tester| {
            let run = tester.client().handle(child, "child-0").unwrap();
            tester.call(run.send_update(ADD, &3)).is_ok()
        })
        .always("the parent is told how its child has ended", agrees)
        .always("it is told once", heard_once)
        .run();
    assert!(explored.complete(), "{explored}");
}

#[test]
fn a_worker_that_dies_anywhere_between_parent_and_child_changes_nothing() {
    let explored = world()
        .cancel("parent")
        .crashes(1)
        .always("the parent is told how its child has ended", agrees)
        .always("it is told once", heard_once)
        .run();
    assert!(explored.complete(), "{explored}");
}

#[test]
fn a_terminated_parent_leaves_no_child_behind_in_any_order() {
    let explored = world()
        .terminate("parent")
        .signal("child-0", "poke", &1)
        .crashes(1)
        .always("no child outlives it", |ending| {
            let started = |id: &&&str| ending.tester().was_started(id);
            ["child-0", "child-1"].iter().filter(started).all(|id| ending.closed(id).is_some())
        })
        .run();
    assert!(explored.complete(), "{explored}");
}
