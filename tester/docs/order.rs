use std::time::Duration;

use retell::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 3_600);
const MINUTE: Duration = Duration::from_secs(60);

#[retell::activity]
async fn charge(_cx: ActivityContext, cents: u64) -> Result<String, ActivityError> {
    Err(ActivityError::new("Network", format!("no bank takes {cents} cents from a test")))
}

#[retell::activity]
async fn ship(_cx: ActivityContext, receipt: String) -> Result<String, ActivityError> {
    Ok(format!("parcel for {receipt}"))
}

#[retell::workflow]
async fn process_order(cx: WorkflowContext, cents: u64) -> WorkflowResult<String> {
    let confirmed = retell::select! {
        confirmed = cx.signal::<bool>("confirmed") => confirmed?,
        waited = cx.sleep(DAY) => { waited?; false }
    };
    if !confirmed {
        return Err(WorkflowError::new("nobody confirmed the order"));
    }
    let policy = RetryPolicy::fixed(MINUTE).attempts(3);
    let receipt = cx.activity(charge, &cents).retry(policy).await?;
    Ok(cx.activity(ship, &receipt).await?)
}
