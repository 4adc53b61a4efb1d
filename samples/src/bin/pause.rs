//! A run that is paused and resumed: what comes meanwhile waits, in order.

use std::error::Error;

use retell::backend::StatusFilter;
use retell::prelude::*;
use retell_memory::Memory;

#[retell::workflow]
async fn collect(cx: WorkflowContext, count: usize) -> WorkflowResult<Vec<String>> {
    let mut items = Vec::new();
    while items.len() < count {
        items.push(cx.signal::<String>("item").await?);
    }
    Ok(items)
}

async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(collect).start().await?;
    let run = engine.start(collect, "collect", 2).await?;
    run.pause("the till is being counted").await?;
    run.signal("item", "bread").await?;
    run.signal("item", "milk").await?;
    // It closes only when it is resumed; until then it is listed as paused, once it has taken the pause in.
    while engine.client().runs().status(StatusFilter::Paused).await?.runs.is_empty() {
        tokio::task::yield_now().await;
    }
    run.resume().await?;
    let items = run.result().await?;
    engine.shutdown().await;
    Ok(items)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{:?}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn what_came_while_it_was_paused_is_read_in_order() {
        assert_eq!(super::run().await.unwrap(), ["bread", "milk"]);
    }
}
