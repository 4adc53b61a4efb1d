//! Versions side by side: open runs stay with their code, and one version is what a start by name means.

use std::error::Error;

use retell::client::Client;
use retell::prelude::*;
use retell::vocabulary::Payload;
use retell_memory::Memory;

#[retell::workflow]
async fn greeting(cx: WorkflowContext, name: String) -> WorkflowResult<String> {
    cx.signal::<()>("now").await?;
    Ok(format!("hello, {name}"))
}

mod next {
    use super::*;

    #[retell::workflow(version = 2)]
    pub(super) async fn greeting(cx: WorkflowContext, name: String) -> WorkflowResult<String> {
        cx.signal::<()>("now").await?;
        Ok(format!("good morning, {name}"))
    }
}

/// As a tool does it, that has no code of the workflow: by name, with an encoded input.
async fn greet(client: &Client, id: &str) -> Result<String, Box<dyn Error>> {
    let run = client.start_by_name("greeting", id, Payload::encode("Ada")?).await?;
    run.signal("now", &()).await?;
    Ok(run.result_payload().await?.decode()?)
}

async fn run() -> Result<[String; 3], Box<dyn Error>> {
    let both = |engine: Orchestrator| engine.workflow(greeting).workflow(next::greeting);
    // The new version is deployed, and not yet used.
    let engine = both(Orchestrator::new(Memory::new())).default_version(greeting).start().await?;
    let old = greet(engine.client(), "old").await?;
    // Whoever names its type starts it all the same.
    let early = engine.start(next::greeting, "early", "Ada".to_owned()).await?;
    early.signal("now", &()).await?;
    let early = early.result().await?;
    engine.shutdown().await;
    // Without a word about it, the highest is the one.
    let engine = both(Orchestrator::new(Memory::new())).start().await?;
    let new = greet(engine.client(), "new").await?;
    engine.shutdown().await;
    Ok([old, early, new])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_start_by_name_means_the_default_version() {
        let told = super::run().await.unwrap();
        assert_eq!(told, ["hello, Ada", "good morning, Ada", "good morning, Ada"]);
    }
}
