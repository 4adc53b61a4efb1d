//! Workflow code that does not give its thread back is named, and nobody else is.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use retell::prelude::*;
use retell::worker::WorkerOptions;
use retell_memory::Memory;

static GATE: Mutex<Option<Receiver<()>>> = Mutex::new(None);

fn shut() -> Sender<()> {
    let (opens, gate) = channel();
    *GATE.lock().unwrap() = Some(gate);
    opens
}

/// Blocks its thread until somebody opens the gate.
#[retell::workflow]
async fn blocks(_cx: WorkflowContext) -> WorkflowResult<()> {
    if let Some(gate) = GATE.lock().unwrap().take() {
        let _ = gate.recv();
    }
    Ok(())
}

#[retell::workflow]
async fn passes(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.sleep(Duration::from_millis(1)).await?;
    Ok(())
}

fn options() -> WorkerOptions {
    let mut options = WorkerOptions::default();
    options.workflow_threads = 2;
    options.lease = Duration::from_millis(1_500);
    options.blocked_after = Duration::from_millis(400);
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_blocks_its_thread_is_named_until_it_returns() {
    let opens = shut();
    let engine = Orchestrator::new(Memory::new())
        .workflow(blocks)
        .workflow(passes)
        .options(options())
        .start()
        .await
        .unwrap();
    let stuck = engine.start(blocks, "stuck", ()).await.unwrap();
    while engine.health().blocked.is_empty() {
        tokio::task::yield_now().await;
    }
    let blocked = engine.health().blocked;
    assert_eq!((blocked.len(), blocked[0].run.workflow_id.as_str()), (1, "stuck"));
    assert_eq!(blocked[0].workflow.name.as_str(), "blocks");
    assert!(blocked[0].blocked_for >= Duration::from_millis(400));
    // The other thread has half of the runs, and goes on.
    let mut others = Vec::new();
    for n in 0..20 {
        others.push(engine.start(passes, format!("other-{n}").as_str(), ()).await.unwrap());
    }
    let results = others.iter().map(|run| Box::pin(run.result()));
    futures::future::select_ok(results).await.unwrap();
    opens.send(()).unwrap();
    stuck.result().await.unwrap();
    while !engine.health().blocked.is_empty() {
        tokio::task::yield_now().await;
    }
    for run in others {
        run.result().await.unwrap();
    }
    engine.shutdown().await;
}
