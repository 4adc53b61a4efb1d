//! Runs that are found by typed attributes, and show a memo beside.

use std::error::Error;

use retell::prelude::*;
use retell::vocabulary::SearchKey;
use retell_memory::Memory;

const CUSTOMER: SearchKey<String> = SearchKey::new("customer");
const CENTS: SearchKey<i64> = SearchKey::new("cents");

#[retell::workflow]
async fn cart(cx: WorkflowContext) -> WorkflowResult<i64> {
    let mut sum = 0;
    for number in 1.. {
        let Some(cents) = cx.signal::<Option<i64>>("add").await? else { break };
        sum += cents;
        cx.upsert_attribute(CENTS, sum);
        cx.upsert_memo("items", &number)?;
    }
    Ok(sum)
}

async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).workflow(cart).start().await?;
    let client = engine.client();
    for (customer, prices) in [("anna", &[500, 700][..]), ("bert", &[90]), ("cleo", &[1_200])] {
        let run = client.start(cart, customer, ()).attribute(CUSTOMER, customer).await?;
        for cents in prices {
            run.signal("add", &Some(cents)).await?;
        }
        run.signal("add", &None::<i64>).await?;
        run.result().await?;
    }
    let mut found = Vec::new();
    for run in client.runs().workflow(cart).attribute(CENTS.at_least(1_000)).await?.runs {
        let items: Option<u32> = client.memo(&run, "items")?;
        let customer = run.attribute(CUSTOMER).unwrap_or_default();
        found.push(format!("{customer}: {} items", items.unwrap_or_default()));
    }
    engine.shutdown().await;
    Ok(found)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{:?}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn large_carts_are_found() {
        assert_eq!(super::run().await.unwrap(), ["cleo: 1 items", "anna: 2 items"]);
    }
}
