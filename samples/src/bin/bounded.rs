//! Bounded concurrency: permits, a lock and a channel between the branches of a workflow, and what to wait for.

use std::error::Error;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use retell::prelude::*;
use retell::workflow::{Mutex, Semaphore, all};
use retell_memory::Memory;

#[retell::activity]
async fn scan(_cx: ActivityContext, page: u32) -> Result<u32, ActivityError> {
    match page {
        13 => Err(ActivityError::new("Torn", "the page is torn").non_retryable()),
        page => Ok(10 * page),
    }
}

#[retell::activity]
async fn print(_cx: ActivityContext, scanned: u32) -> Result<u32, ActivityError> {
    Ok(scanned + 1)
}

/// Scans all pages on two scanners; a torn page is left out, the others are not cancelled for it.
#[retell::workflow]
async fn scan_all(cx: WorkflowContext, pages: Vec<u32>) -> WorkflowResult<(Vec<u32>, usize)> {
    let (scanners, log) = (Semaphore::new(2), Mutex::new(Vec::new()));
    let scanned = all(pages.iter().map(async |page| {
        // First come, first served, at each replay.
        let _scanner = scanners.acquire().await;
        let scanned = cx.activity(scan, page).await;
        // Held across an await, where a `std::sync::Mutex` must not be.
        let mut log = log.lock().await;
        log.push(cx.activity(print, page).await?);
        Ok::<_, WorkflowError>(scanned?)
    }));
    let results = scanned.await;
    Ok((results.into_iter().flatten().collect(), log.into_inner().len()))
}

/// Prints pages while the next ones are scanned, at most one ahead.
#[retell::workflow]
async fn copy(cx: WorkflowContext, pages: Vec<u32>) -> WorkflowResult<Vec<u32>> {
    // The channels of `futures` need nothing of ours.
    let (mut sender, mut receiver) = mpsc::channel(1);
    let scanning = async {
        for page in &pages {
            sender.send(cx.activity(scan, page).await?).await?;
        }
        sender.close_channel();
        Ok::<_, WorkflowError>(())
    };
    let printing = async {
        let mut printed = Vec::new();
        while let Some(scanned) = receiver.next().await {
            printed.push(cx.activity(print, &scanned).await?);
        }
        Ok::<_, WorkflowError>(printed)
    };
    let (scanned, printed) = retell::join!(scanning, printing);
    scanned?;
    printed
}

/// Asks two scanners for the same page; the slower one is cancelled.
#[retell::workflow]
async fn hurry(cx: WorkflowContext, page: u32) -> WorkflowResult<u32> {
    Ok(retell::race!(cx.activity(scan, &page), cx.activity(scan, &page))?)
}

async fn run() -> Result<((Vec<u32>, usize), Vec<u32>, u32), Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new())
        .workflow(scan_all)
        .workflow(copy)
        .workflow(hurry)
        .activity(scan)
        .activity(print)
        .start()
        .await?;
    let scanned = engine.start(scan_all, "scan", vec![11, 12, 13, 14]).await?.result().await?;
    let printed = engine.start(copy, "copy", vec![1, 2, 3]).await?.result().await?;
    let first = engine.start(hurry, "hurry", 7).await?.result().await?;
    engine.shutdown().await;
    Ok((scanned, printed, first))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let ((scanned, logged), printed, first) = run().await?;
    println!(
        "{scanned:?} were scanned of {logged} pages; {printed:?} were printed; the quicker scan is {first}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use retell_tester::Tester;

    use super::*;

    #[tokio::test]
    async fn pages_keep_their_order_and_a_torn_one_is_left_out() {
        let ((scanned, logged), printed, first) = run().await.unwrap();
        assert_eq!((scanned, logged), (vec![110, 120, 140], 4));
        assert_eq!(printed, [11, 21, 31]);
        assert_eq!(first, 70);
    }

    /// Five pages of a minute on two scanners are three minutes.
    #[test]
    fn no_more_than_two_scan_at_once() {
        let tester = Tester::new().workflow(scan_all).activity(print);
        tester.fake(scan).takes(Duration::from_secs(60)).returns(1);
        let began = tester.now();
        tester.start(scan_all, "scan", vec![1, 2, 3, 4, 5]).result().unwrap();
        assert_eq!(tester.now(), began + Duration::from_secs(180));
    }
}
