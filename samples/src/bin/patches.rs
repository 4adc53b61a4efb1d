//! Patches: code changes under runs that are open, deploy by deploy; each run keeps the way that it went.

use std::error::Error;
use std::sync::Arc;

use retell::client::RunHandle;
use retell::history::EventKind;
use retell::prelude::*;
use retell::workflow::Workflow;
use retell_memory::Memory;

#[retell::activity]
async fn notify(_cx: ActivityContext, how: String) -> Result<String, ActivityError> {
    Ok(format!("by {how}"))
}

/// What was deployed before the change.
mod before {
    use super::*;

    #[retell::workflow]
    pub(super) async fn remind(cx: WorkflowContext) -> WorkflowResult<String> {
        let told = cx.activity(notify, &"telegram".to_owned()).await?;
        cx.signal::<()>("read").await?;
        Ok(told)
    }
}

/// The first deploy of the change: both ways.
mod first {
    use super::*;

    #[retell::workflow]
    pub(super) async fn remind(cx: WorkflowContext) -> WorkflowResult<String> {
        // False for runs that have passed here before the deploy.
        let how = if cx.patched("by-letter") { "letter" } else { "telegram" };
        let told = cx.activity(notify, &how.to_owned()).await?;
        cx.signal::<()>("read").await?;
        Ok(told)
    }
}

/// The second deploy, when no open run goes the old way any more. The third, when none has the marker, is without it.
mod second {
    use super::*;

    #[retell::workflow]
    pub(super) async fn remind(cx: WorkflowContext) -> WorkflowResult<String> {
        cx.deprecate_patch("by-letter");
        let told = cx.activity(notify, &"letter".to_owned()).await?;
        cx.signal::<()>("read").await?;
        Ok(told)
    }
}

/// Three deploys on one store; in each, a run of the deploy before is still open.
async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let store = Arc::new(Memory::new());
    let deployed = || Orchestrator::new(store.clone()).activity(notify);
    let mut told = Vec::new();

    let engine = deployed().workflow(before::remind).start().await?;
    let old = engine.start(before::remind, "old", ()).await?;
    has_notified(&old).await?;
    engine.shutdown().await;

    let engine = deployed().workflow(first::remind).start().await?;
    let new = engine.start(first::remind, "new", ()).await?;
    has_notified(&new).await?;
    told.push(read(engine.handle(first::remind, "old")?).await?);
    engine.shutdown().await;

    let engine = deployed().workflow(second::remind).start().await?;
    told.push(read(engine.handle(second::remind, "new")?).await?);
    engine.start(second::remind, "last", ()).await?;
    told.push(read(engine.handle(second::remind, "last")?).await?);
    engine.shutdown().await;
    Ok(told)
}

/// Waits until a run has passed the change.
async fn has_notified<W: Workflow>(run: &RunHandle<W>) -> Result<(), Box<dyn Error>> {
    while !run.history().await?.iter().any(|event| matches!(event.kind, EventKind::ActivityCompleted(_))) {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn read<W: Workflow<Output = String>>(run: RunHandle<W>) -> Result<String, Box<dyn Error>> {
    run.signal("read", &()).await?;
    Ok(run.result().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn each_run_keeps_the_way_that_it_went() {
        assert_eq!(super::run().await.unwrap(), ["by telegram", "by letter", "by letter"]);
    }
}
