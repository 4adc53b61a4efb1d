//! Async handlers of signals on the whole engine.

use std::time::Duration;

use retell::prelude::*;
use retell::workflow::SignalType;
use retell_tester::{Explorer, Tester};

const SHIP: SignalType<u32> = SignalType::new("ship");

#[retell::activity]
async fn ship(_cx: ActivityContext, item: u32) -> Result<u32, ActivityError> {
    Ok(item)
}

/// Ships what it is told to until there is nothing to wait for.
#[retell::workflow]
async fn ships(cx: WorkflowContext, signals: u32) -> WorkflowResult<Vec<u32>> {
    let shipped = cx.share((0, Vec::new()));
    shipped.handle_signal_async(SHIP, async |cx, shipped, item| {
        shipped.with(|(begun, _)| *begun += 1);
        let item = cx.activity(ship, &item).await?;
        shipped.with(|(_, shipped)| shipped.push(item));
        Ok(())
    });
    cx.wait_until(&shipped, move |(begun, _)| *begun >= signals).await?;
    cx.handlers_finished().await?;
    Ok(shipped.read(|(_, shipped)| shipped.clone()))
}

#[test]
fn handlers_run_side_by_side_and_go_on_after_a_crash() {
    let tester = Tester::new().workflow(ships);
    for item in 1..=3 {
        let duration = Duration::from_secs(60 / u64::from(item));
        tester.fake(ship).when(move |asked| *asked == item).takes(duration).answers(Ok);
    }
    let run = tester.start(ships, "ships", 3);
    for item in 1..=3 {
        run.signal(SHIP, &item).unwrap();
        tester.crash();
    }
    assert_eq!(run.result().unwrap(), [3, 2, 1]);
}

#[test]
fn in_every_order_each_signal_is_handled_to_its_end_once() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(ships).activity(ship);
        tester.start(ships, "ships", 2);
        tester
    })
    .signal("ships", "ship", &1)
    .signal("ships", "ship", &2)
    .duplicates(1)
    .crashes(1)
    .may_stay_open()
    .always("both were shipped", |ending| match ending.result(ships, "ships") {
        Some(Ok(mut items)) => {
            items.sort_unstable();
            items == [1, 2] && ending.count("ships", "ActivityScheduled") == 2
        }
        Some(Err(_)) => false,
        None => true,
    })
    .run();
    assert!(explored.complete(), "{explored}");
}
