use retell::prelude::*;
use retell_tester::Explorer;

#[retell::activity]
async fn hold(_cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity]
async fn release(_cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}
