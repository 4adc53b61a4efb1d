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
    use retell_tester::Tester;

    use super::*;

    #[test]
    fn the_workflow_returns_what_its_activity_said() {
        let tester = Tester::new().workflow(hello).activity(greet);
        assert_eq!(tester.start(hello, "hello-1", "Ada".to_owned()).result().unwrap(), "Hello, Ada!");
    }

    #[test]
    fn a_fake_stands_in_for_the_activity() {
        let tester = Tester::new().workflow(hello);
        tester.fake(greet).times(1).answers(|name| Ok(format!("Good evening, {name}.")));
        assert_eq!(tester.start(hello, "hello-1", "Ada".to_owned()).result().unwrap(), "Good evening, Ada.");
    }

    /// On a real engine, since it is the program that is tested here.
    #[tokio::test]
    async fn the_program_greets() {
        assert_eq!(run("Ada").await.unwrap(), "Hello, Ada!");
    }
}
