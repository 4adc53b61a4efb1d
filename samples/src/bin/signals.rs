//! Signals: messages to a running workflow. They wait, in order, until the code takes them.

use std::error::Error;

use retell::prelude::*;
use retell_memory::Memory;

/// Adds up what it is sent until it is sent 0.
#[retell::workflow]
async fn tally(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let mut taken = Vec::new();
    loop {
        match cx.signal::<u32>("add").await? {
            0 => return Ok(taken),
            number => taken.push(number),
        }
    }
}

async fn run(numbers: &[u32]) -> Result<Vec<u32>, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(tally).start().await?;
    let handle = engine.start(tally, "tally-1", ()).await?;
    for number in numbers {
        handle.signal("add", number).await?;
    }
    handle.signal("add", &0_u32).await?;
    let taken = handle.result().await?;
    engine.shutdown().await;
    Ok(taken)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("taken, in order: {:?}", run(&[3, 1, 2]).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn every_signal_is_taken_once_and_in_order() {
        let numbers: Vec<_> = (1..=200).collect();
        assert_eq!(super::run(&numbers).await.unwrap(), numbers);
    }
}
