//! A run from its beginning to its removal: it begins later, sleeps until instants, and is removed once it has closed.

use std::error::Error;
use std::time::Duration;

use retell::client::RemoveError;
use retell::prelude::*;
use retell_memory::Memory;

#[retell::activity]
async fn strike(_cx: ActivityContext, strokes: u32) -> Result<(), ActivityError> {
    println!("{}", "dong ".repeat(strokes as usize));
    Ok(())
}

/// Strikes one, two, three. However long the striking takes, the next one is not later for it, as with `cx.sleep`.
#[retell::workflow]
async fn chime(cx: WorkflowContext, hour: Duration) -> WorkflowResult<u32> {
    let began = cx.now();
    for strokes in 1..=3 {
        cx.sleep_until(began + hour * strokes).await?;
        cx.activity(strike, &strokes).await?;
    }
    Ok(3)
}

/// Whether the run could be removed while it was open, and when it had closed; and whether anything is left of it.
async fn run() -> Result<[bool; 3], Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(chime).activity(strike).start().await?;
    // It is there at once, has its ID and keeps what it is sent; its code begins later.
    let delay = Duration::from_millis(20);
    let run = engine.start(chime, "church", Duration::from_millis(5)).start_delay(delay).await?;
    let while_open = !matches!(run.remove().await, Err(RemoveError::Open(_)));
    run.result().await?;
    let when_closed = run.remove().await.is_ok();
    let left = run.describe().await.is_ok();
    engine.shutdown().await;
    Ok([while_open, when_closed, left])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [while_open, when_closed, left] = run().await?;
    println!("removed while open: {while_open}, when closed: {when_closed}; something is left: {left}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell_tester::Tester;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn only_what_has_closed_is_removed() {
        assert_eq!(run().await.unwrap(), [false, true, false]);
    }

    #[test]
    fn it_strikes_on_the_hour_from_the_next_day_on() {
        let tester = Tester::new().workflow(chime);
        tester.fake(strike).takes(Duration::from_secs(60)).returns(());
        let tomorrow = tester.now() + 24 * HOUR;
        tester
            .start_with(chime, "church", HOUR, |call| call.start_delay(24 * HOUR))
            .unwrap()
            .result()
            .unwrap();
        let at: Vec<_> = tester.calls().iter().map(|call| call.at).collect();
        assert_eq!(at, [tomorrow + HOUR, tomorrow + 2 * HOUR, tomorrow + 3 * HOUR]);
    }
}
