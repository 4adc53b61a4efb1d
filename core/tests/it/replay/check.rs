//! Whole histories against today's code, and what a person is told when they part.

use futures::future::join;
use retell::history::{Event, WorkflowTerminated};
use retell::replay::{self, Divergence, HistoryFault, MachineOptions, PanicPolicy, TaskError, Verdict};
use retell::vocabulary::EventId;
use retell::workflow::{Workflow, WorkflowError, definition};

use super::kit::*;

workflow!(Original, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    cx.sleep(seconds(60)).await?;
    cx.activity(Bill, &"b".to_owned()).await?;
    Ok("end".to_owned())
});
workflow!(Inserted, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    cx.activity(Charge, &"new".to_owned()).detach()?;
    cx.sleep(seconds(60)).await?;
    cx.activity(Bill, &"b".to_owned()).await?;
    Ok("end".to_owned())
});
workflow!(Slower, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    cx.sleep(seconds(61)).await?;
    Ok(String::new())
});
workflow!(Ending, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    Ok(String::new())
});
workflow!(Waiting, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    Ok(cx.signal::<String>("instead").await?)
});
workflow!(Both, |cx| {
    let calls = join(cx.activity(Ship, &"a".to_owned()), cx.activity(Bill, &"b".to_owned()));
    Ok(calls.await.0?)
});
workflow!(Swapped, |cx| {
    let calls = join(cx.activity(Bill, &"b".to_owned()), cx.activity(Ship, &"a".to_owned()));
    Ok(calls.await.0?)
});

fn try_check<W: Workflow>(events: &[Event]) -> Result<(), Box<Divergence>> {
    replay::check(&definition::<W>().unwrap(), &key(), events)
}

#[track_caller]
fn check<W: Workflow>(events: &[Event]) -> Divergence {
    let found = *try_check::<W>(events).unwrap_err();
    let text = found.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 117), "{text}");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    found
}

/// A history of `Original` that is complete.
fn original() -> Vec<Event> {
    let mut run = Run::start::<Original>(&());
    run.complete(2, "").fire().complete(6, "");
    run.events
}

fn verdicts(found: &Divergence) -> Vec<Verdict> {
    found.rows.iter().map(|row| row.verdict).collect()
}

#[track_caller]
fn check_text(found: &Divergence, expected: &str) {
    assert_eq!(found.to_string(), expected.trim_matches('\n'), "\n{found}\n");
}

#[test]
fn every_beginning_of_a_history_agrees_with_the_code_that_wrote_it() {
    let events = original();
    let steps = (0..=events.len())
        .filter(|&end| end <= 1 || !events.get(end).is_some_and(|next| next.kind.is_command()));
    for end in steps {
        try_check::<Original>(&events[..end]).unwrap();
    }
}

#[test]
fn a_run_that_was_terminated_before_its_first_task_agrees() {
    let mut events = original();
    events.truncate(2);
    events[1] = Event {
        place: None,
        kind: WorkflowTerminated { reason: "no".into(), reset_as: None }.into(),
        ..events[1].clone()
    };
    try_check::<Original>(&events).unwrap();
}

#[test]
fn an_inserted_call_stands_alone_and_what_follows_agrees() {
    let found = check::<Inserted>(&original());
    use Verdict::*;
    assert_eq!(verdicts(&found), [Given, Same, Given, OnlyAsked, Same, NotReached]);
    check_text(
        &found,
        r#"
W v1: nondeterminism at event 4
run default/w/00000000-0000-0000-0000-000000000007

          what history holds                                     what today's code asks for
       1  WorkflowStarted workflow={"name":"W","version":1} semantics=1 task_queue="default" input=null seed=42
       2  ActivityScheduled activity="Ship" input="a"          = ActivityScheduled activity="Ship" input="a"
       3  ActivityCompleted scheduled=2 attempt=1 result=""
=>                                                             > ActivityScheduled activity="Charge" input="new"
       4  TimerStarted due="2023-11-14T22:14:20.000000Z"       = TimerStarted due="2023-11-14T22:14:20.000000Z"
       5  TimerFired started=4
          ... and 3 more events

          ! differs   < only in history   > only in today's code

history: asked for at tests/it/replay/check.rs:13
today:   asked for at tests/it/replay/check.rs:19
remedy:  a call was added, removed or moved; guard such a change with `cx.patched`, or deploy it under a new
         version of the workflow
"#,
    );
}

#[test]
fn a_removed_call_stands_alone_and_what_follows_agrees() {
    let mut run = Run::start::<Inserted>(&());
    run.complete(2, "");
    let found = check::<Original>(&run.events);
    use Verdict::*;
    assert_eq!(verdicts(&found), [Given, Same, Given, OnlyHeld, Same]);
    assert!(found.held_at.is_some() && found.asked_at.is_some());
    check_text(
        &found,
        r#"
W v1: nondeterminism at event 4
run default/w/00000000-0000-0000-0000-000000000007

          what history holds                                     what today's code asks for
       1  WorkflowStarted workflow={"name":"W","version":1} semantics=1 task_queue="default" input=null seed=42
       2  ActivityScheduled activity="Ship" input="a"          = ActivityScheduled activity="Ship" input="a"
       3  ActivityCompleted scheduled=2 attempt=1 result=""
=>     4  ActivityScheduled activity="Charge" input="new"      <
       5  TimerStarted due="2023-11-14T22:14:20.000000Z"       = TimerStarted due="2023-11-14T22:14:20.000000Z"

          ! differs   < only in history   > only in today's code

history: asked for at tests/it/replay/check.rs:19
today:   asked for at tests/it/replay/check.rs:13
remedy:  a call was added, removed or moved; guard such a change with `cx.patched`, or deploy it under a new
         version of the workflow
"#,
    );
}

#[test]
fn a_changed_input_is_shown_around_its_first_difference() {
    let input = |changed: &str| format!("{}{changed}{}", "x".repeat(400), "y".repeat(400));
    workflow!(W, |cx, input: String| -> String { Ok(cx.activity(Ship, &input).await?) });
    let mut run = Run::start::<W>(&input("before"));
    run.events[0].kind = started::<W>(&input("afterr"));
    let found = check::<W>(&run.events);
    assert_eq!(verdicts(&found), [Verdict::Given, Verdict::Changed]);
    assert!(found.rows[1].held.as_ref().unwrap().contains(&input("before")), "rows hold the whole");
    let text = found.to_string();
    assert!(text.contains("xbeforey") && text.contains("xafterry"), "{text}");
    assert!(text.contains("HashMap"), "{text}");
}

#[test]
fn a_changed_timer_shows_both_times() {
    check_text(
        &check::<Slower>(&original()),
        r#"
W v1: nondeterminism at event 4
run default/w/00000000-0000-0000-0000-000000000007

          what history holds                                     what today's code asks for
       1  WorkflowStarted workflow={"name":"W","version":1} semantics=1 task_queue="default" input=null seed=42
       2  ActivityScheduled activity="Ship" input="a"          = ActivityScheduled activity="Ship" input="a"
       3  ActivityCompleted scheduled=2 attempt=1 result=""
=>     4  TimerStarted due="2023-11-14T22:14:20.000000Z"       ! TimerStarted due="2023-11-14T22:14:21.000000Z"
       5  TimerFired started=4
          ... and 3 more events

          ! differs   < only in history   > only in today's code

history: asked for at tests/it/replay/check.rs:13
today:   asked for at tests/it/replay/check.rs:26
remedy:  the length of the sleep was changed, or depends on what is not replayed
"#,
    );
}

#[test]
fn a_call_that_was_changed_behind_an_inserted_one_is_still_seen_as_the_same() {
    workflow!(Both, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        cx.activity(Charge, &"new".to_owned()).detach()?;
        cx.sleep(seconds(61)).await?;
        Ok(String::new())
    });
    let found = check::<Both>(&original());
    use Verdict::*;
    assert_eq!(verdicts(&found), [Given, Same, Given, OnlyAsked, Changed, NotReached]);
}

#[test]
fn swapped_calls_are_shown_as_moved() {
    let found = check::<Swapped>(&Run::start::<Both>(&()).events);
    use Verdict::*;
    assert_eq!(verdicts(&found), [Given, OnlyAsked, Same, OnlyHeld]);
}

#[test]
fn code_that_ends_early_is_told_where_it_came_to() {
    let found = check::<Ending>(&original());
    assert_eq!((found.event_id, verdicts(&found)[3]), (EventId(4), Verdict::Changed));
    check_text(
        &found,
        r#"
W v1: nondeterminism at event 4
run default/w/00000000-0000-0000-0000-000000000007

          what history holds                                     what today's code asks for
       1  WorkflowStarted workflow={"name":"W","version":1} semantics=1 task_queue="default" input=null seed=42
       2  ActivityScheduled activity="Ship" input="a"          = ActivityScheduled activity="Ship" input="a"
       3  ActivityCompleted scheduled=2 attempt=1 result=""
=>     4  TimerStarted due="2023-11-14T22:14:20.000000Z"       ! WorkflowCompleted result=""
       5  TimerFired started=4
          ... and 3 more events

          ! differs   < only in history   > only in today's code

history: asked for at tests/it/replay/check.rs:13
today:   the code returned, after tests/it/replay/check.rs:30
remedy:  a call was added, removed or moved; guard such a change with `cx.patched`, or deploy it under a new
         version of the workflow
"#,
    );
}

#[test]
fn code_that_asks_for_nothing_more_is_told_where_it_waits() {
    check_text(
        &check::<Waiting>(&original()),
        r#"
W v1: nondeterminism at event 4
run default/w/00000000-0000-0000-0000-000000000007

          what history holds                                     what today's code asks for
       1  WorkflowStarted workflow={"name":"W","version":1} semantics=1 task_queue="default" input=null seed=42
       2  ActivityScheduled activity="Ship" input="a"          = ActivityScheduled activity="Ship" input="a"
       3  ActivityCompleted scheduled=2 attempt=1 result=""
=>     4  TimerStarted due="2023-11-14T22:14:20.000000Z"       < (nothing more)
       5  TimerFired started=4
          ... and 3 more events

          ! differs   < only in history   > only in today's code

history: asked for at tests/it/replay/check.rs:13
today:   the code waits, after tests/it/replay/check.rs:35
remedy:  a call was removed or moved, or what leads to it is not replayed: the order of a HashMap, the clock,
         randomness
"#,
    );
}

#[test]
fn code_that_ends_while_messages_come_parts_at_the_first_of_them() {
    workflow!(Twice, |cx| Ok(cx.signal::<String>("go").await? + &cx.signal::<String>("go").await?));
    workflow!(Once, |cx| Ok(cx.signal::<String>("go").await?));
    let mut run = Run::start::<Twice>(&());
    run.signal("go", "1").signal("x", "passes by").signal("x", "too");
    let found = check::<Once>(&run.events);
    use Verdict::*;
    assert_eq!((found.event_id, verdicts(&found)), (EventId(3), vec![Given, Given, OnlyAsked, NotReached]));
    assert!(found.to_string().contains("... and 1 more event"), "{found}");
}

#[test]
fn code_that_asks_for_more_than_an_open_history_holds_is_shown_beyond_its_end() {
    let mut run = Run::start::<Original>(&());
    run.complete(2, "");
    run.events.pop();
    let found = check::<Original>(&run.events);
    assert_eq!((found.event_id, found.event.as_deref()), (EventId(4), None));
    assert!(found.to_string().contains("(the history ends here)"), "{found}");
}

#[test]
fn long_steps_and_long_histories_are_cut() {
    workflow!(Many, |cx, count: u64| -> u64 {
        for index in 0..5 {
            cx.activity(Ship, &index.to_string()).await?;
        }
        for index in 0..count {
            cx.activity(Ship, &format!("at once {index}")).detach()?;
        }
        cx.sleep(seconds(1)).await?;
        Ok(count)
    });
    let mut run = Run::start::<Many>(&1_000);
    for call in 1..6 {
        run.complete(2 * call, "");
    }
    run.events[0].kind = started::<Many>(&10);
    let found = check::<Many>(&run.events);
    let text = found.to_string();
    assert!(text.contains("... 15 events before"), "{text}");
    assert!(text.lines().count() < 40, "{text}");
}

#[test]
fn a_step_with_many_calls_is_aligned_in_time() {
    workflow!(Many, |cx, count: u64| -> u64 {
        (0..count).try_for_each(|index| cx.activity(Ship, &format!("{}", index * count)).detach())?;
        cx.sleep(seconds(1)).await?;
        Ok(count)
    });
    let mut run = Run::start::<Many>(&50_000);
    run.events[0].kind = started::<Many>(&49_999);
    let found = check::<Many>(&run.events);
    assert!(found.rows.len() < 1_000, "{}", found.rows.len());
}

#[test]
fn a_panic_names_its_event_and_the_place_before_it() {
    workflow!(Panicking, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        panic!("not there")
    });
    let found = check::<Panicking>(&original());
    assert!(matches!(found.error, TaskError::Panic { .. }) && found.rows.is_empty());
    assert_eq!(found.event_id, EventId(3));
    let text = found.to_string();
    assert!(text.contains("tests/it/replay/check.rs:") && text.contains("not there"), "{text}");
    assert!(text.contains("event 3: ActivityCompleted scheduled=2"), "{text}");
}

#[test]
fn a_run_that_failed_by_a_panic_agrees_with_code_that_panics_there() {
    workflow!(Panicking, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        panic!("not there")
    });
    let options = MachineOptions { panics: PanicPolicy::FailRun, alarm: None };
    let mut run = Run::try_start::<Panicking>(&(), options).unwrap();
    run.complete(2, "");
    assert_eq!(run.told().last().unwrap(), "WorkflowFailed");
    try_check::<Panicking>(&run.events).unwrap();
}

#[test]
fn a_foreign_await_names_its_event() {
    workflow!(Foreign, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        std::future::pending::<Result<String, WorkflowError>>().await
    });
    let found = check::<Foreign>(&original());
    assert!(matches!(found.error, TaskError::NeverEndingAwait { .. }));
    assert_eq!((found.event_id, found.asked_at.is_some()), (EventId(3), true));
}

#[test]
fn an_input_that_does_not_decode_names_event_1_and_shows_it() {
    workflow!(Number, |_cx, input: u64| -> u64 { Ok(input) });
    let mut events = original();
    events.truncate(1);
    let found = check::<Number>(&events);
    assert!(matches!(found.error, TaskError::Undecodable { .. }));
    let text = found.to_string();
    assert!(text.contains("event 1: WorkflowStarted") && text.contains("serde(default)"), "{text}");
}

#[test]
fn another_workflow_and_a_damaged_history_are_no_nondeterminism() {
    struct Other;
    impl Workflow for Other {
        type Input = ();
        type Output = ();
        const NAME: &'static str = "Other";
        async fn run(_: retell::workflow::WorkflowContext, (): ()) -> retell::workflow::WorkflowResult<()> {
            Ok(())
        }
    }
    let found = check::<Other>(&original());
    assert!(matches!(found.error, TaskError::History(HistoryFault::OtherWorkflow { .. })), "{found}");
    let mut damaged = original();
    damaged.remove(3);
    let found = check::<Original>(&damaged);
    assert_eq!(found.error, HistoryFault::Gap { expected: EventId(4), found: EventId(5) }.into());
}

#[test]
fn the_code_under_check_is_silent() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    struct Count;
    impl tracing::Subscriber for Count {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            TOLD.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    workflow!(Talking, |cx| {
        tracing::info!("told");
        Ok(cx.activity(Ship, &"a".to_owned()).await?)
    });
    tracing::subscriber::with_default(Count, || {
        let mut run = Run::start::<Talking>(&());
        run.complete(2, "");
        assert_eq!(TOLD.load(Ordering::Relaxed), 1, "live, it is heard");
        try_check::<Talking>(&run.events).unwrap();
        assert_eq!(TOLD.load(Ordering::Relaxed), 1);
    });
}
