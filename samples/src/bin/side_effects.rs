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
    use retell::history::EventKind;
    use retell::vocabulary::Payload;
    use retell_tester::{Tester, replay};

    use super::*;

    fn drawn(seed: u64) -> Ticket {
        let tester = Tester::with_seed(seed).workflow(draw);
        tester.start(draw, "draw-1", ()).result().unwrap()
    }

    /// What a workflow draws comes from its run, and the tester's seed says which runs there are.
    #[test]
    fn the_same_seed_draws_the_same_lot() {
        let ticket = drawn(1);
        assert_eq!((&ticket.id, ticket.lot), (&drawn(1).id, drawn(1).lot));
        assert_ne!(ticket.id, drawn(2).id);
        assert!((1..50).contains(&ticket.lot), "{ticket:?}");
        assert_eq!(ticket.process, std::process::id());
    }

    /// In another process the closure would give another number, were it asked again.
    #[test]
    fn a_recorded_side_effect_is_not_asked_for_again() {
        let tester = Tester::new().workflow(draw);
        let run = tester.start(draw, "draw-1", ());
        run.result().unwrap();
        let mut recorded = run.recorded();
        for event in &mut recorded.events {
            match &mut event.kind {
                EventKind::SideEffectRecorded(body) => body.value = Payload::encode(&4_711_u32).unwrap(),
                EventKind::WorkflowCompleted(body) => {
                    let ticket = Ticket { process: 4_711, ..body.result.decode().unwrap() };
                    body.result = Payload::encode(&ticket).unwrap();
                }
                _ => {}
            }
        }
        replay(draw, recorded);
    }
}
