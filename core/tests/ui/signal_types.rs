use retell::prelude::*;
use retell::workflow::SignalType;

const APPROVED: SignalType<bool> = SignalType::new("approved");

#[retell::workflow]
async fn approval(cx: WorkflowContext) -> WorkflowResult<u32> {
    Ok(cx.signal::<u32>(APPROVED).await?)
}

async fn approve(run: RunHandle<approval>) -> Result<(), retell::client::SendError> {
    run.signal(APPROVED, "yes").await
}

fn main() {}
