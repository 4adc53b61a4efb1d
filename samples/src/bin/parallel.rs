//! Parallel branches: `join!` for a few of different kinds, `join_all` for as many as there are.

use std::error::Error;

use futures::future::join_all;
use retell::prelude::*;
use retell_memory::Memory;

#[retell::activity]
async fn square(_cx: ActivityContext, number: u64) -> Result<u64, ActivityError> {
    Ok(number * number)
}

#[retell::activity]
async fn title(_cx: ActivityContext, count: u64) -> Result<String, ActivityError> {
    Ok(format!("the squares of 1 to {count} add up to"))
}

/// All activities are scheduled in one commit; their outcomes are fed back in the order of history.
#[retell::workflow]
async fn squares(cx: WorkflowContext, count: u64) -> WorkflowResult<String> {
    let numbers: Vec<_> = (1..=count).collect();
    let all = join_all(numbers.iter().map(|number| cx.activity(square, number)));
    let (parts, text) = retell::join!(all, cx.activity(title, &count));
    let sum: u64 = parts.into_iter().sum::<Result<_, _>>()?;
    Ok(format!("{} {sum}", text?))
}

async fn run(count: u64) -> Result<String, Box<dyn Error>> {
    let engine =
        Orchestrator::new(Memory::new()).workflow(squares).activity(square).activity(title).start().await?;
    let text = engine.start(squares, "squares-1", count).await?.result().await?;
    engine.shutdown().await;
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run(100).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use retell_tester::{Explorer, Tester};

    use super::*;

    /// Hours of virtual time take no time, and tell what ran side by side.
    #[test]
    fn all_branches_together_take_as_long_as_one() {
        let hour = Duration::from_secs(3_600);
        let tester = Tester::new().workflow(squares).activity(title);
        tester.fake(square).times(100).takes(hour).answers(|number| Ok(number * number));
        let began = tester.now();
        let text = tester.start(squares, "squares-1", 100).result().unwrap();
        assert_eq!(text, "the squares of 1 to 100 add up to 338350");
        assert_eq!(tester.now(), began + hour);
    }

    /// Four calls end in 24 orders.
    #[test]
    fn the_order_in_which_branches_end_does_not_matter() {
        let explored = Explorer::new(|tester| {
            let tester = tester.workflow(squares).activity(square).activity(title);
            tester.start(squares, "squares-1", 3);
            tester
        })
        .always("the sum is the same", |ending| {
            let text = ending.result(squares, "squares-1").unwrap().unwrap();
            text == "the squares of 1 to 3 add up to 14"
        })
        .run();
        assert_eq!((explored.complete(), explored.schedules), (true, 24));
    }
}
