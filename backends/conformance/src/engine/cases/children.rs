//! Children: runs that are started by runs, tell their parents how they end, and follow them when they close.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::select;
use retell::Orchestrator;
use retell::backend::{RunStatus, StoreError, StoreErrorKind};
use retell::client::{IdConflict, ResultError};
use retell::vocabulary::IdReusePolicy;
use retell::workflow::{NamesWorkflow, 
    ChildCancellation, ChildError, ChildIdConflict, ParentClosePolicy, Workflow, WorkflowContext,
    WorkflowError, WorkflowResult, try_all,
};
use retell::write::{Batch, CloseStatus, Errand, Write};
use tokio::sync::watch;

use crate::engine::Scene;
use crate::engine::probe::{Probe, effect, hold};
use crate::engine::scene::{Process, count, history};
use crate::engine::tap::{Call, Tap};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

fn code(engine: Orchestrator) -> Orchestrator {
    parents(children(engine))
}

fn children(engine: Orchestrator) -> Orchestrator {
    engine.workflow(sleeper).workflow(relay).workflow(outcome).activity(effect).activity(hold)
}

fn parents(engine: Orchestrator) -> Orchestrator {
    engine
        .workflow(tree)
        .workflow(three_policies)
        .workflow(awaits)
        .workflow(awaits_relay)
        .workflow(lets_go)
        .workflow(errors)
        .workflow(named_twice)
        .workflow(holder)
}

async fn status<W: Workflow, M>(process: &Process, workflow: impl NamesWorkflow<W, M>, id: &str) -> RunStatus {
    process.handle(workflow, id).unwrap().describe().await.unwrap().status
}

/// Waits until the run has closed so.
async fn closes_as(scene: &Scene, process: &Process, id: &'static str, how: CloseStatus) {
    let is_so = || async {
        match status(process, sleeper, id).await {
            RunStatus::Running => false,
            RunStatus::Closed(found) => {
                assert_eq!(found, how, "{id}");
                true
            }
        }
    };
    scene.until(is_so).await;
}

/// A leaf does something; an inner node adds up what its children give.
#[retell::workflow]
async fn tree(cx: WorkflowContext, depth: u32) -> WorkflowResult<u64> {
    if depth == 0 {
        cx.activity(effect, &"leaf".to_owned()).await?;
        return Ok(1);
    }
    let branches = (0..3).map(|_| cx.child(tree, &(depth - 1)));
    Ok(try_all(branches).await?.into_iter().sum())
}

/// Every child of a tree begins once and is heard once, with one process or with two.
pub async fn a_tree_of_children_gives_its_sum(scene: Scene) {
    let one = scene.process(code).await;
    let alone = one.start(tree, "alone", 3).await.unwrap();
    assert_eq!(scene.as_time_passes(alone.result()).await.unwrap(), 27);
    let two = scene.process(code).await;
    let shared = two.start(tree, "shared", 3).await.unwrap();
    assert_eq!(scene.as_time_passes(shared.result()).await.unwrap(), 27);
    assert_eq!(scene.probe.count("leaf"), 54);
    let events = history(&shared).await;
    assert_eq!(count(&events, "ChildWorkflowCompleted"), 3);
}

/// Sleeps for a year, or until it is told something; cleans up if it is cancelled.
#[retell::workflow]
async fn sleeper(cx: WorkflowContext) -> WorkflowResult<String> {
    retell::select! {
        slept = cx.sleep(YEAR) => match slept {
            Ok(()) => Ok("slept".to_owned()),
            Err(error) => {
                cx.shielded().activity(effect, &format!("clean {}", cx.run().workflow_id)).await?;
                Err(error.into())
            }
        },
        told = cx.signal::<String>("wake") => Ok(told?),
    }
}

#[retell::workflow]
async fn awaits(cx: WorkflowContext, id: String) -> WorkflowResult<String> {
    Ok(match cx.child(sleeper, &()).id(id).await {
        Ok(told) => told,
        Err(ChildError::Terminated(reason)) => format!("terminated: {reason}"),
        Err(ChildError::ChildCancelled) => "cancelled".to_owned(),
        Err(error) => return Err(error.into()),
    })
}

/// Each is served by a process of its own.
pub async fn a_parent_and_its_child_live_in_two_processes(scene: Scene) {
    let parent = scene.process(parents).await;
    let child = scene.process(children).await;
    let run = parent.start(awaits, "parent", "child".to_owned()).await.unwrap();
    let handle = child.handle(sleeper, "child").unwrap();
    scene.until(|| async { handle.describe().await.is_ok() }).await;
    handle.signal("wake", "hello").await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "hello");
}

/// The parent's process dies while it waits; the word comes all the same.
pub async fn a_childs_end_finds_its_parent_after_a_crash(scene: Scene) {
    let dying = scene.process(code).await;
    dying.start(awaits, "parent", "child".to_owned()).await.unwrap();
    scene.crash(dying).await;
    let process = scene.process(code).await;
    process.handle(sleeper, "child").unwrap().signal("wake", "hello").await.unwrap();
    let run = process.handle(awaits, "parent").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "hello");
    assert_eq!(count(&history(&run).await, "ChildWorkflowCompleted"), 1);
}

/// Nobody asks the child's code; whoever claims what is left of it tells the parent, even after a crash.
pub async fn the_parent_of_a_terminated_child_is_told(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(awaits, "parent", "child".to_owned()).await.unwrap();
    let child = process.handle(sleeper, "child").unwrap();
    child.terminate("by hand").await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "terminated: by hand");
    drop((run, child));
    // With nobody there, it is found later.
    process.start(awaits, "later", "late".to_owned()).await.unwrap();
    scene.crash(process).await;
    let (orchestrator, _gone) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    client.handle(sleeper, "late").unwrap().terminate("at night").await.unwrap();
    let process = scene.process(code).await;
    let run = process.handle(awaits, "later").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "terminated: at night");
}

/// Starts three sleepers, one under each policy, and waits.
#[retell::workflow]
async fn three_policies(cx: WorkflowContext, ends: String) -> WorkflowResult<String> {
    let policies =
        [ParentClosePolicy::Terminate, ParentClosePolicy::RequestCancel, ParentClosePolicy::Abandon];
    for (policy, id) in policies.into_iter().zip(["terminated", "asked", "abandoned"]) {
        cx.child(sleeper, &()).id(format!("{ends} {id}")).parent_close_policy(policy).detach()?;
    }
    if ends == "continues" {
        return cx.continue_as_new(three_policies, &"is terminated".to_owned());
    }
    if ends == "fails" {
        return Err(WorkflowError::new("no"));
    }
    if ends == "returns" {
        return Ok("done".to_owned());
    }
    Ok(cx.signal("never").await?)
}

async fn policies_hold(scene: &Scene, process: &Process, ids: [&'static str; 3]) {
    closes_as(scene, process, ids[0], CloseStatus::Terminated).await;
    closes_as(scene, process, ids[1], CloseStatus::Cancelled).await;
    assert_eq!(scene.probe.count(&format!("clean {}", ids[1])), 1, "it has cleaned up");
    assert_eq!(status(process, sleeper, ids[2]).await, RunStatus::Running);
}

/// In whatever way it closes, by its code or from outside.
pub async fn children_follow_the_policy_when_their_parent_closes(scene: Scene) {
    let process = scene.process(code).await;
    process.start(three_policies, "returns", "returns".to_owned()).await.unwrap();
    policies_hold(&scene, &process, ["returns terminated", "returns asked", "returns abandoned"]).await;
    process.start(three_policies, "fails", "fails".to_owned()).await.unwrap();
    policies_hold(&scene, &process, ["fails terminated", "fails asked", "fails abandoned"]).await;
    process.start(three_policies, "continues", "continues".to_owned()).await.unwrap();
    policies_hold(&scene, &process, ["continues terminated", "continues asked", "continues abandoned"]).await;
    let run = process.handle(three_policies, "continues").unwrap();
    scene.until(|| async { process.handle(sleeper, "is terminated asked").unwrap().describe().await.is_ok() }).await;
    run.terminate("by hand").await.unwrap();
    policies_hold(
        &scene,
        &process,
        ["is terminated terminated", "is terminated asked", "is terminated abandoned"],
    )
    .await;
}

/// Starts a tree's worth of waiting: a parent that waits for a parent that waits for a sleeper.
#[retell::workflow]
async fn holder(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.child(awaits, &"grandchild".to_owned()).id("middle").await?)
}

/// What ends from above ends all the way down, though no code is asked.
pub async fn a_termination_goes_down_the_tree(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(holder, "top", ()).await.unwrap();
    scene.until(|| async { process.handle(sleeper, "grandchild").unwrap().describe().await.is_ok() }).await;
    run.terminate("enough").await.unwrap();
    closes_as(&scene, &process, "grandchild", CloseStatus::Terminated).await;
    assert_eq!(status(&process, awaits, "middle").await, RunStatus::Closed(CloseStatus::Terminated));
}

/// Goes on as a new run so often, then as a sleeper does.
#[retell::workflow]
async fn relay(cx: WorkflowContext, left: u32) -> WorkflowResult<String> {
    if left > 0 {
        cx.activity(effect, &"round".to_owned()).await?;
        return cx.continue_as_new(relay, &(left - 1));
    }
    cx.publish(&"waits")?;
    match cx.signal::<String>("wake").await {
        Ok(told) => Ok(told),
        Err(error) => {
            cx.shielded().activity(effect, &"relay cleans".to_owned()).await?;
            Err(error.into())
        }
    }
}

#[retell::workflow]
async fn awaits_relay(cx: WorkflowContext, rounds: u32) -> WorkflowResult<String> {
    let call = cx.child(relay, &rounds).id("relay").cancellation(ChildCancellation::Wait);
    Ok(call.await?)
}

/// However often the child goes on as a new run, the last one tells its parent, which is told once that it went on.
pub async fn a_parent_waits_for_the_last_run_of_its_child(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(awaits_relay, "parent", 4).await.unwrap();
    scene.as_time_passes(scene.probe.saw("round", 4)).await;
    process.handle(relay, "relay").unwrap().signal("wake", "at last").await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "at last");
    let events = history(&run).await;
    assert_eq!(count(&events, "ChildWorkflowContinued"), 1);
    assert_eq!(count(&events, "ChildWorkflowCompleted"), 1);
}

/// A cancel request reaches the run that is open, not the one that was started.
pub async fn a_cancel_request_follows_a_child_that_continues_as_new(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(awaits_relay, "parent", 3).await.unwrap();
    let relay_run = process.handle(relay, "relay").unwrap();
    // The request would stop the code of a round, which does not clean.
    let waits = || async { matches!(relay_run.published::<String>().await, Ok(Some(_))) };
    scene.as_time_passes(scene.until(waits)).await;
    run.cancel("enough").await.unwrap();
    assert!(matches!(scene.as_time_passes(run.result()).await, Err(ResultError::Cancelled)));
    assert_eq!(scene.probe.count("relay cleans"), 1);
    // The parent that does not wait, and closes, terminates the run that is open.
    let run = process.start(awaits_relay, "parent", 3).await.unwrap();
    scene.as_time_passes(scene.probe.saw("round", 6)).await;
    run.terminate("enough").await.unwrap();
    let is_closed = || async {
        relay_run.describe().await.unwrap().status == RunStatus::Closed(CloseStatus::Terminated)
    };
    scene.until(is_closed).await;
}

/// The word that a child goes on as another run lies in its parent's inbox when that is terminated, and is dropped with it.
pub async fn a_termination_finds_a_child_that_went_on_unheard(scene: Scene) {
    let parents = || scene.process(|engine| engine.workflow(awaits_relay));
    let process = parents().await;
    process.start(awaits_relay, "parent", 2).await.unwrap();
    let relay_run = process.handle(relay, "relay").unwrap();
    scene.until(async || relay_run.describe().await.is_ok()).await;
    drop(relay_run);
    scene.crash(process).await;
    let children = scene.process(|engine| engine.workflow(relay).activity(effect)).await;
    scene.as_time_passes(scene.probe.saw("round", 2)).await;
    children.handle(awaits_relay, "parent").unwrap().terminate("enough").await.unwrap();
    let _parents = parents().await;
    closes_as(&scene, &children, "relay", CloseStatus::Terminated).await;
}

/// Races its child with a signal, and goes on.
#[retell::workflow]
async fn lets_go(cx: WorkflowContext) -> WorkflowResult<String> {
    let won = retell::select! {
        child = cx.child(sleeper, &()).id("loser") => child?,
        told = cx.signal::<String>("go") => told?,
    };
    Ok(won)
}

/// The loser of a race is asked to cancel, and cleans up in peace though its parent has closed.
pub async fn a_child_that_was_let_go_of_cleans_up_beyond_its_parent(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(lets_go, "parent", ()).await.unwrap();
    run.signal("go", "on").await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "on");
    closes_as(&scene, &process, "loser", CloseStatus::Cancelled).await;
    assert_eq!(scene.probe.count("clean loser"), 1);
}

/// Ends as it is told.
#[retell::workflow]
async fn outcome(cx: WorkflowContext, how: String) -> WorkflowResult<u32> {
    if how == "fails" {
        return Err(WorkflowError::new("it was told to").error_type("Told").details(&7));
    }
    // One that is held is there still when it is asked for again, however slow the store.
    cx.sleep(if how == "is held" { 3_600 * SECOND } else { SECOND }).await?;
    Ok(3)
}

#[retell::workflow]
async fn errors(cx: WorkflowContext) -> WorkflowResult<Vec<String>> {
    let mut told = Vec::new();
    match cx.child(outcome, &"fails".to_owned()).await {
        Err(ChildError::Failed(failure)) => {
            let details: u32 = failure.details.as_ref().expect("it has some").decode()?;
            told.push(format!("{} {details}", failure.error_type));
        }
        other => told.push(format!("{other:?}")),
    }
    let child = cx.child(outcome, &"is held".to_owned()).id("held").started().await?;
    let taken = cx.child(outcome, &"ends".to_owned()).id("held").await;
    told.push(format!("taken {}", matches!(taken, Err(ChildError::IdTaken(_)))));
    let replaced = cx.child(outcome, &"ends".to_owned()).id("held");
    let replaced = replaced.id_conflict(ChildIdConflict::Terminate("newer".into()));
    told.push(format!("replaced {}", replaced.await?));
    told.push(format!("{:?}", child.result().await.unwrap_err()));
    let reused = cx.child(outcome, &"ends".to_owned()).id("held").id_reuse(IdReusePolicy::Reject).await;
    told.push(format!("reused {}", matches!(reused, Err(ChildError::IdTaken(_)))));
    Ok(told)
}

/// None of them ends the parent by itself.
pub async fn each_way_to_fail_is_a_typed_error_of_the_parent(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(errors, "errors", ()).await.unwrap();
    let told = scene.as_time_flies(SECOND / 10, run.result()).await.unwrap();
    assert_eq!(
        told,
        ["Told 7", "taken true", "replaced 3", "Terminated(\"newer\")", "reused true"]
    );
}

#[retell::workflow]
async fn named_twice(cx: WorkflowContext, probe: u64) -> WorkflowResult<u32> {
    Probe::of(probe).mark("polled");
    let mut sum = 0;
    for n in 0..3 {
        sum += cx.child(outcome, &"ends".to_owned()).id(format!("child-{n}")).await?;
    }
    Ok(sum)
}

/// Each answer to a commit that starts a child is lost, so often; then the process dies.
struct LosesStarts {
    left: AtomicUsize,
    died: watch::Sender<bool>,
}

#[async_trait]
impl Tap for LosesStarts {
    async fn before(&self, _call: Call<'_>) -> Result<(), StoreError> {
        if *self.died.borrow() {
            return Err(StoreError::new(StoreErrorKind::Closed, "live on"));
        }
        Ok(())
    }

    async fn after(&self, call: Call<'_>) -> Result<(), StoreError> {
        let starts = |batch: &Batch| {
            batch.iter().any(|write| {
                matches!(write, Write::Commit(commit)
                    if commit.outgoing.iter().any(|outgoing| matches!(outgoing.errand, Errand::Start(_))))
            })
        };
        if matches!(call, Call::Apply(batch) if starts(batch)) {
            match self.left.fetch_sub(1, Ordering::SeqCst) {
                0 => self.left.store(0, Ordering::SeqCst),
                1 => _ = self.died.send_replace(true),
                _ => {}
            }
            return Err(StoreError::new(StoreErrorKind::Unavailable, "hear the store"));
        }
        Ok(())
    }
}

/// Whether an answer is lost or a process with it, each child is started once, and each is heard once.
pub async fn a_child_starts_once_though_the_answer_is_lost(scene: Scene) {
    for lost in 1..4 {
        let tap = Arc::new(LosesStarts { left: AtomicUsize::new(lost), died: watch::Sender::new(false) });
        let dying = scene.setup().tap(tap.clone()).start(code).await;
        let id = format!("parent-{lost}");
        let probe = scene.probe.number();
        // The start's own answer may be lost with the first commit.
        let starting = async {
            let _ = dying.start(named_twice, id.clone(), probe).await;
            pending::<()>().await;
        };
        let mut death = tap.died.subscribe();
        let died = async { _ = death.wait_for(|died| *died).await };
        scene.as_time_flies(SECOND / 10, select(pin!(starting), pin!(died))).await;
        scene.crash(dying).await;
        let process = scene.process(code).await;
        let start = process.start(named_twice, id.clone(), probe).id_conflict(IdConflict::UseExisting);
        let run = start.await.unwrap();
        assert_eq!(scene.as_time_flies(SECOND / 10, run.result()).await.unwrap(), 9);
        let events = history(&run).await;
        assert_eq!(count(&events, "ChildWorkflowScheduled"), 3);
        assert_eq!(count(&events, "ChildWorkflowCompleted"), 3, "lost {lost}");
        drop(run);
        scene.crash(process).await;
    }
}
