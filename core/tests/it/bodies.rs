//! Activity bodies begin on whichever thread is free.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use retell::prelude::*;
use retell::workflow::try_all;
use retell_memory::Memory;
use tokio::runtime::Builder;

/// Keeps its thread until all others do so, too.
#[retell::activity]
async fn meets(cx: ActivityContext, (): ()) -> Result<(), ActivityError> {
    cx.state::<Arc<Barrier>>()?.wait();
    Ok(())
}

#[retell::workflow]
async fn all(cx: WorkflowContext, count: usize) -> WorkflowResult<()> {
    try_all((0..count).map(|_| cx.activity(meets, &()))).await?;
    Ok(())
}

#[test]
fn a_body_that_keeps_its_thread_holds_up_no_other() {
    for threads in 2..=4 {
        let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            let orchestrator = Orchestrator::new(Memory::new()).workflow(all).activity(meets);
            let engine = orchestrator.state(Arc::new(Barrier::new(threads))).start().await.unwrap();
            let run = engine.start(all, "run", threads).await.unwrap();
            tokio::time::timeout(Duration::from_secs(10), run.result()).await
        });
        // A body that was left alone keeps its thread for ever.
        runtime.shutdown_background();
        ended.expect("all begin").unwrap();
    }
}
