//! Hello: the smallest workflow, with one activity.

use std::error::Error;

use retell::prelude::*;
use retell_memory::Memory;

/// Side effects live in activities: they may fail, are tried again, and their outcome is recorded.
#[retell::activity]
async fn greet(_cx: ActivityContext, name: String) -> Result<String, ActivityError> {
    Ok(format!("Hello, {name}!"))
}

/// Decisions live in workflows: deterministic, and told again after a crash.
#[retell::workflow]
async fn hello(cx: WorkflowContext, name: String) -> WorkflowResult<String> {
    Ok(cx.activity(greet, &name).await?)
}

async fn run(name: &str) -> Result<String, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(hello).activity(greet).start().await?;
    let handle = engine.start(hello, "hello-1", name.to_owned()).await?;
    let greeting = handle.result().await?;
    engine.shutdown().await;
    Ok(greeting)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run("world").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_workflow_returns_what_its_activity_said() {
        assert_eq!(super::run("Ada").await.unwrap(), "Hello, Ada!");
    }
}
