//! A run that went wrong, reset to the event before: the steps until then are not done again.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use retell::history::EventKind;
use retell::prelude::*;
use retell::vocabulary::EventId;
use retell_memory::Memory;

/// Whether the price list has been mended.
static MENDED: AtomicBool = AtomicBool::new(false);

#[retell::activity]
async fn reserve(_cx: ActivityContext, item: String) -> Result<String, ActivityError> {
    println!("reserving {item}");
    Ok(item)
}

#[retell::activity]
async fn price(_cx: ActivityContext, item: String) -> Result<u64, ActivityError> {
    if MENDED.load(Ordering::Relaxed) {
        return Ok(item.len() as u64 * 100);
    }
    Err(ActivityError::new("PriceList", "the price list is broken").non_retryable())
}

#[retell::workflow]
async fn sell(cx: WorkflowContext, item: String) -> WorkflowResult<u64> {
    let reserved = cx.activity(reserve, &item).await?;
    Ok(cx.activity(price, &reserved).await?)
}

async fn run() -> Result<u64, Box<dyn Error>> {
    let engine =
        Orchestrator::new(Memory::new()).workflow(sell).activity(reserve).activity(price).start().await?;
    let sale = engine.start(sell, "sale", "lamp".to_owned()).await?;
    if let Err(error) = sale.result().await {
        println!("{error}");
    }
    MENDED.store(true, Ordering::Relaxed);
    // The failure was taken in by a step of its own; the step before it ends just before.
    let history = sale.history().await?;
    let failed = history.iter().find(|event| matches!(event.kind, EventKind::ActivityFailed(_)));
    let failed = failed.ok_or("the sale has not failed")?;
    let again = sale.reset(EventId(failed.id.0 - 1), "the price list is mended").await?;
    let cents = again.result().await?;
    engine.shutdown().await;
    Ok(cents)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("sold for {} cents", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_sale_goes_on_where_it_failed() {
        assert_eq!(super::run().await.unwrap(), 400);
    }
}
