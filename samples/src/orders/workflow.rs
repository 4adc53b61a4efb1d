//! The workflow of an order: plain, deterministic Rust that outlives the process.

use std::time::Duration;

use retell::vocabulary::RetryPolicy;
use retell::workflow::{CallError, WorkflowContext, WorkflowResult};
use serde::{Deserialize, Serialize};

use super::activities::{bill, charge, credit, recall, refund, release, reserve, ship};
use super::order::{Order, OrderOutcome, Step};

/// The signal that answers whether an order is to go out.
pub const CONFIRMATION: &str = "confirmation";

/// What a run is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderRequest {
    /// The order.
    pub order: Order,
    /// How long it waits for its confirmation.
    pub confirm_within: Duration,
}

/// What [`CONFIRMATION`] carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// Who answers.
    pub by: String,
    /// The answer.
    pub approved: bool,
}

/// Why an order does not go out.
enum Stop {
    /// It is how the order ends.
    Ends(OrderOutcome),
    /// The run cannot go on: it was asked to cancel.
    Broken(CallError),
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Self::Broken(error)
    }
}

/// Reserves and charges, waits for the confirmation, ships and bills.
///
/// Makes up for what was done if any of it fails, or if it is cancelled before it is confirmed.
#[retell::workflow]
pub async fn process_order(cx: WorkflowContext, request: OrderRequest) -> WorkflowResult<OrderOutcome> {
    let mut done = Vec::new();
    let Err(stop) = fulfil(&cx, &request, &mut done).await else {
        return Ok(OrderOutcome::Shipped);
    };
    // A cancel request must not keep what was taken.
    let cleanup = cx.shielded();
    for step in done.into_iter().rev() {
        make_up_for(&cleanup, step, &request.order).await?;
    }
    match stop {
        Stop::Ends(outcome) => Ok(outcome),
        Stop::Broken(error) => Err(error.into()),
    }
}

async fn fulfil(cx: &WorkflowContext, request: &OrderRequest, done: &mut Vec<Step>) -> Result<(), Stop> {
    let order = &request.order;
    // A cancel request may come while a step is under way: whether that was done must be known to make up for it.
    let steps = cx.shielded();
    done.push(perform(&steps, Step::Reserve, order).await?);
    done.push(perform(&steps, Step::Charge, order).await?);

    let answer = retell::select! {
        answer = cx.signal::<Answer>(CONFIRMATION) => answer?,
        waited = cx.sleep(request.confirm_within) => {
            waited?;
            return Err(Stop::Ends(OrderOutcome::TimedOut));
        }
    };
    if !answer.approved {
        return Err(Stop::Ends(OrderOutcome::Rejected { by: answer.by }));
    }

    let (shipped, billed) =
        retell::join!(perform(&steps, Step::Ship, order), perform(&steps, Step::Bill, order));
    let both = [shipped, billed];
    done.extend(both.iter().filter_map(|step| step.as_ref().ok()));
    both.into_iter().try_for_each(|step| step.map(drop))
}

/// Does a step; answers with it when it is done.
async fn perform(cx: &WorkflowContext, step: Step, order: &Order) -> Result<Step, Stop> {
    let call = match step {
        Step::Reserve => cx.activity(reserve, order),
        Step::Charge => cx.activity(charge, order),
        Step::Ship => cx.activity(ship, order),
        Step::Bill => cx.activity(bill, order),
    };
    match call.retry(soon()).await {
        Ok(()) => Ok(step),
        Err(CallError::Failed(failure)) => {
            Err(Stop::Ends(OrderOutcome::Compensated { step, reason: failure.to_string() }))
        }
        Err(error) => Err(error.into()),
    }
}

async fn make_up_for(cx: &WorkflowContext, step: Step, order: &Order) -> Result<(), CallError> {
    let call = match step {
        Step::Reserve => cx.activity(release, order),
        Step::Charge => cx.activity(refund, order),
        Step::Ship => cx.activity(recall, order),
        Step::Bill => cx.activity(credit, order),
    };
    call.retry(soon()).await
}

/// For ever, first after 20 ms: nothing that a full disk or a slow partner does ends an order.
fn soon() -> RetryPolicy {
    RetryPolicy::exponential()
        .initial_interval(Duration::from_millis(20))
        .interval_max(Duration::from_secs(5))
}
