//! Functions that cannot be activities.

#![allow(unused)]

use retell::activity::{ActivityContext, ActivityError};

#[retell::activity]
struct Charge;

#[retell::activity]
async fn generic<T: Send>(cx: ActivityContext, input: T) -> Result<T, ActivityError> {
    Ok(input)
}

#[retell::activity]
async unsafe fn dangerous(cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

struct Shop;

impl Shop {
    #[retell::activity]
    async fn method(&self, cx: ActivityContext) -> Result<(), ActivityError> {
        Ok(())
    }
}

#[retell::activity]
async fn no_result(cx: ActivityContext) {}

#[retell::activity]
async fn plain_result(cx: ActivityContext) -> u32 {
    7
}

fn main() {}
