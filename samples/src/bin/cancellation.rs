//! Cancellation: a cancel request ends each await once; cleaning up happens under a shield.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use retell::prelude::*;
use retell::workflow::CallError;
use retell_memory::Memory;

/// What happened to the room, as the outside world saw it.
type Log = Arc<Mutex<Vec<String>>>;

#[retell::activity]
async fn note(cx: ActivityContext, text: String) -> Result<(), ActivityError> {
    cx.state::<Log>()?.lock().expect("no holder panics").push(text);
    Ok(())
}

/// Books a room for an hour, and gives it back however the hour ends.
#[retell::workflow]
async fn book_room(cx: WorkflowContext) -> WorkflowResult<()> {
    // A cancel request may come while the room is being booked: whether it was must be known to give it back.
    let shielded = cx.shielded();
    shielded.activity(note, &"booked".to_owned()).await?;
    let hour: Result<(), CallError> = cx.sleep(Duration::from_secs(3_600)).await;
    shielded.activity(note, &"given back".to_owned()).await?;
    Ok(hour?)
}

async fn run() -> Result<(String, Vec<String>), Box<dyn Error>> {
    let log = Log::default();
    let engine = Orchestrator::new(Memory::new())
        .workflow(book_room)
        .activity(note)
        .state(log.clone())
        .start()
        .await?;
    let handle = engine.start(book_room, "room-1", ()).await?;
    handle.cancel("the meeting is off").await?;
    let ended = handle.result().await.expect_err("it was cancelled").to_string();
    engine.shutdown().await;
    let seen = log.lock().expect("no holder panics").clone();
    Ok((ended, seen))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (ended, seen) = run().await?;
    println!("{ended}; the room was {}", seen.join(", then "));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_cancelled_booking_gives_its_room_back() {
        let (ended, seen) = super::run().await.unwrap();
        assert!(ended.contains("cancel"), "{ended}");
        assert_eq!(seen.last().map(String::as_str), Some("given back"));
    }
}
