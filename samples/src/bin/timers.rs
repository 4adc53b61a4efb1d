//! Timers: a sleep outlives the process; whichever of two is due first wins, and the other is cancelled.

use std::error::Error;
use std::time::Duration;

use retell::prelude::*;
use retell_memory::Memory;

/// Sleeps for a while, but not beyond a limit; says which it was, and how long by its own clock.
#[retell::workflow]
async fn nap(cx: WorkflowContext, (wanted, limit): (Duration, Duration)) -> WorkflowResult<(bool, Duration)> {
    let began = cx.now();
    let rested = retell::select! {
        slept = cx.sleep(wanted) => { slept?; true }
        woken = cx.sleep(limit) => { woken?; false }
    };
    Ok((rested, cx.now().since(began)))
}

async fn run(wanted: Duration, limit: Duration) -> Result<(bool, Duration), Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(nap).start().await?;
    let outcome = engine.start(nap, "nap-1", (wanted, limit)).await?.result().await?;
    engine.shutdown().await;
    Ok(outcome)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (rested, slept) = run(Duration::from_millis(300), Duration::from_secs(60)).await?;
    println!("rested: {rested}, after {slept:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_shorter_sleep_wins_and_is_never_cut_short() {
        let (short, long) = (Duration::from_millis(5), Duration::from_secs(3_600));
        let (rested, slept) = run(short, long).await.unwrap();
        assert!(rested && slept >= short, "{slept:?}");
        let (rested, slept) = run(long, short).await.unwrap();
        assert!(!rested && slept >= short, "{slept:?}");
    }
}
