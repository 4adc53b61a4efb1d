//! Side effects, time and chance: what is not deterministic goes through the context, and replays the same.

use std::error::Error;

use retell::prelude::*;
use retell_memory::Memory;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Ticket {
    id: String,
    lot: u64,
    process: u32,
    waited_ms: u128,
}

/// Each of these values is recorded, or drawn from what is: after a crash the code sees the same ones.
#[retell::workflow]
async fn draw(cx: WorkflowContext) -> WorkflowResult<Ticket> {
    let began = cx.now();
    // Runs once per recorded value, never at replay: for what is short and may be repeated.
    let process = cx.side_effect(std::process::id).await?;
    Ok(Ticket {
        id: cx.uuid().to_string(),
        lot: cx.random_range(1..50),
        process,
        waited_ms: cx.now().since(began).as_millis(),
    })
}

async fn run() -> Result<Ticket, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(draw).start().await?;
    let ticket = engine.start(draw, "draw-1", ()).await?.result().await?;
    engine.shutdown().await;
    Ok(ticket)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{:?}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_side_effect_brings_the_outside_in() {
        let ticket = super::run().await.unwrap();
        assert_eq!(ticket.process, std::process::id());
        assert!((1..50).contains(&ticket.lot), "{ticket:?}");
    }
}
