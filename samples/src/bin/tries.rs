//! A workflow that is tried again as a whole, within limits: each try is a run of its own, with an empty history.

use std::error::Error;
use std::time::Duration;

use retell::prelude::*;
use retell_memory::Memory;

#[retell::workflow]
async fn import(cx: WorkflowContext, file: String) -> WorkflowResult<String> {
    let info = cx.info();
    if let Some(failure) = &info.last_failure {
        println!("try {}, since the last one failed: {failure}", info.attempt);
    }
    match info.attempt.0 {
        1 => Err(WorkflowError::new("the file is locked").error_type("Locked")),
        2 => {
            // Longer than a run may take.
            cx.sleep(Duration::from_secs(3_600)).await?;
            Ok(String::new())
        }
        _ => Ok(format!("{file} is imported")),
    }
}

async fn run() -> Result<String, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(import).start().await?;
    let run = engine
        .start(import, "import", "prices.csv".to_owned())
        .retry(RetryPolicy::fixed(Duration::from_millis(20)).attempts(5).non_retryable("Forbidden"))
        .run_timeout(Duration::from_millis(200))
        .execution_timeout(Duration::from_secs(60))
        .await?;
    // Whoever waits, waits for the last try.
    let result = run.result().await?;
    engine.shutdown().await;
    Ok(result)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_third_try_succeeds() {
        assert_eq!(super::run().await.unwrap(), "prices.csv is imported");
    }
}
