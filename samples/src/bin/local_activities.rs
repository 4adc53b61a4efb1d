//! Local activities: a registered activity that is short runs in the workflow's own worker, without a queue.

use std::error::Error;

use retell::prelude::*;
use retell_memory::Memory;

/// What a unit of a currency is worth in euros.
#[retell::activity]
async fn rate(_cx: ActivityContext, currency: String) -> Result<f64, ActivityError> {
    match &*currency {
        "EUR" => Ok(1.0),
        "USD" => Ok(0.5),
        _ => Err(ActivityError::new("Currency", format!("nobody takes {currency}")).non_retryable()),
    }
}

/// Several workflows share the activity; what belongs to one alone is a step.
#[retell::workflow]
async fn total(cx: WorkflowContext, amounts: Vec<(f64, String)>) -> WorkflowResult<f64> {
    let mut sum = 0.0;
    for (amount, currency) in &amounts {
        // Its outcome is recorded like any activity's; its failed attempts are not.
        let rate = cx.local_activity(rate, currency).retry(RetryPolicy::exponential().attempts(3)).await?;
        sum += amount * rate;
    }
    Ok(sum)
}

#[retell::workflow]
async fn takes(cx: WorkflowContext, currency: String) -> WorkflowResult<bool> {
    Ok(cx.local_activity(rate, &currency).await.is_ok())
}

async fn run() -> Result<(f64, bool), Box<dyn Error>> {
    let engine =
        Orchestrator::new(Memory::new()).workflow(total).workflow(takes).activity(rate).start().await?;
    let amounts = vec![(3.0, "EUR".to_owned()), (8.0, "USD".to_owned())];
    let sum = engine.start(total, "bill", amounts).await?.result().await?;
    let shells = engine.start(takes, "shells", "shells".to_owned()).await?.result().await?;
    engine.shutdown().await;
    Ok((sum, shells))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (sum, shells) = run().await?;
    println!("the bill is {sum} euros; it {} be paid in shells", if shells { "can" } else { "cannot" });
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn both_workflows_ask_without_a_queue() {
        assert_eq!(super::run().await.unwrap(), (7.0, false));
    }
}
