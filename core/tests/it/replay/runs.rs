//! Runs whose time is over, that are paused, or that begin as a copy: replay rests, and passes over, where the run did.

use retell::commit::{Reset, ResetFault, reset, reset_points};
use retell::history::*;
use retell::replay::{MachineOptions, TaskError};
use retell::vocabulary::*;
use retell::workflow::WorkflowError;

use super::kit::*;

// Answers each word with an activity.
workflow!(Answers, |cx| {
    let mut words = Vec::new();
    for _ in 0..3 {
        let word = cx.signal::<String>("word").await?;
        words.push(cx.activity(Ship, &word).await?);
    }
    Ok(words.join(" "))
});

fn request_id() -> RequestId {
    RequestId(uuid::Uuid::from_u128(99))
}

fn pause(run: &mut Run) -> &mut Run {
    run.take_in(WorkflowPaused { request_id: request_id(), reason: "test".into() })
}

fn resume(run: &mut Run) -> &mut Run {
    run.take_in(WorkflowResumed { request_id: request_id() })
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.name()).collect()
}

#[test]
fn what_a_run_was_sent_after_its_time_was_over_is_not_shown_to_its_code_by_replay_either() {
    let mut run = Run::start::<Answers>(&());
    // One is read, the other is not.
    run.signal("word", "one").signal("word", "two");
    run.machine.time_out(run.now, TimeoutKind::Run, &mut run.events).unwrap();
    for word in ["late", "later"] {
        let late = run.signal_event("word", word);
        run.machine.absorb(late, &mut run.events);
    }
    assert_eq!(
        names(&run.events)[3..],
        ["SignalReceived", "SignalReceived", "SignalReceived", "WorkflowTimedOut"]
    );
    let EventKind::WorkflowTimedOut(closing) = &run.events.last().unwrap().kind else { panic!("no end") };
    assert_eq!(closing.absorbed, 2);
    assert_eq!(run.machine.unread().len(), 3);
    let replayed = run.replays_as::<Answers>();
    assert!(replayed.is_closed());
    assert_eq!(replayed.unread().len(), 3);
    let mut whole = machine::<Answers>(MachineOptions::default());
    whole.replay(run.events.clone()).unwrap();
    whole.replayed().unwrap();
}

#[test]
fn messages_that_were_shown_in_a_row_are_shown_in_a_row() {
    let mut run = Run::start::<Answers>(&());
    run.signal("word", "one").signal("word", "two").signal("word", "three").complete(3, "one");
    run.replays_as::<Answers>();
    let mut whole = machine::<Answers>(MachineOptions::default());
    whole.replay(run.events.clone()).unwrap();
    whole.replayed().unwrap();
    assert_eq!(whole.head(), run.machine.head());
}

#[test]
fn what_comes_to_a_paused_run_is_applied_by_the_resumption_in_order() {
    let mut run = Run::start::<Answers>(&());
    run.signal("word", "one");
    pause(&mut run).signal("word", "two").complete(3, "ONE").signal("word", "three");
    let head = run.machine.head();
    assert!(run.machine.is_paused());
    assert!(!run.machine.is_open(EventId(3)), "its outcome is there");
    assert_eq!(run.machine.open_activities(), []);
    assert_eq!(
        names(&run.events)[3..],
        ["WorkflowPaused", "SignalReceived", "ActivityCompleted", "SignalReceived"]
    );
    let paused = run.replays_as::<Answers>();
    assert!(paused.is_paused());
    run.now = run.now + seconds(60);
    resume(&mut run);
    assert_eq!(names(&run.events)[head.0 as usize..], ["WorkflowResumed", "ActivityScheduled"]);
    let second = run.machine.head();
    run.complete(second.0, "TWO");
    let third = run.machine.head();
    run.complete(third.0, "THREE");
    assert_eq!(run.result(), "ONE TWO THREE");
    run.replays_as::<Answers>();
}

#[test]
fn timers_of_a_paused_run_wait_and_fire_after_it() {
    workflow!(Sleeps, |cx| {
        cx.sleep(seconds(5)).await?;
        Ok((cx.now().as_micros() / 1_000_000).to_string())
    });
    let mut run = Run::start::<Sleeps>(&());
    pause(&mut run);
    let later = START + seconds(60);
    assert_eq!((run.machine.next_due(), run.machine.due(later)), (None, None));
    run.now = later;
    resume(&mut run).fire();
    assert_eq!(run.result(), (later.as_micros() / 1_000_000).to_string());
    run.replays_as::<Sleeps>();
}

#[test]
fn code_that_ends_while_what_waited_is_applied_leaves_the_rest_unread() {
    workflow!(Reads, |cx| {
        cx.signal::<String>("word").await?;
        cx.continue_as_new(Reads, &())
    });
    let mut run = Run::start::<Reads>(&());
    pause(&mut run).signal("word", "one").signal("word", "two").cancel();
    resume(&mut run);
    assert!(run.machine.is_closed());
    assert_eq!(run.machine.unread().len(), 2);
    assert_eq!(run.replays_as::<Reads>().unread(), run.machine.unread());
}

#[test]
fn a_failed_run_names_the_run_that_tries_it_again() {
    workflow!(Fails, |_cx| Err(WorkflowError::new("no")));
    let mut first = machine::<Fails>(MachineOptions::default());
    let EventKind::WorkflowStarted(body) = started::<Fails>(&()) else { panic!("no start") };
    let retry = Some(Box::new(RetryPolicy::fixed(seconds(5)).attempts(2)));
    let body = WorkflowStarted { retry, ..WorkflowStarted::clone(&body) };
    let mut events = Vec::new();
    first.take_in(START, body.clone().into(), &mut events).unwrap();
    let EventKind::WorkflowFailed(failed) = &events[1].kind else { panic!("no end") };
    assert!(failed.retried_as.is_some());
    let next = retell::commit::successor(&key(), &events[1].kind, events[1].at, &body);
    let (run, started) = next.unwrap();
    assert_eq!(Some(run.run_id), failed.retried_as);
    assert_eq!((started.attempt, started.begins_at), (Attempt(2), Some(START + seconds(5))));
    let mut second = machine::<Fails>(MachineOptions::default());
    let mut events = Vec::new();
    second.take_in(START, started.into(), &mut events).unwrap();
    let EventKind::WorkflowFailed(failed) = &events[1].kind else { panic!("no end") };
    assert_eq!(failed.retried_as, None, "that was the last");
}

/// What a store would keep of a start, as events.
fn copied(start: &retell::write::Start) -> Vec<Event> {
    let mut first = EventId(1);
    let mut events = Vec::new();
    for record in std::iter::once(&start.record).chain(&start.copied) {
        let stored = Record { first, count: record.count, at: record.at, bytes: record.bytes.clone() };
        first = stored.last().next();
        events.extend(decode_record(&stored, &Plain).unwrap());
    }
    events
}

#[test]
fn a_copy_replays_with_the_first_runs_numbers_and_goes_on_with_its_own() {
    workflow!(Draws, |cx| {
        let mut drawn = Vec::new();
        for _ in 0..2 {
            cx.signal::<String>("word").await?;
            let label = format!("{} {}", cx.run().run_id, cx.random_u64());
            drawn.push(cx.activity(Ship, &label).await?);
        }
        Ok(drawn.join(" "))
    });
    let mut first = Run::start::<Draws>(&());
    first.signal("word", "one").complete(3, "one").signal("word", "two").complete(6, "two");
    assert_eq!(reset_points(&first.events), [1, 3, 4, 6].map(EventId));
    let asked = |to| Reset {
        from: key(),
        to: EventId(to),
        run_id: RunId(uuid::Uuid::from_u128(8)),
        reason: "test".into(),
        request_id: request_id(),
        at: first.now + seconds(1),
    };
    let refused = reset(&asked(5), &first.events, &Plain).unwrap_err();
    assert_eq!(refused, ResetFault::NotAPoint { to: EventId(5), nearest: vec![EventId(4), EventId(6)] });
    let start = reset(&asked(4), &first.events, &Plain).unwrap();
    assert_eq!(start.inbox.len(), 1, "the second word is sent again");
    let events = copied(&start);
    assert_eq!(names(&events)[3..], ["ActivityCompleted", "WorkflowReset"]);
    let new = RunKey { run_id: RunId(uuid::Uuid::from_u128(8)), ..key() };
    let definition = retell::workflow::definition::<Draws>().unwrap();
    let mut machine =
        retell::replay::Machine::new(definition.clone(), new.clone(), MachineOptions::default());
    machine.replay(events.clone()).unwrap();
    machine.replayed().unwrap();
    let mut run = Run { machine, events, now: first.now + seconds(2) };
    run.signal("word", "two");
    let EventKind::ActivityScheduled(call) = &run.events.last().unwrap().kind else { panic!("no call") };
    let label: String = call.input.decode().unwrap();
    assert!(label.starts_with(&new.run_id.to_string()), "{label}");
    // The copy of a copy knows three runs.
    run.complete(7, "two");
    let again = Reset { from: new, to: EventId(7), run_id: RunId(uuid::Uuid::from_u128(9)), ..asked(7) };
    let start = reset(&again, &run.events, &Plain).unwrap();
    let third = RunKey { run_id: RunId(uuid::Uuid::from_u128(9)), ..key() };
    let mut machine = retell::replay::Machine::new(definition, third, MachineOptions::default());
    machine.replay(copied(&start)).unwrap();
    machine.replayed().unwrap();
}

#[test]
fn a_copy_to_where_the_code_had_ended_is_found_out() {
    workflow!(Ends, |cx| Ok(cx.signal::<String>("word").await?));
    let mut run = Run::start::<Ends>(&());
    run.signal("word", "one");
    let late = run.signal_event("word", "late");
    run.machine.absorb(late, &mut run.events);
    assert_eq!(names(&run.events)[1..], ["SignalReceived", "SignalReceived", "WorkflowCompleted"]);
    let mut machine = machine::<Ends>(MachineOptions::default());
    machine.replay(run.events[..2].to_vec()).unwrap();
    assert!(matches!(machine.replayed(), Err(TaskError::Nondeterminism(_))));
}
