//! Histories that are not what they should be.

use std::sync::Arc;

use retell::history::{ActivityCompleted, EventKind, TimerFired};
use retell::replay::{HistoryFault, MachineOptions, TaskError};
use retell::vocabulary::{Attempt, EventId, SemanticsVersion, Timestamp};
use retell::write::TaskFailureKind;

use super::kit::*;

workflow!(W, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    Ok(cx.activity(Ship, &"b".to_owned()).await?)
});

/// A history of four events: started, scheduled, completed, scheduled.
fn history() -> Run {
    let mut run = Run::start::<W>(&());
    run.complete(2, "");
    run
}

fn fault(run: &Run) -> HistoryFault {
    let error = run.replay_as::<W>().map(drop).unwrap_err();
    assert_eq!(error.kind(), TaskFailureKind::History);
    match error {
        TaskError::History(fault) => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_gap_is_found() {
    let mut run = history();
    run.events.remove(1);
    assert_eq!(fault(&run), HistoryFault::Gap { expected: EventId(2), found: EventId(3) });
}

#[test]
fn a_doubled_event_is_found() {
    let mut run = history();
    run.events.insert(2, run.events[1].clone());
    assert_eq!(fault(&run), HistoryFault::Gap { expected: EventId(3), found: EventId(2) });
}

#[test]
fn time_that_goes_back_is_found() {
    let mut run = history();
    run.events[2].at = Timestamp::EPOCH;
    assert_eq!(fault(&run), HistoryFault::TimeGoesBack(EventId(3)));
}

#[test]
fn a_start_in_the_middle_and_a_history_without_one_are_found() {
    let mut twice = history();
    twice.events[2].kind = twice.events[0].kind.clone();
    assert_eq!(fault(&twice), HistoryFault::Misplaced(EventId(3)));
    let mut without = history();
    without.events[0].kind = without.cancel_event();
    assert_eq!(fault(&without), HistoryFault::Misplaced(EventId(1)));
}

#[test]
fn an_outcome_of_nothing_is_found() {
    let mut later = history();
    later.events[2].kind =
        ActivityCompleted { scheduled: EventId(9), attempt: Attempt(1), result: payload("") }.into();
    assert_eq!(fault(&later), HistoryFault::OutcomeOfNothing { event_id: EventId(3), of: EventId(9) });
    let mut other_kind = history();
    other_kind.events[2].kind = TimerFired { started: EventId(2) }.into();
    assert_eq!(fault(&other_kind), HistoryFault::OutcomeOfNothing { event_id: EventId(3), of: EventId(2) });
}

#[test]
fn an_event_after_the_end_is_found_stored_and_live() {
    let mut run = history();
    run.complete(4, "end");
    let signal = run.signal_event("x", "y");
    assert_eq!(run.try_take_in(signal.clone()).unwrap_err(), HistoryFault::AfterClose(EventId(7)).into());
    let mut event = run.events[5].clone();
    (event.id, event.kind) = (EventId(7), signal);
    run.events.push(event);
    assert_eq!(fault(&run), HistoryFault::AfterClose(EventId(7)));
}

#[test]
fn newer_semantics_are_left_to_newer_workers() {
    let newer = SemanticsVersion(SemanticsVersion::CURRENT.0 + 1);
    let mut run = history();
    let EventKind::WorkflowStarted(body) = &mut run.events[0].kind else { panic!("event 1") };
    Arc::make_mut(body).semantics = newer;
    let live = run.events[0].kind.clone();
    assert_eq!(fault(&run), HistoryFault::NewerSemantics(newer));
    let mut machine = machine::<W>(MachineOptions::default());
    assert!(machine.take_in(START, live, &mut Vec::new()).is_err());
}

#[test]
fn a_run_of_another_workflow_is_refused() {
    workflow!(Other, |_cx| Ok(String::new()));
    let mut run = history();
    let EventKind::WorkflowStarted(body) = &mut run.events[0].kind else { panic!("event 1") };
    Arc::make_mut(body).workflow.version = retell::vocabulary::WorkflowVersion(2);
    assert!(matches!(fault(&run), HistoryFault::OtherWorkflow { .. }));
    assert!(Run::start::<Other>(&()).machine.is_closed());
}

#[test]
fn a_command_is_no_message() {
    let mut run = history();
    let command = run.events[1].kind.clone();
    assert_eq!(run.try_take_in(command).unwrap_err(), HistoryFault::Misplaced(EventId(5)).into());
    assert_eq!(run.events.len(), 4);
}

#[test]
fn an_input_that_does_not_decode_names_event_1() {
    workflow!(Number, |_cx, input: u64| -> u64 { Ok(input) });
    let mut machine = machine::<Number>(MachineOptions::default());
    let error = machine.take_in(START, started::<W>(&()), &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), TaskFailureKind::Undecodable);
    assert!(error.to_string().contains("event 1"), "{error}");
}

#[test]
fn an_outcome_that_comes_twice_changes_nothing() {
    let mut run = history();
    run.complete(2, "again").complete(4, "end");
    assert_eq!(run.result(), "end");
    run.replays_as::<W>();
}
