//! Steps: effects written where they are needed, without an activity to name and register.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use retell::prelude::*;
use retell_memory::Memory;

/// A bank account, as the outside world keeps it.
type Account = Arc<AtomicU64>;

/// Moves money in portions. Each step runs here, once; a crash in between repeats at most the one that was under way.
#[retell::workflow]
async fn save_up(cx: WorkflowContext, portions: Vec<u64>) -> WorkflowResult<u64> {
    let mut balance = 0;
    for cents in portions {
        // What the closure depends on is its input: it is recorded, and compared at replay.
        balance = cx
            .step("pay in", &cents, |cx, cents: u64| async move {
                // A real bank would be given `cx.idempotency_key()`.
                let account = cx.state::<Account>()?;
                Ok(account.fetch_add(cents, Ordering::Relaxed) + cents)
            })
            .retry(RetryPolicy::exponential().attempts(5))
            .await?;
    }
    Ok(balance)
}

async fn run() -> Result<(u64, u64), Box<dyn Error>> {
    let account = Account::default();
    let engine = Orchestrator::new(Memory::new()).workflow(save_up).state(account.clone()).start().await?;
    let balance = engine.start(save_up, "holiday", vec![500, 250, 250]).await?.result().await?;
    engine.shutdown().await;
    Ok((balance, account.load(Ordering::Relaxed)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (balance, account) = run().await?;
    println!("the workflow knows of {balance} cents, the bank of {account}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn each_portion_is_paid_in_once() {
        assert_eq!(super::run().await.unwrap(), (1_000, 1_000));
    }
}
