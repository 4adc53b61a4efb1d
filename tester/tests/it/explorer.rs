//! The explorer: all orders, each once, the shortest script first.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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

#[test]
fn a_script_leads_there_again() {
    let script = ["sum: signal add", "sum: work#1 ends, overtaken by sum: signal add (2)"];
    assert_eq!(lost_signal().try_run().unwrap_err().script, script);
    let violation = lost_signal().try_follow(&script).unwrap_err();
    assert_eq!(violation.what, "all that was accepted is added");
    lost_signal().follow(&["sum: signal add", "sum: work#1 ends"]);
    lost_signal().follow(&["no such step", "sum: signal add"]);
}

#[retell::workflow]
async fn two_steps(cx: WorkflowContext) -> WorkflowResult<u32> {
    let policy = RetryPolicy::fixed(Duration::from_secs(1)).attempts(3);
    let first = cx.activity(work, &1).retry(policy).await?;
    Ok(first + cx.activity(work, &2).await?)
}

fn two_steps_explored() -> Explorer {
    Explorer::new(|tester| {
        let tester = tester.workflow(two_steps).activity(work);
        tester.start(two_steps, "steps", ());
        tester
    })
}

/// How often the activity's body ran in each schedule, sorted.
fn bodies(explorer: Explorer) -> Vec<usize> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = seen.clone();
    let explored = explorer
        .always("the result is the same", move |ending| {
            all.lock().unwrap().push(ending.calls().len());
            ending.result(two_steps, "steps").is_some_and(|result| result.is_ok_and(|sum| sum == 3))
        })
        .run();
    assert!(explored.complete());
    let mut bodies = seen.lock().unwrap().clone();
    bodies.sort_unstable();
    bodies
}

#[test]
fn what_may_die_fail_or_come_twice_is_allowed_by_name() {
    assert_eq!(bodies(two_steps_explored()), [2]);
    // Each of the four attempts may fail, one of them in all; the retry waits until time has passed.
    assert_eq!(bodies(two_steps_explored().failures(1)), [2, 3, 3]);
    // Dead while the first or the second runs: the body runs again. Dead unheard of the first's end, or of the
    // second's schedule: the second runs twice; unheard of the end: nothing is to be done any more.
    assert_eq!(bodies(two_steps_explored().crashes(1)), [2, 2, 2, 3, 3]);
}

#[retell::workflow]
async fn takes_two_signals(cx: WorkflowContext) -> WorkflowResult<[u32; 2]> {
    Ok([cx.signal("number").await?, cx.signal("number").await?])
}

#[test]
fn a_message_that_is_delivered_again_counts_once() {
    let explorer = Explorer::new(|tester| {
        let tester = tester.workflow(takes_two_signals);
        tester.start(takes_two_signals, "twice", ());
        tester
    })
    .signal("twice", "number", &1)
    .signal("twice", "number", &2)
    .duplicates(2)
    .always("each counts once", |ending| {
        let numbers = ending.result(takes_two_signals, "twice").unwrap().unwrap();
        numbers == [1, 2] || numbers == [2, 1]
    });
    let explored = explorer.run();
    assert!(explored.complete() && explored.schedules > 4, "{explored}");
}

#[retell::workflow]
async fn one_of_two(cx: WorkflowContext) -> WorkflowResult<()> {
    retell::join!(cx.activity(work, &1), cx.activity(work, &2)).0?;
    Ok(())
}

#[test]
fn what_concerns_different_runs_is_tried_in_one_order() {
    let explorer = || {
        Explorer::new(|tester| {
            let tester = tester.workflow(one_of_two).activity(work);
            tester.start(one_of_two, "left", ());
            tester.start(one_of_two, "right", ());
            tester
        })
    };
    // Each run has two orders; four events of two runs have 24.
    assert_eq!(explorer().all_orders().run().schedules, 24);
    let reduced = explorer().run().schedules;
    assert!((4..24).contains(&reduced), "{reduced}");
}

#[retell::workflow]
async fn waits_for_ever(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.signal::<()>("go").await?;
    Ok(())
}

#[test]
fn a_run_that_stays_open_is_told() {
    let explorer = || {
        Explorer::new(|tester| {
            let tester = tester.workflow(waits_for_ever);
            tester.start(waits_for_ever, "waits", ());
            tester
        })
    };
    let violation = explorer().try_run().unwrap_err();
    assert_eq!(violation.what, "every run comes to an end");
    assert!(violation.detail.contains("for a signal, perhaps, that nobody sends"), "{violation}");
    assert_eq!(explorer().may_stay_open().run().schedules, 1);
    assert_eq!(explorer().signal("waits", "go", &()).run().schedules, 1);
}

#[retell::workflow]
async fn fails_when_five_comes_last(cx: WorkflowContext) -> WorkflowResult<u32> {
    let last = Mutex::new(0);
    let one = async |number: u32| {
        let number = cx.activity(work, &number).await?;
        *last.lock().unwrap() = number;
        Ok::<_, WorkflowError>(())
    };
    join_all((1..=9).map(one)).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(last.into_inner().unwrap())
}

#[test]
fn what_is_beyond_the_limit_is_sampled_and_shrunk() {
    let violation = Explorer::new(|tester| {
        let tester = tester.workflow(fails_when_five_comes_last);
        tester.fake(work).answers(Ok);
        tester.start(fails_when_five_comes_last, "nine", ());
        tester
    })
    .schedules_max(1, 200)
    .seed(7)
    .always("five does not come last", |ending| {
        ending.result(fails_when_five_comes_last, "nine").unwrap().unwrap() != 5
    })
    .try_run()
    .unwrap_err();
    assert_eq!((violation.what.as_str(), violation.seed), ("five does not come last", Some(7)));
    // Four end by default, then five is passed over once in a row of four.
    let passed_over = violation.script.iter().filter(|step| !step.contains("work#5")).count();
    assert_eq!(passed_over, violation.script.len(), "{violation}");
    assert_eq!(violation.script.len(), 8, "{violation}");
}

#[retell::workflow]
async fn one_number_a_run(cx: WorkflowContext, left: u32) -> WorkflowResult<u32> {
    let number = cx.signal::<u32>("number").await?;
    cx.activity(work, &number).await?;
    if left > 0 { cx.continue_as_new(one_number_a_run, &(left - 1)) } else { Ok(number) }
}

#[test]
fn what_is_carried_over_unread_is_in_two_histories() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(one_number_a_run).activity(work);
        tester.start(one_number_a_run, "chain", 1);
        tester
    })
    .signal("chain", "number", &1)
    .signal("chain", "number", &2)
    .always("each number is worked on", |ending| ending.calls().len() == 2)
    .run();
    assert!(explored.complete(), "{explored}");
}
