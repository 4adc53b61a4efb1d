//! Runs that talk to each other: orders ask a desk for goods and are answered, signal by signal.

use std::error::Error;

use retell::prelude::*;
use retell::workflow::{ExternalError, SignalType};
use retell_memory::Memory;
use serde::{Deserialize, Serialize};

const WANTED: SignalType<Wanted> = SignalType::new("wanted");
const GIVEN: SignalType<bool> = SignalType::new("given");

#[derive(Serialize, Deserialize)]
struct Wanted {
    /// The workflow ID that is to be answered.
    by: String,
    count: u32,
}

/// Hands out what is there, and closes when nothing is left. It goes on as a new run after each order: whoever signals
/// it does not notice.
#[retell::workflow]
async fn desk(cx: WorkflowContext, left: u32) -> WorkflowResult<()> {
    if left == 0 {
        return Ok(());
    }
    let Wanted { by, count } = cx.signal(WANTED).await?;
    let given = count <= left;
    match cx.external(by).signal(GIVEN, &given).await {
        // Who no longer waits gets nothing.
        Err(ExternalError::NotOpen(_)) => cx.continue_as_new(desk, &left),
        told => {
            told?;
            cx.continue_as_new(desk, &(left - if given { count } else { 0 }))
        }
    }
}

/// Asks the desk for some; `None` if it has closed.
#[retell::workflow]
async fn order(cx: WorkflowContext, count: u32) -> WorkflowResult<Option<bool>> {
    let by = cx.run().workflow_id.to_string();
    match cx.external("desk").signal(WANTED, &Wanted { by, count }).await {
        Ok(()) => Ok(Some(cx.signal(GIVEN).await?)),
        Err(ExternalError::NotOpen(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn run() -> Result<Vec<Option<bool>>, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(desk).workflow(order).start().await?;
    let open = engine.start(desk, "desk", 5).await?;
    let mut given = Vec::new();
    for (number, count) in [(1, 3), (2, 4), (3, 2)] {
        given.push(engine.start(order, format!("order-{number}"), count).await?.result().await?);
    }
    open.result().await?;
    given.push(engine.start(order, "order-4", 1).await?.result().await?);
    engine.shutdown().await;
    Ok(given)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for (number, given) in (1..).zip(run().await?) {
        let told = match given {
            Some(true) => "gets what it wants",
            Some(false) => "wants more than there is",
            None => "finds the desk closed",
        };
        println!("order {number} {told}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn orders_are_answered_until_the_desk_closes() {
        assert_eq!(super::run().await.unwrap(), [Some(true), Some(false), Some(true), None]);
    }
}
