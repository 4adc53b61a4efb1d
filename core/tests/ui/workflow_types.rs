//! Types that workflows get wrong.

#![allow(unused)]

use std::rc::Rc;
use std::time::Duration;

use retell::activity::{ActivityContext, ActivityError};
use retell::workflow::{WorkflowContext, WorkflowResult};

#[retell::activity]
async fn charge(cx: ActivityContext, amount: u32) -> Result<String, ActivityError> {
    Ok(String::new())
}

async fn plain(cx: ActivityContext, amount: u32) -> Result<String, ActivityError> {
    Ok(String::new())
}

#[retell::workflow]
async fn wrong_input(cx: WorkflowContext, amount: String) -> WorkflowResult<String> {
    Ok(cx.activity(charge, &amount).await?)
}

#[retell::workflow]
async fn owned_input(cx: WorkflowContext, amount: u32) -> WorkflowResult<String> {
    Ok(cx.activity(charge, amount).await?)
}

#[retell::workflow]
async fn wrong_output(cx: WorkflowContext, amount: u32) -> WorkflowResult<u32> {
    Ok(cx.activity(charge, &amount).await?)
}

#[retell::workflow]
async fn not_an_activity(cx: WorkflowContext, amount: u32) -> WorkflowResult<String> {
    Ok(cx.activity(plain, &amount).await?)
}

#[retell::workflow]
async fn other_result(cx: WorkflowContext) -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
