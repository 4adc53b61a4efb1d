//! Types that the engine cannot work with.

#![allow(unused)]

use retell::activity::{ActivityContext, ActivityError};

struct Opaque;

#[retell::activity]
async fn unreadable_input(cx: ActivityContext, input: Opaque) -> Result<(), ActivityError> {
    Ok(())
}

#[retell::activity]
async fn other_error(cx: ActivityContext) -> Result<(), String> {
    Ok(())
}

#[retell::activity]
async fn text_as_error(cx: ActivityContext) -> Result<(), ActivityError> {
    Err("no")?
}

#[retell::activity]
async fn not_send(cx: ActivityContext) -> Result<(), ActivityError> {
    let shared = std::rc::Rc::new(7);
    cx.cancelled().await;
    drop(shared);
    Ok(())
}

#[retell::activity]
async fn body(cx: ActivityContext, input: u32) -> Result<String, ActivityError> {
    Ok(input)
}

fn main() {}
