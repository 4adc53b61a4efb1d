//! Policies of a call: how its waits are spread, what is worth another try, how long the whole of it may take.

use std::error::Error;
use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::{FailurePredicate, TaskQueue, TimeoutKind};
use retell::workflow::CallError;
use retell_memory::Memory;

/// Orders goods from a shop that is slow to answer the first time.
#[retell::activity]
async fn order(cx: ActivityContext, goods: String) -> Result<String, ActivityError> {
    match (&*goods, cx.attempt().0) {
        // Whoever is asked knows best when to come again: this goes before the policy's interval.
        (_, 1) => Err(ActivityError::new("Busy", "later").retry_after(Duration::from_millis(5))),
        ("unicorn", _) => Err(ActivityError::new("SoldOut", "there are no unicorns")),
        // The same in all attempts: a shop that has seen it delivers once, however often it is asked.
        _ => Ok(format!("{goods}, ordered under {}", cx.idempotency_key())),
    }
}

#[retell::workflow]
async fn shop(cx: WorkflowContext, goods: String) -> WorkflowResult<String> {
    let policy = RetryPolicy::fixed(Duration::from_secs(10))
        // Each wait is up to half shorter: a thousand runs that failed together do not come back together.
        .jitter(0.5)
        .retry_if(FailurePredicate::error_type("Busy"));
    match cx.activity(order, &goods).retry(policy).schedule_to_close(Duration::from_secs(3_600)).await {
        Err(CallError::Failed(failure)) => Ok(match failure.timeout_kind() {
            Some(TimeoutKind::ScheduleToClose) => "no answer within the hour".to_owned(),
            _ => failure.to_string(),
        }),
        ordered => Ok(ordered?),
    }
}

/// Asks a market whose workers may all be away.
#[retell::workflow]
async fn ask_market(cx: WorkflowContext, goods: String) -> WorkflowResult<String> {
    let asked = cx.activity(order, &goods).task_queue(TaskQueue::new("market")?);
    // How long it may wait in its queue; what has begun may last.
    match asked.schedule_to_start(Duration::from_millis(20)).await {
        Err(CallError::Failed(failure)) if failure.timeout_kind() == Some(TimeoutKind::ScheduleToStart) => {
            Ok("nobody serves the market".to_owned())
        }
        ordered => Ok(ordered?),
    }
}

async fn run() -> Result<[String; 3], Box<dyn Error>> {
    let engine =
        Orchestrator::new(Memory::new()).workflow(shop).workflow(ask_market).activity(order).start().await?;
    let lamp = engine.start(shop, "lamp", "lamp".to_owned()).await?;
    let unicorn = engine.start(shop, "unicorn", "unicorn".to_owned()).await?;
    let fish = engine.start(ask_market, "fish", "fish".to_owned()).await?;
    let told = [lamp.result().await?, unicorn.result().await?, fish.result().await?];
    engine.shutdown().await;
    Ok(told)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell_tester::Tester;

    use super::*;

    #[tokio::test]
    async fn each_call_ends_as_its_policy_says() {
        let [lamp, unicorn, market] = run().await.unwrap();
        assert!(lamp.starts_with("lamp, ordered under "), "{lamp}");
        assert_eq!(unicorn, "there are no unicorns");
        assert_eq!(market, "nobody serves the market");
    }

    /// The first wait is the error's own; then the policy's, somewhat shorter.
    #[test]
    fn waits_are_chosen_by_the_error_or_spread() {
        let tester = Tester::new().workflow(shop);
        let busy = || Err(ActivityError::new("Busy", "later"));
        let hint = Err(ActivityError::new("Busy", "later").retry_after(Duration::from_secs(90)));
        tester.fake(order).in_turn([hint, busy(), busy(), Ok("lamp".to_owned())]);
        tester.start(shop, "lamp", "lamp".to_owned()).result().unwrap();
        let at: Vec<_> = tester.calls().iter().map(|call| call.at).collect();
        let waits: Vec<_> = at.windows(2).map(|pair| pair[1].since(pair[0]).as_secs_f64()).collect();
        assert_eq!(waits[0], 90.0);
        assert!(
            waits[1..].iter().all(|wait| (5.0..=10.0).contains(wait)) && waits[1] != waits[2],
            "{waits:?}"
        );
    }

    #[test]
    fn the_whole_call_ends_after_an_hour() {
        let tester = Tester::new().workflow(shop);
        let began = tester.now();
        tester.fake(order).times(1).never_returns();
        let told = tester.start(shop, "lamp", "lamp".to_owned()).result().unwrap();
        assert_eq!(told, "no answer within the hour");
        assert_eq!(tester.now(), began + Duration::from_secs(3_600));
    }
}
