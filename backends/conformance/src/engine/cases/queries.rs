//! Queries: answered live, from the store, and not at all.

use retell::Orchestrator;
use retell::client::QueryError;
use retell::workflow::{QueryType, SignalType, WorkflowContext, WorkflowResult};

use crate::engine::Scene;

const ADD: SignalType<u64> = SignalType::new("add");
const TOTAL: QueryType<(), u64> = QueryType::new("total");

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(tally)
}

#[retell::workflow]
async fn tally(cx: WorkflowContext, goal: u64) -> WorkflowResult<u64> {
    let total = cx.share(0);
    total.handle_signal(ADD, |total, more| *total += more);
    total.handle_query(TOTAL, |total, ()| *total);
    cx.wait_until(&total, move |total| *total >= goal).await?;
    Ok(total.with(|total| *total))
}

/// The holder answers from memory, another process from the store, a closed run from both; a process without the code
/// says so.
pub async fn a_query_is_answered_by_whoever_has_the_code(scene: Scene) {
    let holder = scene.process(code).await;
    let run = holder.start(tally, "tally", 3).await.unwrap();
    assert_eq!(run.query(TOTAL, &()).await.unwrap(), 0);
    run.signal(ADD, &2).await.unwrap();
    while run.query(TOTAL, &()).await.unwrap() < 2 {
        tokio::task::yield_now().await;
    }
    let other = scene.process(code).await;
    let elsewhere = other.handle(tally, "tally").unwrap();
    assert_eq!(elsewhere.query(TOTAL, &()).await.unwrap(), 2);
    run.signal(ADD, &1).await.unwrap();
    assert_eq!(run.result().await.unwrap(), 3);
    for handle in [&run, &elsewhere] {
        assert_eq!(handle.query(TOTAL, &()).await.unwrap(), 3);
    }
    let stranger = scene.process(|engine| engine).await;
    let error = stranger.handle(tally, "tally").unwrap().query(TOTAL, &()).await.unwrap_err();
    assert!(matches!(&error, QueryError::NotServed(workflow) if workflow.name.as_str() == "tally"), "{error}");
}
