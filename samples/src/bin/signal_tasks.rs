//! Async signal handlers: each order that comes in is worked on beside the others, and none is cut off at the end.

use std::error::Error;

use retell::prelude::*;
use retell::workflow::SignalType;
use retell_memory::Memory;

const ORDER: SignalType<u64> = SignalType::new("order");
const CLOSE: SignalType<()> = SignalType::new("close");

#[retell::activity]
async fn bake(_cx: ActivityContext, loaves: u64) -> Result<u64, ActivityError> {
    Ok(loaves)
}

/// What handlers and main body share.
#[derive(Default)]
struct Day {
    sold: u64,
    closed: bool,
}

/// Bakes what is ordered until it closes; what was ordered by then is still baked.
#[retell::workflow]
async fn bakery(cx: WorkflowContext) -> WorkflowResult<u64> {
    let day = cx.share(Day::default());
    day.handle_signal_async(ORDER, async |cx, day, loaves| {
        let baked = cx.activity(bake, &loaves).await?;
        day.with(|day| day.sold += baked);
        Ok(())
    });
    day.handle_signal(CLOSE, |day, ()| day.closed = true);
    cx.wait_until(&day, |day| day.closed).await?;
    cx.handlers_finished().await?;
    Ok(day.read(|day| day.sold))
}

async fn run() -> Result<u64, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(bakery).activity(bake).start().await?;
    let run = engine.start(bakery, "monday", ()).await?;
    for loaves in [2, 3, 5] {
        run.signal(ORDER, &loaves).await?;
    }
    run.signal(CLOSE, &()).await?;
    let sold = run.result().await?;
    engine.shutdown().await;
    Ok(sold)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{} loaves were sold", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn every_order_is_baked() {
        assert_eq!(super::run().await.unwrap(), 10);
    }
}
