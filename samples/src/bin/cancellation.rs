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
    use retell::client::ResultError;
    use retell_tester::{Calls, Explorer, Tester};

    use super::*;

    fn notes(calls: &Calls) -> Vec<String> {
        calls.of(note).into_iter().map(|call| call.input).collect()
    }

    #[test]
    fn a_booking_lasts_an_hour() {
        let tester = Tester::new().workflow(book_room);
        tester.fake(note).returns(());
        let began = tester.now();
        tester.start(book_room, "room-1", ()).result().unwrap();
        assert_eq!(tester.now(), began + Duration::from_secs(3_600));
        assert_eq!(notes(&tester.calls()), ["booked", "given back"]);
    }

    #[test]
    fn a_booking_that_is_cancelled_ends_at_once() {
        let tester = Tester::new().workflow(book_room);
        tester.fake(note).returns(());
        let began = tester.now();
        let run = tester.start(book_room, "room-1", ());
        let cancelled = run.clone();
        tester.after(Duration::from_secs(600), move |_| cancelled.cancel("the meeting is off").unwrap());
        assert!(matches!(run.result(), Err(ResultError::Cancelled)));
        assert_eq!(tester.now(), began + Duration::from_secs(600));
        assert_eq!(notes(&tester.calls()), ["booked", "given back"]);
    }

    /// The cancel request comes before, while and after the room is booked, and the worker dies anywhere.
    #[test]
    fn the_room_is_given_back_whenever_the_cancel_request_comes() {
        let explored = Explorer::new(|tester| {
            let tester = tester.workflow(book_room);
            tester.fake(note).returns(());
            tester.start(book_room, "room-1", ());
            tester
        })
        .cancel("room-1")
        .crashes(1)
        .always("what was booked is given back, and last of all", |ending| {
            let notes = notes(ending.calls());
            notes.is_empty() || notes.last().is_some_and(|last| last == "given back")
        })
        .run();
        assert!(explored.complete(), "{explored}");
    }
}
