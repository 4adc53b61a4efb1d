//! Stopping: what a cancel request does to a running activity, to a child, to another run; and a termination.

use std::error::Error;
use std::sync::Arc;

use retell::client::ResultError;
use retell::prelude::*;
use retell::workflow::{ActivityCancellation, ChildCancellation, ChildError, ExternalError};
use retell_memory::Memory;
use tokio::sync::Notify;

/// Rings when somebody digs.
type Bell = Arc<Notify>;

/// Digs until it is told to stop, and says how it left the garden.
#[retell::activity]
async fn dig(cx: ActivityContext) -> Result<String, ActivityError> {
    cx.state::<Bell>()?.notify_one();
    // Heard on whichever machine it runs, as long as somebody waits for it.
    cx.cancelled().await;
    Ok("the hole is fenced".to_owned())
}

/// Waits for what the activity makes of the cancel request; by default its await would end at once, and its body be
/// stopped.
#[retell::workflow]
async fn garden(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.activity(dig, &()).cancellation(ActivityCancellation::Wait).await?)
}

/// Passes a cancel request on to its child, and waits for its end; by default the child would be left to clean up alone.
#[retell::workflow]
async fn estate(cx: WorkflowContext) -> WorkflowResult<String> {
    let child = cx.child(garden, &()).id("garden");
    match child.cancellation(ChildCancellation::Wait).await {
        Ok(told) => Ok(format!("closed: {told}")),
        Err(ChildError::Cancelled) => Ok("closed in a hurry".to_owned()),
        Err(error) => Err(error.into()),
    }
}

/// Asks another run to stop, whichever is open under its workflow ID.
#[retell::workflow]
async fn neighbour(cx: WorkflowContext, of: String) -> WorkflowResult<bool> {
    match cx.external(of).cancel("the noise").await {
        Ok(()) => Ok(true),
        Err(ExternalError::NotOpen(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn run() -> Result<(String, [bool; 2], String), Box<dyn Error>> {
    let bell = Bell::default();
    let engine = Orchestrator::new(Memory::new())
        .workflow(garden)
        .workflow(estate)
        .workflow(neighbour)
        .activity(dig)
        .state(bell.clone())
        .start()
        .await?;
    let open = engine.start(estate, "estate", ()).await?;
    bell.notified().await;
    let asked = engine.start(neighbour, "monday", "estate".to_owned()).await?.result().await?;
    let closed = open.result().await?;
    let again = engine.start(neighbour, "tuesday", "estate".to_owned()).await?.result().await?;

    // A termination asks nobody: no code of the run hears of it, nothing is fenced.
    let lost = engine.start(garden, "garden", ()).await?;
    bell.notified().await;
    lost.terminate("sold").await?;
    let ended = match lost.result().await {
        Err(ResultError::Terminated(reason)) => format!("terminated: {reason}"),
        other => other?,
    };
    engine.shutdown().await;
    Ok((closed, [asked, again], ended))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (closed, [asked, again], ended) = run().await?;
    println!(
        "the estate was asked to close ({asked}) and {closed}; asked again: {again}; the other garden: {ended}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_cancel_request_goes_down_to_the_digger_and_a_termination_does_not() {
        let (closed, asked, ended) = super::run().await.unwrap();
        assert_eq!(closed, "closed: the hole is fenced");
        assert_eq!(asked, [true, false]);
        assert_eq!(ended, "terminated: sold");
    }
}
