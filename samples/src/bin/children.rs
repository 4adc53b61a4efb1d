//! Child workflows: awaited side by side, held and signalled, let go of; and what becomes of one whose ID is taken.

use std::error::Error;

use retell::prelude::*;
use retell::workflow::{ChildError, ParentClosePolicy, SignalType, try_all};
use retell_memory::Memory;

const COURIER: SignalType<String> = SignalType::new("courier");

/// Packs an item, and waits for who takes it.
#[retell::workflow]
async fn pack(cx: WorkflowContext, item: String) -> WorkflowResult<String> {
    let courier = cx.signal(COURIER).await?;
    Ok(format!("{item} goes with {courier}"))
}

#[retell::workflow]
async fn weigh(_cx: WorkflowContext, item: String) -> WorkflowResult<u64> {
    Ok(100 * item.len() as u64)
}

/// Outlives the order that started it.
#[retell::workflow]
async fn thank(cx: WorkflowContext, customer: String) -> WorkflowResult<String> {
    let parent = cx.info().parent.map(|parent| parent.workflow_id.to_string());
    Ok(format!("{customer} is thanked for {}", parent.unwrap_or_default()))
}

#[retell::workflow]
async fn process_order(cx: WorkflowContext, items: Vec<String>) -> WorkflowResult<Vec<String>> {
    // A child that is awaited gives what it returns; each is a run of its own.
    let weights = try_all(items.iter().map(|item| cx.child(weigh, item))).await?;
    let mut told = vec![format!("{} grams", weights.iter().sum::<u64>())];

    // One that is held can be spoken to before its result is awaited.
    let packing = cx.child(pack, &items[0]).id("pack-1").started().await?;
    let second = cx.child(pack, &items[0]).id("pack-1").await;
    told.push(match second {
        Err(ChildError::IdTaken(id)) => format!("{id} is being packed already"),
        other => format!("{other:?}"),
    });
    packing.signal(COURIER, &"Bob".to_owned()).await?;
    told.push(packing.result().await?);

    // What is let go of under this policy goes on when the order has closed; under the others it would end with it.
    let thanks = cx.child(thank, &"Ada".to_owned()).id("thank-1");
    thanks.parent_close_policy(ParentClosePolicy::Abandon).detach()?;
    Ok(told)
}

async fn run() -> Result<(Vec<String>, String), Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new())
        .workflow(process_order)
        .workflow(pack)
        .workflow(weigh)
        .workflow(thank)
        .start()
        .await?;
    let items = vec!["ink".to_owned(), "quill".to_owned()];
    let told = engine.start(process_order, "order-42", items).await?.result().await?;
    // A child is found under its workflow ID like any run.
    let thanked = engine.handle(thank, "thank-1")?.result().await?;
    engine.shutdown().await;
    Ok((told, thanked))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (told, thanked) = run().await?;
    told.iter().for_each(|line| println!("{line}"));
    println!("{thanked}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn children_are_awaited_spoken_to_and_let_go_of() {
        let (told, thanked) = super::run().await.unwrap();
        assert_eq!(told, ["800 grams", "pack-1 is being packed already", "ink goes with Bob"]);
        assert_eq!(thanked, "Ada is thanked for order-42");
    }
}
