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
    #[tokio::test]
    async fn no_signal_is_lost_between_runs() {
        assert_eq!(super::run(205).await.unwrap(), 205 * 206 / 2);
    }
}
