//! Updates: requests that a workflow checks, carries out with activities, and answers; once for each request ID.

use std::error::Error;

use retell::client::UpdateError;
use retell::prelude::*;
use retell::vocabulary::RequestId;
use retell::workflow::UpdateType;
use retell_memory::Memory;

const WITHDRAW: UpdateType<u64, u64> = UpdateType::new("withdraw");
const CLOSE: UpdateType<(), ()> = UpdateType::new("close");

#[retell::activity]
async fn pay_out(_cx: ActivityContext, cents: u64) -> Result<u64, ActivityError> {
    Ok(cents)
}

/// What handlers and main body share.
struct Account {
    cents: u64,
    closed: bool,
}

/// Pays out what it is asked for, as long as there is something left.
#[retell::workflow]
async fn hold_account(cx: WorkflowContext, cents: u64) -> WorkflowResult<u64> {
    let state = cx.share(Account { cents, closed: false });
    state.handle_valid_update(
        WITHDRAW,
        |account: &Account, cents| {
            if *cents > account.cents {
                return Err(WorkflowError::new(format!("only {} cents are left", account.cents)));
            }
            Ok(())
        },
        async |cx, state, cents| {
            // Taken before the payment: a second withdrawal meanwhile sees what is left.
            let left = state.with(|account| {
                account.cents -= cents;
                account.cents
            });
            cx.activity(pay_out, &cents).await?;
            Ok(left)
        },
    );
    state.handle_update(CLOSE, async |_, state, ()| {
        state.with(|account| account.closed = true);
        Ok(())
    });
    cx.wait_until(&state, |account| account.closed).await?;
    Ok(state.read(|account| account.cents))
}

async fn run() -> Result<(u64, String, u64), Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(hold_account).activity(pay_out).start().await?;
    // Opens the account if there is none, and withdraws in the same step.
    let call = engine.start(hold_account, "account-1", 100).with_update(WITHDRAW, &30);
    let (handle, withdrawn) = call.await?;
    let left = withdrawn.result().await?;
    let refused = match handle.update(WITHDRAW, &80).await {
        Err(UpdateError::Refused { failure, .. }) => failure.message.to_string(),
        other => format!("{other:?}"),
    };
    // Under a request ID of one's own it happens once, however often it is sent.
    let request = RequestId::from_key("order-7: withdraw");
    for _ in 0..2 {
        handle.send_update_with(WITHDRAW, &20, request).await?.result().await?;
    }
    handle.update(CLOSE, &()).await?;
    let rest = handle.result().await?;
    engine.shutdown().await;
    Ok((left, refused, rest))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (left, refused, rest) = run().await?;
    println!("left at first: {left}; then: {refused}; at last: {rest}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn what_is_there_is_paid_out_once() {
        assert_eq!(super::run().await.unwrap(), (70, "only 70 cents are left".to_owned(), 50));
    }
}
