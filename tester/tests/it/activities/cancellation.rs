//! What a cancel request does to a call: try, wait, abandon.

use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::TaskQueue;
use retell::workflow::{ActivityCancellation, CallError};
use retell_tester::{TestRun, Tester};

const SECOND: Duration = Duration::from_secs(1);

#[retell::activity]
async fn dig(_cx: ActivityContext, metres: u64) -> Result<u64, ActivityError> {
    Ok(metres)
}

#[retell::workflow]
async fn digs(
    cx: WorkflowContext,
    (cancellation, queue): (ActivityCancellation, Option<TaskQueue>),
) -> WorkflowResult<String> {
    let began = cx.now();
    let mut call = cx.activity(dig, &9).cancellation(cancellation);
    if let Some(queue) = queue {
        call = call.task_queue(queue);
    }
    let dug = call.await;
    let seconds = cx.now().since(began).as_secs();
    // As long as any body may last.
    cx.shielded().sleep(100 * SECOND).await?;
    Ok(match dug {
        Ok(metres) => format!("{metres} after {seconds} s"),
        Err(CallError::Cancelled) => format!("cancelled after {seconds} s"),
        Err(error) => return Err(error.into()),
    })
}

/// Starts the workflow, cancels it after 10 s, and tells what it returned and what its history holds of the call.
fn cancelled(
    tester: &Tester,
    how: ActivityCancellation,
    queue: Option<TaskQueue>,
) -> (String, Vec<&'static str>) {
    let run = tester.start(digs, "digs", (how, queue));
    let asked = run.clone();
    tester.after(10 * SECOND, move |_| asked.cancel("the well is deep enough").unwrap());
    (run.result().unwrap(), of_the_call(&run))
}

fn of_the_call(run: &TestRun<digs>) -> Vec<&'static str> {
    let names = run.history().into_iter().map(|event| event.kind.name());
    names.filter(|name| name.starts_with("Activity") && *name != "ActivityScheduled").collect()
}

fn takes_a_minute() -> Tester {
    let tester = Tester::new().workflow(digs);
    tester.fake(dig).takes(60 * SECOND).returns(9);
    tester
}

#[test]
fn a_tried_cancellation_ends_the_call_and_stops_the_body() {
    let tester = takes_a_minute();
    let (text, events) = cancelled(&tester, ActivityCancellation::Try, None);
    assert_eq!((&*text, &*events), ("cancelled after 10 s", &["ActivityCancelled"][..]));
}

#[test]
fn a_call_that_waits_gets_what_its_body_returns() {
    let tester = takes_a_minute();
    let (text, events) = cancelled(&tester, ActivityCancellation::Wait, None);
    assert_eq!((&*text, &*events), ("9 after 60 s", &["ActivityCancelRequested", "ActivityCompleted"][..]));
}

#[test]
fn a_call_that_waits_is_not_tried_again() {
    let tester = Tester::new().workflow(digs);
    tester.fake(dig).takes(20 * SECOND).fails(ActivityError::cancelled());
    let (text, events) = cancelled(&tester, ActivityCancellation::Wait, None);
    assert_eq!(
        (&*text, &*events),
        ("cancelled after 20 s", &["ActivityCancelRequested", "ActivityFailed"][..])
    );
    let tester = Tester::new().workflow(digs);
    tester.fake(dig).takes(20 * SECOND).fails(ActivityError::new("Rock", "too hard"));
    let run = tester.start(digs, "digs", (ActivityCancellation::Wait, None));
    let asked = run.clone();
    tester.after(10 * SECOND, move |_| asked.cancel("the well is deep enough").unwrap());
    assert!(run.result().unwrap_err().to_string().contains("too hard"));
    assert_eq!(tester.calls().count("dig"), 1);
}

#[test]
fn a_call_that_waits_for_nobody_ends_at_once() {
    let tester = Tester::new().workflow(digs).activity(dig);
    let elsewhere = Some(TaskQueue::new("elsewhere").unwrap());
    let (text, events) = cancelled(&tester, ActivityCancellation::Wait, elsewhere);
    assert_eq!(
        (&*text, &*events),
        ("cancelled after 10 s", &["ActivityCancelRequested", "ActivityFailed"][..])
    );
}

#[test]
fn a_call_that_waits_outlives_a_crash() {
    let tester = takes_a_minute();
    tester.after(20 * SECOND, |tester| tester.crash());
    let (text, events) = cancelled(&tester, ActivityCancellation::Wait, None);
    assert_eq!(
        (&*text, &*events),
        ("cancelled after 20 s", &["ActivityCancelRequested", "ActivityFailed"][..])
    );
}

#[test]
fn an_abandoned_body_goes_on_and_its_outcome_is_recorded() {
    for crash in [false, true] {
        let tester = takes_a_minute();
        if crash {
            tester.after(20 * SECOND, |tester| tester.crash());
        }
        let (text, events) = cancelled(&tester, ActivityCancellation::Abandon, None);
        assert_eq!((&*text, &*events), ("cancelled after 10 s", &["ActivityCompleted"][..]));
    }
}

#[retell::workflow]
async fn drops(cx: WorkflowContext, cancellation: ActivityCancellation) -> WorkflowResult<()> {
    retell::select! {
        dug = cx.activity(dig, &9).cancellation(cancellation) => _ = dug?,
        timer = cx.sleep(10 * SECOND) => timer?,
    }
    cx.sleep(100 * SECOND).await?;
    Ok(())
}

#[test]
fn dropping_a_call_lets_go_of_it_only_if_it_is_abandoned() {
    let expected = [
        (ActivityCancellation::Try, "ActivityCancelled"),
        (ActivityCancellation::Wait, "ActivityCancelled"),
        (ActivityCancellation::Abandon, "ActivityCompleted"),
    ];
    for (cancellation, event) in expected {
        let tester = Tester::new().workflow(drops);
        tester.fake(dig).takes(60 * SECOND).returns(9);
        let run = tester.start(drops, "drops", cancellation);
        run.result().unwrap();
        assert!(run.has_event(|kind| kind.name() == event), "{cancellation:?}");
    }
}
