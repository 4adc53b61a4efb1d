//! The explorer: all orders, each once, the shortest script first.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::future::join_all;
use retell::prelude::*;
use retell_tester::Explorer;

#[retell::activity]
async fn work(_cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

#[retell::workflow]
async fn six_at_once(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let order = Mutex::new(Vec::new());
    let one = async |number: u32| {
        let number = cx.activity(work, &number).await?;
        order.lock().unwrap().push(number);
        Ok::<_, WorkflowError>(())
    };
    join_all((1..=6).map(one)).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(order.into_inner().unwrap())
}

#[test]
fn all_orders_of_six_events_are_seen_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = seen.clone();
    let began = Instant::now();
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(six_at_once);
        tester.fake(work).answers(Ok);
        tester.start(six_at_once, "six", ());
        tester
    })
    .always("all six are done", move |ending| {
        let order = ending.result(six_at_once, "six").unwrap().unwrap();
        all.lock().unwrap().push(order.clone());
        order.len() == 6
    })
    .run();
    println!("{explored} took {:?}", began.elapsed());
    let seen = seen.lock().unwrap();
    assert_eq!((explored.complete(), explored.schedules), (true, 720));
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 720);
}

#[retell::workflow]
async fn loses_a_signal(cx: WorkflowContext) -> WorkflowResult<u32> {
    // The planted bug: what comes while the activity runs is taken for what comes after it.
    let mut total = cx.signal::<u32>("add").await?;
    total += retell::select! {
        done = cx.activity(work, &1) => done?,
        more = cx.signal::<u32>("add") => more?,
    };
    Ok(total)
}

fn lost_signal() -> Explorer {
    Explorer::new(|tester| {
        let tester = tester.workflow(loses_a_signal);
        tester.fake(work).returns(1);
        tester.start(loses_a_signal, "sum", ());
        tester
    })
    .signal("sum", "add", &10)
    .signal("sum", "add", &20)
    .always("all that was accepted is added", |ending| {
        let added = [("sum: signal add", 10), ("sum: signal add (2)", 20)]
            .into_iter()
            .filter(|(action, _)| ending.accepted(action))
            .map(|(_, value)| value)
            .sum::<u32>();
        ending.result(loses_a_signal, "sum").unwrap().unwrap() >= added
    })
}

#[test]
fn a_lost_signal_is_found_with_the_shortest_script() {
    let violation = lost_signal().crashes(1).try_run().unwrap_err();
    println!("{violation}");
    assert_eq!(violation.what, "all that was accepted is added");
}
