//! Runs that talk to runs which are not their children.

use std::time::Duration;

use retell::Orchestrator;
use retell::client::ResultError;
use retell::workflow::{ExternalError, SignalType, WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::scene::{count, history};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
const NUMBER: SignalType<u32> = SignalType::new("number");

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(adds).workflow(sends).workflow(cancels).workflow(waits)
}

/// Adds up so many numbers, going on as a new run after each.
#[retell::workflow]
async fn adds(cx: WorkflowContext, state: (u32, u32)) -> WorkflowResult<u32> {
    let (left, sum) = state;
    if left == 0 {
        return Ok(sum);
    }
    let sum = sum * 10 + cx.signal(NUMBER).await?;
    cx.continue_as_new(adds, &(left - 1, sum))
}

#[retell::workflow]
async fn sends(cx: WorkflowContext, to: String) -> WorkflowResult<bool> {
    let other = cx.external(to);
    for number in 1..=4 {
        other.signal(NUMBER, &number).await?;
    }
    other.signal(NUMBER, &5).detach()?;
    Ok(true)
}

/// In order, each once, though the receiver goes on as a new run between any two.
pub async fn signals_from_a_run_follow_continue_as_new_in_order(scene: Scene) {
    let process = scene.process(code).await;
    let adding = process.start(adds, "adds", (5, 0)).await.unwrap();
    let sending = process.start(sends, "sends", "adds".to_owned()).await.unwrap();
    assert!(scene.as_time_passes(sending.result()).await.unwrap());
    assert_eq!(scene.as_time_passes(adding.result()).await.unwrap(), 12_345);
    assert_eq!(count(&history(&sending).await, "ExternalDelivered"), 4);
}

#[retell::workflow]
async fn waits(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(cx.sleep(YEAR).await?)
}

#[retell::workflow]
async fn cancels(cx: WorkflowContext, of: String) -> WorkflowResult<Vec<bool>> {
    let other = cx.external(of);
    let mut refused = Vec::new();
    refused.push(matches!(cx.external("nobody").cancel("test").await, Err(ExternalError::NotOpen(_))));
    refused.push(matches!(other.clone().run(cx.run().run_id).cancel("test").await, Err(ExternalError::NotOpen(_))));
    refused.push(other.cancel("enough").await.is_err());
    Ok(refused)
}

/// An unknown run, a run of another ID and a closed one are typed errors; an open one is asked.
pub async fn a_cancel_request_from_a_run_is_delivered_or_refused(scene: Scene) {
    let process = scene.process(code).await;
    let waiting = process.start(waits, "waits", ()).await.unwrap();
    let run = process.start(cancels, "cancels", "waits".to_owned()).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), [true, true, false]);
    assert!(matches!(scene.as_time_passes(waiting.result()).await, Err(ResultError::Cancelled)));
    let run = process.start(cancels, "again", "waits".to_owned()).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), [true, true, true]);
}
