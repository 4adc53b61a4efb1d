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
    use retell_tester::Tester;

    use super::*;

    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    #[test]
    fn the_shorter_sleep_wins_and_takes_as_long_as_it_says() {
        let tester = Tester::new().workflow(nap);
        let short = Duration::from_millis(5);
        assert_eq!(tester.start(nap, "rested", (short, YEAR)).result().unwrap(), (true, short));
        assert_eq!(tester.start(nap, "woken", (YEAR, short)).result().unwrap(), (false, short));
    }

    /// It wakes late, in another process, and by the clock of that.
    #[test]
    fn a_sleep_outlives_its_process() {
        let tester = Tester::new().workflow(nap);
        let run = tester.start(nap, "nap-1", (YEAR, 2 * YEAR));
        tester.stop_worker();
        tester.advance(3 * YEAR / 2);
        tester.start_worker();
        assert_eq!(run.result().unwrap(), (true, 3 * YEAR / 2));
    }
}
