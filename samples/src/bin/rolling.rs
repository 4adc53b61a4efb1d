//! A rolling deployment: old and new processes on one store. A worker leaves alone what it doesn't know, unharmed.

use std::error::Error;
use std::sync::Arc;

use retell::backend::RunStatus;
use retell::prelude::*;
use retell_memory::Memory;

#[retell::activity]
async fn weigh(_cx: ActivityContext, parcel: String) -> Result<usize, ActivityError> {
    Ok(parcel.len())
}

#[retell::workflow]
async fn price(_cx: WorkflowContext, parcel: String) -> WorkflowResult<usize> {
    Ok(parcel.len() * 2)
}

mod next {
    use super::*;

    /// A new version, with an activity that old processes don't know either.
    #[retell::workflow(version = 2)]
    pub(super) async fn price(cx: WorkflowContext, parcel: String) -> WorkflowResult<usize> {
        let weight = cx.activity(weigh, &parcel).await?;
        Ok(weight * 3)
    }
}

/// What the old and the new version say, and whether the new run was left alone by the old process.
async fn run() -> Result<(usize, usize, bool), Box<dyn Error>> {
    let store = Arc::new(Memory::new());
    let old = Orchestrator::new(store.clone()).workflow(price).start().await?;
    // A program that only starts runs knows the new version already.
    let starter = Orchestrator::new(store.clone()).workflow(next::price).client();
    let waiting = starter.start(next::price, "new", "a parcel".to_owned()).await?;
    let by_old = old.start(price, "old", "a parcel".to_owned()).await?.result().await?;
    let info = waiting.describe().await?;
    let left_alone = info.status == RunStatus::Running && info.owner.is_none() && info.failure.is_none();
    let new = Orchestrator::new(store).workflow(price).workflow(next::price).activity(weigh).start().await?;
    let by_new = waiting.result().await?;
    old.shutdown().await;
    new.shutdown().await;
    Ok((by_old, by_new, left_alone))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (old, new, left_alone) = run().await?;
    println!("old: {old}, new: {new}, left alone until somebody knew it: {left_alone}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_run_waits_for_a_worker_that_knows_it() {
        assert_eq!(super::run().await.unwrap(), (16, 24, true));
    }
}
