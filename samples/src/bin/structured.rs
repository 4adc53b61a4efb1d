//! Structured concurrency: a few at once, a deadline around them, a scope that one branch ends for another.

use std::error::Error;
use std::time::Duration;

use retell::prelude::*;
use retell::workflow::try_all;
use retell_memory::Memory;

#[retell::activity]
async fn page_length(_cx: ActivityContext, page: u64) -> Result<u64, ActivityError> {
    Ok(100 + page)
}

/// Counts a book's letters, four pages at once, within an hour, unless somebody says that it is enough.
#[retell::workflow]
async fn count_letters(cx: WorkflowContext, pages: u64) -> WorkflowResult<Option<u64>> {
    let scope = cx.scope();
    let counting = async {
        // At the first page that fails, the others are cancelled; what has ended by then is in history for good.
        let pages = (1..=pages).map(|page| scope.cx().activity(page_length, &page));
        let counted = cx.timeout(Duration::from_secs(3_600), try_all(pages).at_most(4)).await;
        // The other branch waits for nothing more.
        scope.cancel();
        Ok::<_, WorkflowError>(counted??.iter().sum())
    };
    let stopping = async {
        if scope.cx().signal::<()>("enough").await.is_ok() {
            scope.cancel();
        }
    };
    match retell::join!(counting, stopping).0 {
        Ok(letters) => Ok(Some(letters)),
        // Only the scope was cancelled, not the run: this is a result like any other.
        Err(error) if error.is_cancelled() && !cx.is_cancelled() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn run() -> Result<[Option<u64>; 2], Box<dyn Error>> {
    let engine =
        Orchestrator::new(Memory::new()).workflow(count_letters).activity(page_length).start().await?;
    let whole = engine.start(count_letters, "short-book", 20).await?.result().await?;
    let endless = engine.start(count_letters, "endless-book", 1_000_000).await?;
    endless.signal("enough", &()).await?;
    let stopped = endless.result().await?;
    engine.shutdown().await;
    Ok([whole, stopped])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [whole, stopped] = run().await?;
    println!("a short book has {whole:?} letters; of an endless one we know {stopped:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_book_is_counted_and_another_given_up() {
        assert_eq!(super::run().await.unwrap(), [Some(20 * 100 + 210), None]);
    }
}
