//! A published status: how far each run is, seen in a list, without waking any of them.

use std::error::Error;
use std::time::Duration;

use retell::prelude::*;
use retell_memory::Memory;

#[retell::workflow]
async fn bake(cx: WorkflowContext, cake: String) -> WorkflowResult<()> {
    cx.publish(&format!("{cake} rests"))?;
    cx.sleep(Duration::from_millis(5)).await?;
    cx.publish(&format!("{cake} is in the oven"))?;
    cx.sleep(Duration::from_secs(3_600)).await?;
    Ok(())
}

async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(bake).start().await?;
    for cake in ["carrot", "lemon"] {
        engine.start(bake, cake, cake.to_owned()).await?;
    }
    let client = engine.client();
    loop {
        let page = client.list(&client.list_request()).await?;
        let shown: Result<Vec<Option<String>>, _> =
            page.runs.iter().map(|run| client.published(run)).collect();
        let mut shown: Vec<String> = shown?.into_iter().flatten().collect();
        if shown.iter().all(|status| status.ends_with("oven")) {
            shown.sort();
            engine.shutdown().await;
            return Ok(shown);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{:?}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn each_run_shows_where_it_is() {
        assert_eq!(super::run().await.unwrap(), ["carrot is in the oven", "lemon is in the oven"]);
    }
}
