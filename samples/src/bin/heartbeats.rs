//! Heartbeats: a long activity says how far it is; the attempt after a failure goes on from there.

use std::error::Error;
use std::time::Duration;

use retell::prelude::*;
use retell_memory::Memory;

/// Copies pages. It jams at every fourth, and is tried again.
#[retell::activity]
async fn copy(cx: ActivityContext, pages: u32) -> Result<String, ActivityError> {
    let done = cx.heartbeat_details::<u32>()?.unwrap_or(0);
    for page in done + 1..=pages {
        // A page is copied here.
        cx.heartbeat(&page)?;
        if page % 4 == 0 && page < pages {
            return Err(ActivityError::new("Jammed", format!("after page {page}")));
        }
    }
    Ok(format!("{pages} pages in {} attempts, the last from page {}", cx.attempt(), done + 1))
}

#[retell::workflow]
async fn archive(cx: WorkflowContext, pages: u32) -> WorkflowResult<String> {
    let policy = RetryPolicy::fixed(Duration::from_millis(1));
    // Were the copier silent for so long, the attempt would count as failed.
    Ok(cx.activity(copy, &pages).retry(policy).heartbeat_timeout(Duration::from_secs(30)).await?)
}

async fn run(pages: u32) -> Result<String, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(archive).activity(copy).start().await?;
    let text = engine.start(archive, "archive-1", pages).await?.result().await?;
    engine.shutdown().await;
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run(10).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn no_page_is_copied_twice() {
        assert_eq!(super::run(10).await.unwrap(), "10 pages in 3 attempts, the last from page 9");
    }
}
