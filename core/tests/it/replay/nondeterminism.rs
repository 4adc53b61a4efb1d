//! Code and history that disagree, each found at its event, with both sides and the place.

use std::collections::HashMap;

use futures::future::join;
use retell::history::Event;
use retell::replay::{Nondeterminism, TaskError};
use retell::vocabulary::{EventId, RetryPolicy, TaskQueue};
use retell::workflow::Workflow;
use retell::write::TaskFailureKind;

use super::kit::*;

workflow!(Original, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    cx.sleep(seconds(60)).await?;
    cx.activity(Bill, &"b".to_owned()).await?;
    Ok("end".to_owned())
});

/// A history of `Original` that is complete.
fn original() -> Run {
    let mut run = Run::start::<Original>(&());
    run.complete(2, "").fire().complete(6, "");
    assert_eq!(run.told().last().unwrap(), "WorkflowCompleted");
    run.replays_as::<Original>();
    run
}

fn mismatch<W: Workflow>(run: &Run) -> Nondeterminism {
    let error = run.replay_as::<W>().map(drop).unwrap_err();
    assert_eq!(error.kind(), TaskFailureKind::Nondeterminism);
    match error {
        TaskError::Nondeterminism(mismatch) => *mismatch,
        other => panic!("{other}"),
    }
}

/// Replays the history of `Original` as `W`: it parts at this event, and says so of both sides.
fn check<W: Workflow>(event: u64, expected: &str, actual: &str) {
    let found = mismatch::<W>(&original());
    assert_eq!(found.event_id, EventId(event), "{found}");
    assert!(found.expected.starts_with(expected), "{found}");
    assert!(found.actual.starts_with(actual), "{found}");
    let place = found.place.as_ref().expect("each side has a place").to_string();
    assert!(place.starts_with("tests/it/replay/nondeterminism.rs:"), "{found}");
    assert!(found.to_string().contains(&place), "{found}");
}

#[test]
fn a_changed_input_is_found() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"changed".to_owned()).await?));
    check::<W>(2, "ActivityScheduled \"Ship\" with 2 bytes", "ScheduleActivity \"Ship\" with 8 bytes");
}

#[test]
fn a_changed_name_is_found() {
    workflow!(W, |cx| Ok(cx.activity(Charge, &"a".to_owned()).await?));
    check::<W>(2, "ActivityScheduled \"Ship\"", "ScheduleActivity \"Charge\"");
}

#[test]
fn a_changed_sleep_is_found() {
    workflow!(W, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        cx.sleep(seconds(61)).await?;
        Ok(String::new())
    });
    check::<W>(4, "TimerStarted due 2023-11-14T22:14:20", "StartTimer due 2023-11-14T22:14:21");
}

#[test]
fn an_added_activity_is_found() {
    workflow!(Alone, |cx| {
        cx.activity(Charge, &"new".to_owned()).detach()?;
        Ok(cx.activity(Ship, &"a".to_owned()).await?)
    });
    check::<Alone>(2, "ActivityScheduled \"Ship\"", "ScheduleActivity \"Charge\"");

    workflow!(Beside, |cx| {
        let calls = join(cx.activity(Ship, &"a".to_owned()), cx.activity(Charge, &"new".to_owned()));
        Ok(calls.await.0?)
    });
    check::<Beside>(3, "ActivityCompleted of event 2", "ScheduleActivity \"Charge\"");
}

#[test]
fn a_removed_activity_is_found() {
    workflow!(W, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        cx.sleep(seconds(60)).await?;
        Ok("end".to_owned())
    });
    let found = mismatch::<W>(&original());
    assert_eq!(found.event_id, EventId(6));
    assert!(found.expected.starts_with("ActivityScheduled \"Bill\""), "{found}");
    assert_eq!(found.actual, "CompleteWorkflow");
}

#[test]
fn a_call_that_is_missing_while_others_are_awaited_is_found_with_the_old_place() {
    workflow!(W, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        Ok(cx.signal::<String>("instead").await?)
    });
    check::<W>(4, "TimerStarted due", "nothing more");
}

#[test]
fn reordered_calls_are_found() {
    workflow!(Both, |cx| {
        let calls = join(cx.activity(Ship, &"a".to_owned()), cx.activity(Bill, &"a".to_owned()));
        Ok(calls.await.0?)
    });
    workflow!(Swapped, |cx| {
        let calls = join(cx.activity(Bill, &"a".to_owned()), cx.activity(Ship, &"a".to_owned()));
        Ok(calls.await.0?)
    });
    let run = Run::start::<Both>(&());
    assert_eq!(mismatch::<Swapped>(&run).event_id, EventId(2));
}

#[test]
fn the_order_of_a_hash_map_is_found_as_what_it_is() {
    workflow!(W, |cx| {
        let names: HashMap<u32, ()> = (0..64).map(|n| (n, ())).collect();
        let input = names.keys().map(u32::to_string).collect::<Vec<_>>().join(",");
        Ok(cx.activity(Ship, &input).await?)
    });
    let found = mismatch::<W>(&Run::start::<W>(&()));
    assert_eq!(found.event_id, EventId(2));
    assert!(found.hint.contains("HashMap"), "{found}");
}

#[test]
fn code_that_asks_for_more_than_history_holds_at_its_end_is_found() {
    workflow!(Less, |cx| {
        cx.sleep(seconds(1)).await?;
        Ok(cx.activity(Ship, &"a".to_owned()).await?)
    });
    workflow!(More, |cx| {
        cx.sleep(seconds(1)).await?;
        cx.activity(Bill, &"new".to_owned()).detach()?;
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    workflow!(Shorter, |cx| {
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    let mut run = Run::start::<Less>(&());
    run.fire();
    let missing = run.events.pop().unwrap();
    for (found, actual) in [
        (mismatch::<More>(&run), "ScheduleActivity \"Bill\""),
        (mismatch::<Shorter>(&run), "CompleteWorkflow"),
    ] {
        assert_eq!((found.event_id, &*found.expected), (missing.id, "the end of the history"));
        assert!(found.actual.starts_with(actual), "{found}");
    }
}

#[test]
fn code_that_ends_before_its_history_does_parts_at_the_first_event_after_its_end() {
    workflow!(Waiting, |cx| Ok(cx.signal::<String>("go").await? + &cx.signal::<String>("go").await?));
    workflow!(Ending, |cx| Ok(cx.signal::<String>("go").await?));
    let mut run = Run::start::<Waiting>(&());
    run.signal("go", "1").signal("x", "passes by");
    let found = mismatch::<Ending>(&run);
    assert_eq!(found.event_id, EventId(3));
    assert_eq!((&*found.expected, &*found.actual), ("SignalReceived \"x\"", "CompleteWorkflow"));
}

#[test]
fn another_way_to_end_is_found() {
    workflow!(Failing, |_cx| Err(retell::workflow::WorkflowError::new("no")));
    workflow!(Completing, |_cx| Ok("yes".to_owned()));
    let found = mismatch::<Completing>(&Run::start::<Failing>(&()));
    assert_eq!((&*found.expected, &*found.actual), ("WorkflowFailed (no)", "CompleteWorkflow"));
}

#[test]
fn options_queue_place_and_what_the_run_returned_may_change() {
    workflow!(W, |cx| {
        let call = cx.activity(Ship, &"a".to_owned()).retry(RetryPolicy::never());
        call.start_to_close(seconds(1)).task_queue(TaskQueue::new("other").unwrap()).await?;
        cx.sleep(seconds(60)).await?;
        cx.activity(Bill, &"b".to_owned()).await?;
        Ok("another end".to_owned())
    });
    original().replays_as::<W>();
}

#[test]
fn an_open_activity_keeps_the_options_that_history_holds() {
    workflow!(Old, |cx| Ok(cx.activity(Ship, &"a".to_owned()).retry(RetryPolicy::never()).await?));
    workflow!(New, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let machine = Run::start::<Old>(&()).replays_as::<New>();
    assert_eq!(machine.open_activities()[0].1.retry, RetryPolicy::never());
}

#[test]
fn a_failed_machine_stays_failed() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"changed".to_owned()).await?));
    let run = original();
    let mut machine = machine::<W>(retell::replay::MachineOptions::default());
    let error = machine.replay(run.events.clone()).unwrap_err();
    assert_eq!(machine.replay(Vec::<Event>::new()).unwrap_err(), error);
    assert_eq!(machine.replayed().unwrap_err(), error);
    assert_eq!(machine.check().unwrap_err(), error);
}
