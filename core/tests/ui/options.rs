//! Options that are none.

#![allow(unused)]

use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::activity::{ActivityContext, ActivityError};

#[retell::activity(nam = "charge")]
async fn unknown(cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity(version = 2)]
async fn versioned(cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity(name = "")]
async fn unnamed(cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity(name = charge)]
async fn unquoted(cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity(name = "a", name = "b")]
async fn twice(cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::workflow(version = 0)]
async fn zero(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(())
}

#[retell::workflow(retries = 3)]
async fn unknown_to_workflows(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(())
}

fn main() {}
