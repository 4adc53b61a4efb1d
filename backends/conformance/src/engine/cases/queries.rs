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
    cx.publish(&format!("on its way to {goal}"))?;
    cx.wait_until(&total, move |total| *total >= goal).await?;
    Ok(total.read(|total| *total))
}

/// Whoever lists or describes runs sees what they show of themselves, and needs no code for it.
pub async fn what_a_run_publishes_is_listed_without_its_code(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(tally, "tally", 3).await.unwrap();
    let stranger = scene.process(|engine| engine).await;
    let client = stranger.client();
    let shown = async || {
        let page = client.list(&client.list_request()).await.unwrap();
        client.published::<String>(&page.runs[0]).unwrap()
    };
    while shown().await.as_deref() != Some("on its way to 3") {
        tokio::task::yield_now().await;
    }
    run.signal(ADD, &3).await.unwrap();
    run.result().await.unwrap();
    assert_eq!(run.published::<String>().await.unwrap().as_deref(), Some("on its way to 3"));
}

/// The holder answers from memory, another process from the store, a closed run from both; a process without the code
/// says so.
pub async fn a_query_is_answered_by_whoever_has_the_code(scene: Scene) {
    let holder = scene.process(code).await;
    let run = holder.start(tally, "tally", 3).await.unwrap();
    assert_eq!(run.query(TOTAL, &()).await.unwrap(), 0);
    run.signal(ADD, &2).await.unwrap();
    scene.until(async || run.query(TOTAL, &()).await.unwrap() == 2).await;
    let other = scene.process(code).await;
    let elsewhere = other.handle(tally, "tally").unwrap();
    assert_eq!(elsewhere.query(TOTAL, &()).await.unwrap(), 2);
    run.signal(ADD, &1).await.unwrap();
    // Either process may have the run, and be the one that ends it.
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 3);
    for handle in [&run, &elsewhere] {
        assert_eq!(handle.query(TOTAL, &()).await.unwrap(), 3);
    }
    let stranger = scene.process(|engine| engine).await;
    let error = stranger.handle(tally, "tally").unwrap().query(TOTAL, &()).await.unwrap_err();
    assert!(matches!(&error, QueryError::NotServed(workflow) if workflow.name.as_str() == "tally"), "{error}");
}
