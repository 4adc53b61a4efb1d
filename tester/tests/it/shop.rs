//! The workflows of these tests, and what they have become since `tests/histories` were recorded.

use std::time::Duration;

use retell::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) cents: u64,
}

#[retell::activity]
pub(crate) async fn charge(_cx: ActivityContext, order: Order) -> Result<String, ActivityError> {
    Ok(format!("payment-{}", order.id))
}

#[retell::activity]
pub(crate) async fn ship(_cx: ActivityContext, payment: String) -> Result<String, ActivityError> {
    Ok(payment)
}

const MINUTE: Duration = Duration::from_secs(60);

/// Charges, waits, ships.
#[retell::workflow]
pub(crate) async fn pay(cx: WorkflowContext, order: Order) -> WorkflowResult<String> {
    let payment = cx.activity(charge, &order).await?;
    cx.sleep(MINUTE).await?;
    Ok(cx.activity(ship, &payment).await?)
}

/// Needs its run to replay.
#[retell::workflow(version = 2)]
pub(crate) async fn announce(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(ship, &cx.run().to_string()).await?;
    Ok(())
}

/// `pay` as careless hands have changed it.
pub(crate) mod changed {
    use super::*;

    #[retell::workflow(name = "pay")]
    pub(crate) async fn inserted(cx: WorkflowContext, order: Order) -> WorkflowResult<String> {
        let payment = cx.activity(charge, &order).await?;
        cx.activity(ship, &"a note".to_owned()).detach()?;
        cx.sleep(MINUTE).await?;
        Ok(cx.activity(ship, &payment).await?)
    }

    #[retell::workflow(name = "pay")]
    pub(crate) async fn removed(cx: WorkflowContext, order: Order) -> WorkflowResult<String> {
        let payment = cx.activity(charge, &order).await?;
        Ok(cx.activity(ship, &payment).await?)
    }

    #[retell::workflow(name = "pay")]
    pub(crate) async fn dearer(cx: WorkflowContext, order: Order) -> WorkflowResult<String> {
        Ok(cx.activity(charge, &Order { cents: order.cents + 1, ..order }).await?)
    }

    #[retell::workflow(name = "pay")]
    pub(crate) async fn panicking(cx: WorkflowContext, order: Order) -> WorkflowResult<String> {
        let payment = cx.activity(charge, &order).await?;
        panic!("no {payment} was expected")
    }

    #[retell::workflow(name = "pay")]
    pub(crate) async fn other_input(_cx: WorkflowContext, order: String) -> WorkflowResult<String> {
        Ok(order)
    }

    #[retell::workflow(name = "pay")]
    pub(crate) async fn reaching_for_tokio(cx: WorkflowContext, order: Order) -> WorkflowResult<String> {
        tokio::time::sleep(MINUTE).await;
        Ok(cx.activity(charge, &order).await?)
    }

    #[retell::workflow(name = "pay", version = 2)]
    pub(crate) async fn newer(_cx: WorkflowContext, _order: Order) -> WorkflowResult<String> {
        Ok(String::new())
    }
}
