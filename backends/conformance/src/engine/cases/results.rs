//! What a caller gets of a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{join, join_all};
use retell::client::ResultError;
use retell::vocabulary::RetryPolicy;
use async_trait::async_trait;
use retell::activity::{ActivityContext, ActivityError};
use retell::backend::StoreError;
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::effect;
use crate::engine::scene::kinds;
use crate::engine::tap::{Call, Tap};

#[retell::workflow]
async fn sum_up(_cx: WorkflowContext, amounts: Vec<i64>) -> WorkflowResult<BTreeMap<String, i64>> {
    Ok([("sum".to_owned(), amounts.iter().sum()), ("count".to_owned(), 3)].into())
}

/// A struct in, a map out.
pub async fn a_result_is_of_the_workflows_type(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(sum_up)).await;
    let run = process.start(sum_up, "sum", vec![1, -2, 40]).await.unwrap();
    let result = run.result().await.unwrap();
    assert_eq!(result, [("sum".to_owned(), 39), ("count".to_owned(), 3)].into());
    assert_eq!(run.result().await.unwrap(), result, "a result may be asked for again");
}

#[retell::activity]
async fn decline(_cx: ActivityContext) -> Result<(), ActivityError> {
    let cause = "x".parse::<u8>().expect_err("x is no number");
    Err(ActivityError::new("Declined", "the card was declined").caused_by(cause).non_retryable().details(&7))
}

#[retell::workflow]
async fn pass_on(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(decline, &()).retry(RetryPolicy::exponential()).await?;
    Ok(())
}

/// Type, message, causes, details and the permanent mark go from the activity through `?` to who awaits the result.
pub async fn a_failure_keeps_all_of_it_on_its_way_to_the_caller(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(pass_on).activity(decline)).await;
    let run = process.start(pass_on, "declined", ()).await.unwrap();
    let Err(ResultError::Failed(failure)) = run.result().await else { panic!("it fails") };
    assert_eq!(&*failure.error_type, "Declined");
    assert_eq!(failure.to_string(), "the card was declined: invalid digit found in string");
    assert!(failure.non_retryable);
    assert_eq!(failure.details.unwrap().decode::<i32>(), Ok(7));
}

/// Start and first task share one record's commit: nothing else is written for a run that asks for nothing.
pub async fn a_workflow_that_returns_at_once_needs_one_commit(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(sum_up)).await;
    let run = process.start(sum_up, "sum", vec![]).await.unwrap();
    run.result().await.unwrap();
    assert_eq!(kinds(&run).await, ["WorkflowStarted", "WorkflowCompleted"]);
}

/// Counts the batches that are applied.
#[derive(Default)]
struct Batches(AtomicUsize);

#[async_trait]
impl Tap for Batches {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        if let Call::Apply(_) = call {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

const STEPS: usize = 20;

#[retell::workflow]
async fn steps(cx: WorkflowContext) -> WorkflowResult<usize> {
    for n in 0..STEPS {
        cx.activity(effect, &n.to_string()).await?;
    }
    Ok(STEPS)
}

/// Start and first task are one; outcome, task and next schedule are one; no step costs a second.
pub async fn each_activity_step_is_one_batch(scene: Scene) {
    let batches = Arc::new(Batches::default());
    let process = scene.setup().tap(batches.clone()).start(|engine| engine.workflow(steps).activity(effect)).await;
    let run = process.start(steps, "steps", ()).await.unwrap();
    assert_eq!(run.result().await.unwrap(), STEPS);
    assert_eq!(batches.0.load(Ordering::SeqCst), STEPS + 1, "also where each task reads its history again");
}

/// Counts the looks at where runs stand.
#[derive(Default)]
struct Looks(AtomicUsize);

#[async_trait]
impl Tap for Looks {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        if let Call::Describe = call {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[retell::workflow]
async fn stand_by(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(cx.signal("go").await?)
}

/// Many wait in one process; each in turn watches the store for all, and is told of its own run's end. The clock stands
/// still, so that the rest after the first look is not over: the next one to watch must not look at all runs again.
pub async fn who_watches_next_rests_as_the_one_before_would(scene: Scene) {
    let looks = Arc::new(Looks::default());
    let process = scene.setup().tap(looks.clone()).start(|engine| engine.workflow(stand_by)).await;
    let mut runs = Vec::new();
    for n in 0..STEPS {
        runs.push(process.start(stand_by, format!("waiting-{n}"), ()).await.unwrap());
    }
    let closed = AtomicUsize::new(0);
    let waiting = join_all(runs.iter().map(|run| async {
        run.result().await.unwrap();
        closed.fetch_add(1, Ordering::SeqCst);
    }));
    let closing = async {
        for (n, run) in runs.iter().enumerate() {
            run.signal("go", &()).await.unwrap();
            while closed.load(Ordering::SeqCst) == n {
                tokio::task::yield_now().await;
            }
        }
    };
    join(waiting, closing).await;
    let looks = looks.0.load(Ordering::SeqCst);
    assert!(looks <= 1, "{looks} looks for {STEPS} who wait");
}
