//! Typed signals: a constant says what a signal carries, and both ends are checked against it. A stream takes them in order.

use std::error::Error;

use futures::StreamExt;
use retell::prelude::*;
use retell::workflow::SignalType;
use retell_memory::Memory;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    name: String,
    cents: u64,
}

const ADD: SignalType<Item> = SignalType::new("add");
const CHECK_OUT: SignalType<()> = SignalType::new("check out");

/// Gathers items until the customer checks out; what was on its way by then counts too.
#[retell::workflow]
async fn cart(cx: WorkflowContext) -> WorkflowResult<u64> {
    let (mut items, mut check_out) = (cx.signals(ADD), cx.signal(CHECK_OUT));
    let mut cents = 0;
    loop {
        retell::select! {
            item = items.next() => if let Some(item) = item { cents += item?.cents },
            told = &mut check_out => { told?; break }
        }
    }
    Ok(cents + items.drain().iter().map(|item| item.cents).sum::<u64>())
}

async fn run() -> Result<u64, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(cart).start().await?;
    // Whichever comes first starts the cart, in one step with its signal; the other finds it open.
    let apple = Item { name: "apple".to_owned(), cents: 50 };
    engine.start(cart, "cart-1", ()).with_signal(ADD, &apple).await?;
    let handle = engine.start(cart, "cart-1", ()).with_signal(ADD, &apple).await?;
    // By name, from a program that knows no better: it is set aside, which the run's history shows.
    handle.signal("add", "a pear").await?;
    handle.signal(ADD, &Item { name: "plum".to_owned(), cents: 70 }).await?;
    handle.signal(CHECK_OUT, &()).await?;
    let cents = handle.result().await?;
    engine.shutdown().await;
    Ok(cents)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("to pay: {} cents", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn every_item_counts_and_nothing_else() {
        assert_eq!(super::run().await.unwrap(), 170);
    }
}
