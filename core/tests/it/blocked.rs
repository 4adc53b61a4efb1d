//! Workflow code that does not give its thread back is named, and holds nobody else up for long.

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

/// Blocks its thread until somebody opens the gate, the first time.
#[retell::workflow]
async fn blocks(_cx: WorkflowContext) -> WorkflowResult<()> {
    let gate = GATE.lock().unwrap().take();
    if let Some(gate) = gate {
        let _ = gate.recv();
    }
    Ok(())
}

#[retell::workflow]
async fn passes(cx: WorkflowContext, waits: bool) -> WorkflowResult<()> {
    cx.sleep(Duration::from_millis(1)).await?;
    if waits {
        cx.signal::<()>("go").await?;
    }
    Ok(())
}

fn options() -> WorkerOptions {
    WorkerOptions::default()
        .workflow_threads(1)
        .lease(Duration::from_millis(1_500))
        .blocked_after(Duration::from_millis(400))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_blocks_its_thread_is_named_and_the_others_go_on() {
    let opens = shut();
    let engine = Orchestrator::new(Memory::new()).workflow(blocks).workflow(passes).options(options());
    let engine = engine.start().await.unwrap();
    let before = engine.start(passes, "before", true).await.unwrap();
    let stuck = engine.start(blocks, "stuck", ()).await.unwrap();
    let behind = engine.start(passes, "behind", false).await.unwrap();
    // There is one thread for all runs, and it is blocked.
    while engine.health().blocked.is_empty() {
        tokio::task::yield_now().await;
    }
    let blocked = engine.health().blocked;
    assert_eq!((blocked.len(), blocked[0].run.workflow_id.as_str()), (1, "stuck"));
    assert_eq!(blocked[0].workflow.name.as_str(), "blocks");
    assert!(blocked[0].blocked_for >= Duration::from_millis(400));
    behind.result().await.unwrap();
    engine.start(passes, "after", false).await.unwrap().result().await.unwrap();
    before.signal("go", &()).await.unwrap();
    before.result().await.unwrap();
    // The run itself is not tried again on another thread, and says why.
    while stuck.describe().await.unwrap().failure.is_none() {
        tokio::task::yield_now().await;
    }
    assert!(stuck.describe().await.unwrap().failure.unwrap().message.contains("blocks its thread"));
    assert_eq!(engine.health().blocked.len(), 1);
    opens.send(()).unwrap();
    stuck.result().await.unwrap();
    assert_eq!(engine.health().blocked, []);
    engine.shutdown().await;
}
