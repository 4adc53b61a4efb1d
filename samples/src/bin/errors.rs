//! Typed errors: an enum of your own goes into history with its data, and comes out of it as the enum again.

use std::error::Error;

use retell::client::ResultError;
use retell::prelude::*;
use retell::vocabulary::Failure;
use retell_memory::Memory;
use serde::{Deserialize, Serialize};

/// Why a card was not charged.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum ChargeError {
    Declined { code: u32 },
    Busy,
}

impl From<ChargeError> for ActivityError {
    fn from(error: ChargeError) -> Self {
        // The type is for policies, the message for people, the details for code.
        let activity_error = match error {
            ChargeError::Declined { .. } => Self::new("Declined", "the card was declined").non_retryable(),
            ChargeError::Busy => Self::new("Busy", "the bank is busy"),
        };
        activity_error.details(&error)
    }
}

impl ChargeError {
    /// The enum again, wherever a failure has come to.
    fn of(failure: &Failure) -> Option<Self> {
        failure.details.as_ref()?.decode().ok()
    }
}

fn bank(cents: u64) -> Result<String, ChargeError> {
    match cents {
        0..1_000 => Ok(format!("{cents} cents are paid")),
        1_000..5_000 => Err(ChargeError::Busy),
        _ => Err(ChargeError::Declined { code: 51 }),
    }
}

/// History knows it by this name: the function may be renamed, runs that are open find it all the same.
#[retell::activity(name = "charge card")]
async fn charge(_cx: ActivityContext, cents: u64) -> Result<String, ActivityError> {
    Ok(bank(cents)?)
}

#[retell::workflow(name = "payment")]
async fn pay(cx: WorkflowContext, cents: u64) -> WorkflowResult<String> {
    match cx.activity(charge, &cents).retry(RetryPolicy::never()).await {
        Err(error) if error.failure().and_then(ChargeError::of) == Some(ChargeError::Busy) => {
            Ok("to be paid later".to_owned())
        }
        // `?` passes a failure on as it is, details and all.
        charged => Ok(charged?),
    }
}

async fn run(cents: u64) -> Result<String, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(pay).activity(charge).start().await?;
    let told = match engine.start(pay, "payment-1", cents).await?.result().await {
        Err(ResultError::Failed(failure)) => match ChargeError::of(&failure) {
            Some(ChargeError::Declined { code }) => format!("{failure}, with code {code}"),
            _ => failure.to_string(),
        },
        paid => paid?,
    };
    engine.shutdown().await;
    Ok(told)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for cents in [300, 3_000, 30_000] {
        println!("{}", run(cents).await?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell_tester::Tester;

    use super::*;

    #[tokio::test]
    async fn the_enum_arrives_at_workflow_and_caller() {
        assert_eq!(run(300).await.unwrap(), "300 cents are paid");
        assert_eq!(run(3_000).await.unwrap(), "to be paid later");
        assert_eq!(run(30_000).await.unwrap(), "the card was declined, with code 51");
    }

    #[test]
    fn history_holds_the_explicit_name() {
        let tester = Tester::new().workflow(pay).activity(charge);
        assert_eq!(tester.start(pay, "payment-1", 300).result().unwrap(), "300 cents are paid");
        assert_eq!(tester.calls().count("charge card"), 1);
    }
}
