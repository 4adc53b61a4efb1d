//! A saga: each step says how to undo it; when a later one fails, what was done is undone in reverse order.

use std::error::Error;
use std::sync::{Arc, Mutex};

use retell::prelude::*;
use retell_memory::Memory;

/// What is booked, as the outside world sees it.
type Bookings = Arc<Mutex<Vec<String>>>;

#[retell::activity]
async fn book(cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    if what == "hotel" {
        return Err(ActivityError::new("NoRoom", "the hotel is full").non_retryable());
    }
    cx.state::<Bookings>()?.lock().expect("no holder panics").push(what);
    Ok(())
}

/// Bears that there is nothing to give back: whether a booking was made may not be known.
#[retell::activity]
async fn give_back(cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    cx.state::<Bookings>()?.lock().expect("no holder panics").retain(|booked| *booked != what);
    Ok(())
}

#[retell::workflow]
async fn book_trip(cx: WorkflowContext, parts: Vec<String>) -> WorkflowResult<()> {
    let mut saga = cx.saga();
    let booked = async {
        for part in &parts {
            // Registered first: a booking may be made although nobody hears of it.
            saga.undo(part.clone(), |cx| cx.activity(give_back, part).retry(RetryPolicy::exponential()));
            cx.activity(book, part).await?;
        }
        Ok(())
    }
    .await;
    // Undoes all, under a shield, unless all went well.
    saga.conclude(booked).await
}

async fn run() -> Result<(String, Vec<String>), Box<dyn Error>> {
    let bookings = Bookings::default();
    let engine = Orchestrator::new(Memory::new())
        .workflow(book_trip)
        .activity(book)
        .activity(give_back)
        .state(bookings.clone())
        .start()
        .await?;
    let parts = ["flight", "car", "hotel"].map(str::to_owned).to_vec();
    let failed = engine.start(book_trip, "trip-1", parts).await?.result().await;
    engine.shutdown().await;
    let left = bookings.lock().expect("no holder panics").clone();
    Ok((failed.expect_err("there is no room").to_string(), left))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (why, left) = run().await?;
    println!("{why}; still booked: {left:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn nothing_stays_booked() {
        let (why, left) = super::run().await.unwrap();
        assert!(why.contains("full"), "{why}");
        assert!(left.is_empty(), "{left:?}");
    }
}
