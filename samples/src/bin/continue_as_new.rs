//! Continue-as-new: a workflow that runs for ever keeps its history short, and loses no message on the way.

use std::error::Error;

use retell::prelude::*;
use retell_memory::Memory;

/// How many signals a run takes before it goes on as a new one.
const SIGNALS_A_RUN: u32 = 10;

/// Adds up signals; 0 ends it. The input is all that a run hands to the next one.
#[retell::workflow]
async fn meter(cx: WorkflowContext, mut total: u64) -> WorkflowResult<u64> {
    for _ in 0..SIGNALS_A_RUN {
        match cx.signal::<u64>("add").await? {
            0 => return Ok(total),
            number => total += number,
        }
    }
    cx.continue_as_new(meter, &total)
}

async fn run(signals: u64) -> Result<u64, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(meter).start().await?;
    let handle = engine.start(meter, "meter-1", 0).await?;
    let current = engine.handle(meter, "meter-1")?;
    for number in 1..=signals {
        current.signal("add", &number).await?;
    }
    current.signal("add", &0_u64).await?;
    let total = handle.result().await?;
    engine.shutdown().await;
    Ok(total)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("the sum of 1 to 100 is {}", run(100).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell_tester::Tester;

    use super::*;

    /// A result follows the chain of runs; `histories` shows it run by run.
    #[test]
    fn no_signal_is_lost_between_runs() {
        let tester = Tester::new().workflow(meter);
        let run = tester.start(meter, "meter-1", 0);
        (1..=205_u64).for_each(|number| run.signal("add", &number).unwrap());
        run.signal("add", &0_u64).unwrap();
        assert_eq!(run.result().unwrap(), 205 * 206 / 2);
        assert_eq!(run.histories().len(), 21);
    }

    #[test]
    fn no_signal_is_lost_where_a_worker_dies() {
        for commits in 1..8 {
            let tester = Tester::new().workflow(meter);
            tester.crash_after_commit(commits);
            let run = tester.start(meter, "meter-1", 0);
            for number in (1..=25_u64).chain([0]) {
                run.signal("add", &number).unwrap();
                tester.rest();
            }
            assert_eq!(run.result().unwrap(), 25 * 26 / 2, "it died after {commits} commits");
        }
    }
}
