//! What an order does to the outside world: one activity for each effect, all of them written to the ledger.
//!
//! An activity runs at least once; under its key in the ledger its effect counts once.

use std::time::Duration;

use retell::activity::{ActivityContext, ActivityError};

use super::ledger::{Entry, Ledger};
use super::order::{Order, Step};

/// The outside world, given to the activities as shared state.
#[derive(Debug)]
pub struct Outside {
    /// Where effects are counted.
    pub ledger: Ledger,
    /// How long each effect takes.
    pub work: Duration,
}

/// Takes the goods out of the stock.
#[retell::activity]
pub async fn reserve(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    perform(&cx, &order, Step::Reserve).await
}

/// Takes the customer's money.
#[retell::activity]
pub async fn charge(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    perform(&cx, &order, Step::Charge).await
}

/// Hands the parcel over.
#[retell::activity]
pub async fn ship(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    perform(&cx, &order, Step::Ship).await
}

/// Sends the invoice.
#[retell::activity]
pub async fn bill(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    perform(&cx, &order, Step::Bill).await
}

/// Puts the goods back into the stock.
#[retell::activity]
pub async fn release(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    take_effect(&cx, &order, Step::Reserve.compensation()).await
}

/// Gives the customer's money back.
#[retell::activity]
pub async fn refund(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    take_effect(&cx, &order, Step::Charge.compensation()).await
}

/// Calls the parcel back.
#[retell::activity]
pub async fn recall(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    take_effect(&cx, &order, Step::Ship.compensation()).await
}

/// Takes the invoice back.
#[retell::activity]
pub async fn credit(cx: ActivityContext, order: Order) -> Result<(), ActivityError> {
    take_effect(&cx, &order, Step::Bill.compensation()).await
}

/// Does a step, or fails where the order's line says so.
async fn perform(cx: &ActivityContext, order: &Order, step: Step) -> Result<(), ActivityError> {
    if let Some(failing) = order.failing.filter(|failing| failing.step == step) {
        match failing.attempts {
            None => {
                let message = format!("{step} of {} is not possible", order.sku);
                return Err(ActivityError::new("StepFailed", message).non_retryable());
            }
            Some(attempts) if cx.attempt().0 <= attempts => {
                return Err(ActivityError::new("Hiccup", format!("{step} did not answer")));
            }
            Some(_) => {}
        }
    }
    take_effect(cx, order, step.effect()).await
}

async fn take_effect(cx: &ActivityContext, order: &Order, kind: &str) -> Result<(), ActivityError> {
    let outside = cx.state::<Outside>()?;
    if !outside.work.is_zero() {
        tokio::time::sleep(outside.work).await;
    }
    let entry = Entry::new(&order.id, kind, order.amount_cents);
    // No second attempt makes an ID fit that does not.
    let entry = entry.map_err(|error| ActivityError::from(error).non_retryable())?;
    outside.ledger.append(entry).await?;
    Ok(())
}
