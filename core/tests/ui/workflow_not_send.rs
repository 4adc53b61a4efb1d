//! A workflow whose future cannot move between threads.

use std::rc::Rc;
use std::time::Duration;

use retell::workflow::{WorkflowContext, WorkflowResult};

#[retell::workflow]
async fn not_send(cx: WorkflowContext) -> WorkflowResult<u32> {
    let shared = Rc::new(7);
    cx.sleep(Duration::from_secs(1)).await?;
    Ok(*shared)
}

fn main() {}
