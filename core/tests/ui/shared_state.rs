use retell::prelude::*;
use retell::workflow::UpdateType;

const ADD: UpdateType<u64, u64> = UpdateType::new("add");

#[retell::workflow]
async fn saving(cx: WorkflowContext) -> WorkflowResult<u64> {
    let saved = cx.share(0_u64);
    let borrowed: &mut u64 = saved.with(|saved| saved);
    cx.wait_until(&saved, |saved| *saved > 0).await?;
    Ok(*borrowed)
}

async fn save(run: RunHandle<saving>) -> Result<String, retell::client::UpdateError> {
    run.update(ADD, &5).await
}

fn main() {}
