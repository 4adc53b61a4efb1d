//! Functions that cannot be workflows.

#![allow(unused)]

use retell::activity::ActivityContext;
use retell::workflow::{WorkflowContext, WorkflowResult};

type Order = u32;

#[retell::workflow]
fn not_async(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(())
}

#[retell::workflow]
async fn other_context(cx: ActivityContext) -> WorkflowResult<()> {
    Ok(())
}

#[retell::workflow]
async fn two_inputs(cx: WorkflowContext, order: Order, priority: u8) -> WorkflowResult<()> {
    Ok(())
}

#[retell::workflow]
async fn no_result(cx: WorkflowContext) {}

fn main() {}
