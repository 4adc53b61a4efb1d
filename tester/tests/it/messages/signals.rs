//! Typed signals, streams of them, and signals that start the run that they are for.

use futures::StreamExt;
use retell::history::EventKind;
use retell::prelude::*;
use retell::workflow::SignalType;
use retell_tester::{Explorer, Tester};

const ADD: SignalType<u32> = SignalType::new("add");
const DONE: SignalType<()> = SignalType::new("done");

/// Adds up what comes until it is told that this is all.
#[retell::workflow]
async fn sum(cx: WorkflowContext) -> WorkflowResult<u32> {
    let (mut numbers, mut done) = (cx.signals(ADD), cx.signal(DONE));
    let mut total = 0;
    loop {
        retell::select! {
            number = numbers.next() => total += number.transpose()?.unwrap_or_default(),
            told = &mut done => { told?; break }
        }
    }
    Ok(total + numbers.drain().into_iter().sum::<u32>())
}

#[test]
fn a_stream_takes_all_that_came() {
    let tester = Tester::new().workflow(sum);
    let run = tester.start(sum, "sum", ());
    for number in 1..=100 {
        run.signal(ADD, &number).unwrap();
    }
    run.signal(DONE, &()).unwrap();
    assert_eq!(run.result().unwrap(), 5_050);
}

#[test]
fn what_does_not_decode_is_set_aside_where_it_can_be_seen() {
    let tester = Tester::new().workflow(sum);
    let run = tester.start(sum, "sum", ());
    run.signal("add", "no number").unwrap();
    run.signal(ADD, &1).unwrap();
    tester.crash();
    run.signal(DONE, &()).unwrap();
    assert_eq!(run.result().unwrap(), 1);
    let aside = run.history().into_iter().find_map(|event| match event.kind {
        EventKind::SignalSetAside(aside) => Some(aside),
        _ => None,
    });
    assert!(aside.is_some_and(|aside| aside.signal.as_str() == "add" && aside.reason.contains("u32")));
}

#[test]
fn no_order_loses_a_signal_that_was_accepted_before_the_last() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(sum);
        let run = tester.start(sum, "sum", ());
        run.signal(ADD, &1).unwrap();
        tester
    })
    .signal("sum", "add", "no number")
    .signal("sum", "done", &())
    .crashes(1)
    .duplicates(1)
    .always("the first signal counts", |ending| matches!(ending.result(sum, "sum"), Some(Ok(1))))
    .run();
    assert!(explored.complete());
}

#[test]
fn a_signal_starts_its_run_or_reaches_the_open_one() {
    let tester = Tester::new().workflow(sum);
    for number in 1..=3 {
        tester.start_with(sum, "sum", (), |call| call.with_signal(ADD, &number)).unwrap();
        tester.crash();
    }
    let run = tester.run(sum, "sum");
    run.signal(DONE, &()).unwrap();
    assert_eq!(run.result().unwrap(), 6);
    let next = tester.start_with(sum, "sum", (), |call| call.with_signal(DONE, &())).unwrap();
    assert_eq!(next.result().unwrap(), 0, "a closed run gets nothing");
}
