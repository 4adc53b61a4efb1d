//! How long a history may get: a run is told when to go on as a new one, and one that never does is parked, not lost.

use std::error::Error;
use std::sync::Arc;

use retell::prelude::*;
use retell::worker::WorkerOptions;
use retell_memory::Memory;

/// What a meter shows.
fn read_meter() -> u64 {
    2
}

/// Adds up readings. The engine says when the history is long enough, the same at each replay: at 10,000 events or 16 MiB.
#[retell::workflow]
async fn sum_up(cx: WorkflowContext, (readings, mut sum): (u64, u64)) -> WorkflowResult<u64> {
    for left in (1..=readings).rev() {
        if cx.info().continue_as_new_suggested {
            return cx.continue_as_new(sum_up, &(left, sum));
        }
        sum += cx.side_effect(read_meter).await?;
    }
    Ok(sum)
}

/// Never goes on as a new one.
#[retell::workflow]
async fn sum_up_at_length(cx: WorkflowContext, readings: u64) -> WorkflowResult<u64> {
    let mut sum = 0;
    for _ in 0..readings {
        sum += cx.side_effect(read_meter).await?;
    }
    Ok(sum)
}

/// Why the run was parked, and what it returns to a worker that bears a longer history.
async fn run() -> Result<(String, u64), Box<dyn Error>> {
    let store = Arc::new(Memory::new());
    // A million unless set.
    let strict = WorkerOptions::default().history_events_max(10);
    let engine = Orchestrator::new(store.clone()).workflow(sum_up_at_length).options(strict).start().await?;
    // Twenty readings are forty events.
    let run = engine.start(sum_up_at_length, "meter", 20).await?;
    let parked = loop {
        if let Some(failure) = run.describe().await?.failure {
            break failure.message;
        }
        tokio::task::yield_now().await;
    };
    engine.shutdown().await;
    let engine = Orchestrator::new(store).workflow(sum_up_at_length).start().await?;
    let sum = engine.handle(sum_up_at_length, "meter")?.result().await?;
    engine.shutdown().await;
    Ok((parked, sum))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (parked, sum) = run().await?;
    println!("parked: {parked}\nthen: {sum}");
    let engine = Orchestrator::new(Memory::new()).workflow(sum_up).start().await?;
    let sum = engine.start(sum_up, "meter", (12_000, 0)).await?.result().await?;
    println!("12,000 readings, over several runs: {sum}");
    engine.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell::workflow::SUGGESTED_EVENTS;
    use retell_tester::Tester;

    use super::*;

    #[tokio::test]
    async fn a_parked_run_goes_on_where_the_limit_is_higher() {
        let (parked, sum) = run().await.unwrap();
        assert!(parked.contains("history_events_max"), "{parked}");
        assert_eq!(sum, 40);
    }

    #[test]
    fn a_run_goes_on_as_a_new_one_when_it_is_told_to() {
        let tester = Tester::new().workflow(sum_up);
        let run = tester.start(sum_up, "meter", (6_000, 0));
        assert_eq!(run.result().unwrap(), 12_000);
        let lengths: Vec<_> = run.histories().iter().map(|(_, events)| events.len() as u64).collect();
        assert_eq!(lengths.len(), 2, "{lengths:?}");
        assert!((SUGGESTED_EVENTS..SUGGESTED_EVENTS + 5).contains(&lengths[0]), "{lengths:?}");
    }
}
