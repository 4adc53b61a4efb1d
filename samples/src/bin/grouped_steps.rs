//! Grouped steps: many short ones that may be done twice, for one commit.

use std::error::Error;

use retell::prelude::*;
use retell_memory::Memory;

/// Counts the words of many pages. Each step is recorded, and all of them are stored together with the order that ends
/// them: a crash in between counts the pages again, and orders nothing twice.
#[retell::workflow]
async fn print_book(cx: WorkflowContext, pages: Vec<String>) -> WorkflowResult<usize> {
    let mut words = 0;
    for page in pages {
        let count = cx.step("count", &page, |_cx, page| async move { Ok(page.split_whitespace().count()) });
        words += count.commit_later().await?;
    }
    // Begins when the counts are stored.
    cx.step("order paper", &words, |_cx, words| async move { Ok(words.div_ceil(300)) }).await?;
    Ok(words)
}

async fn run() -> Result<(usize, u64), Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(print_book).start().await?;
    let pages = vec!["once upon a time".to_owned(); 25];
    let run = engine.start(print_book, "fairy tales", pages).await?;
    let words = run.result().await?;
    let events = run.describe().await?.head.0;
    engine.shutdown().await;
    Ok((words, events))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (words, events) = run().await?;
    println!("{words} words; {events} events, stored with three commits");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn every_page_is_counted_and_recorded() {
        assert_eq!(super::run().await.unwrap(), (100, 2 + 2 * 26));
    }
}
