//! Acting from outside: at times, after events, and on the worker itself.

use std::time::Duration;

use retell::client::{IdConflict, ResultError, SendError};
use retell::history::EventKind;
use retell::prelude::*;
use retell::vocabulary::RequestId;
use retell_tester::Tester;

#[retell::activity]
async fn note(_cx: ActivityContext, what: String) -> Result<String, ActivityError> {
    Ok(what)
}

#[retell::workflow]
async fn approval(cx: WorkflowContext) -> WorkflowResult<String> {
    cx.activity(note, &"asked".to_owned()).await?;
    let decision = retell::select! {
        decision = cx.signal::<String>("decision") => decision?,
        timer = cx.sleep(Duration::from_secs(3_600)) => { timer?; "late".to_owned() }
    };
    Ok(cx.activity(note, &decision).await?)
}

fn tester() -> Tester {
    Tester::new().workflow(approval).activity(note)
}

#[test]
fn signals_come_at_their_times() {
    let tester = tester();
    for (id, minutes, wanted) in [("early", 59, "yes"), ("late", 61, "late")] {
        let run = tester.start(approval, id, ());
        let signalled = run.clone();
        tester.after(Duration::from_secs(60 * minutes), move |_| {
            // Too late, the run has closed.
            let _ = signalled.signal("decision", "yes");
        });
        assert_eq!(run.result().unwrap(), wanted);
    }
}

#[test]
fn actions_follow_events_and_conditions() {
    let tester = tester();
    let run = tester.start(approval, "event", ());
    let (watched, signalled) = (run.clone(), run.clone());
    tester.when(
        move |_| watched.has_event(|kind| matches!(kind, EventKind::TimerStarted(_))),
        move |tester| {
            signalled.signal("decision", "at once").unwrap();
            tester.crash();
        },
    );
    assert_eq!(run.result().unwrap(), "at once");
    run.wait_for(|kind| matches!(kind, EventKind::TimerCancelled(_)));
}

#[test]
fn a_run_may_be_cancelled_or_terminated() {
    let tester = tester();
    let run = tester.start(approval, "cancelled", ());
    run.cancel("no more").unwrap();
    assert!(matches!(run.result(), Err(ResultError::Cancelled)));
    assert!(matches!(run.signal("decision", "late"), Err(SendError::Closed(_))));
    let run = tester.start(approval, "terminated", ());
    run.terminate("enough").unwrap();
    assert!(matches!(run.result(), Err(ResultError::Terminated(reason)) if &*reason == "enough"));
}

#[test]
fn a_signal_under_one_request_id_counts_once() {
    let tester = tester();
    let run = tester.start(approval, "once", ());
    let request = RequestId::from_key("once");
    run.signal_with("decision", "yes", request).unwrap();
    run.signal_with("decision", "yes", request).unwrap();
    run.result().unwrap();
    let signals = run.history().iter().filter(|event| event.kind.name() == "SignalReceived").count();
    assert_eq!(signals, 1);
}

#[test]
fn a_worker_may_die_before_and_after_each_commit() {
    for (after, commits) in [false, true].into_iter().flat_map(|after| (0..8).map(move |n| (after, n))) {
        let tester = tester();
        if after {
            tester.crash_after_commit(commits + 1);
        } else {
            tester.crash_before_commit(commits);
        }
        let run = tester.start(approval, "crash", ());
        run.signal("decision", "yes").unwrap();
        assert_eq!(run.result().unwrap(), "yes", "after: {after}, {commits} commits");
        let completed = run.history().iter().filter(|event| event.kind.name() == "ActivityCompleted").count();
        assert_eq!(completed, 2);
    }
}

#[test]
fn nothing_runs_while_there_is_no_worker() {
    let tester = tester();
    let run = tester.start(approval, "stopped", ());
    tester.stop_worker();
    run.signal("decision", "yes").unwrap();
    tester.advance(Duration::from_secs(7_200));
    assert_eq!(run.closed(), None);
    tester.start_worker();
    assert_eq!(run.result().unwrap(), "yes");
}

#[test]
fn an_open_id_is_dealt_with_as_the_caller_says() {
    let tester = tester();
    let run = tester.start(approval, "id", ());
    assert!(tester.start_with(approval, "id", (), |call| call).is_err());
    let same =
        tester.start_with(approval, "id", (), |call| call.id_conflict(IdConflict::UseExisting)).unwrap();
    assert_eq!(same.key(), run.key());
}

#[retell::workflow]
async fn counts(cx: WorkflowContext, left: u32) -> WorkflowResult<u32> {
    let more: u32 = cx.signal("more").await?;
    if left > 0 { cx.continue_as_new(counts, &(left - 1)) } else { Ok(more) }
}

#[test]
fn a_result_follows_runs_that_continue_as_new() {
    let tester = Tester::new().workflow(counts);
    let run = tester.start(counts, "chain", 3);
    (0..4_u32).for_each(|number| run.signal("more", &number).unwrap());
    assert_eq!(run.result().unwrap(), 3);
    assert_eq!(run.histories().len(), 4);
}
