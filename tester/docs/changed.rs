use super::*;

#[retell::activity]
pub async fn weigh(_cx: ActivityContext, _receipt: String) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::workflow]
pub async fn process_order(cx: WorkflowContext, cents: u64) -> WorkflowResult<String> {
    retell::select! {
        confirmed = cx.signal::<bool>("confirmed") => _ = confirmed?,
        waited = cx.sleep(DAY) => waited?,
    }
    let policy = RetryPolicy::fixed(MINUTE).attempts(3);
    let receipt = cx.activity(charge, &cents).retry(policy).await?;
    cx.activity(weigh, &receipt).await?;
    Ok(cx.activity(ship, &receipt).await?)
}
