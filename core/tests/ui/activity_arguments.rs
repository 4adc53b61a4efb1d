//! Arguments that an activity cannot have.

#![allow(unused)]

use retell::activity::{ActivityContext, ActivityError};

#[retell::activity]
async fn nothing() -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity]
async fn no_context(order: u64) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity]
async fn borrowed_context(cx: &ActivityContext, order: u64) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity]
async fn borrowed_input(cx: ActivityContext, name: &str) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity]
async fn any_input(cx: ActivityContext, name: impl Into<String>) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity]
async fn two_inputs(cx: ActivityContext, order: u64, names: Vec<(u8, std::string::String)>) -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
