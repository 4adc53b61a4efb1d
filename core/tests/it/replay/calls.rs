//! One call at a time: what is asked for, and what is given.

use futures::future::{Either, select};
use retell::history::{ActivityScheduled, EventKind, SideEffectRecorded};
use retell::vocabulary::{EventId, Failure, FailureKind, Place, RetryPolicy, TaskQueue};
use retell::workflow::CallError;

use super::kit::*;

fn scheduled(run: &Run, event: usize) -> &ActivityScheduled {
    match &run.events[event - 1].kind {
        EventKind::ActivityScheduled(body) => body,
        other => panic!("event {event} is {other:?}"),
    }
}

#[test]
fn an_activity_is_scheduled_and_its_result_returned() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let mut run = Run::start::<W>(&());
    assert_eq!(run.told(), ["WorkflowStarted", "scheduled Ship a"]);
    run.complete(2, "done");
    assert_eq!(run.result(), "done");
    run.replays_as::<W>();
}

#[test]
fn options_are_kept_and_the_place_is_the_callers() {
    workflow!(W, |cx| {
        let call = cx.activity(Ship, &"a".to_owned()).retry(RetryPolicy::never()).start_to_close(seconds(5));
        Ok(call.task_queue(TaskQueue::new("heavy").unwrap()).await?)
    });
    let run = Run::start::<W>(&());
    let body = scheduled(&run, 2);
    assert_eq!(body.retry, RetryPolicy::never());
    assert_eq!(body.start_to_close, Some(seconds(5)));
    assert_eq!(body.task_queue, Some(TaskQueue::new("heavy").unwrap()));
    let place = run.events[1].place.clone().unwrap();
    assert_eq!(&*place.file, "tests/it/replay/calls.rs");
    assert!((30..40).contains(&place.line), "{place}");
}

#[test]
fn nothing_is_asked_for_before_the_first_poll_nor_when_an_unpolled_call_is_dropped() {
    workflow!(W, |cx| {
        let later = cx.activity(Ship, &"later".to_owned());
        drop(cx.activity(Ship, &"never".to_owned()));
        drop(cx.sleep(seconds(1)));
        let now = cx.activity(Bill, &"now".to_owned());
        now.await?;
        Ok(later.await?)
    });
    let mut run = Run::start::<W>(&());
    run.complete(2, "").complete(4, "end");
    assert_eq!(
        run.told(),
        [
            "WorkflowStarted",
            "scheduled Bill now",
            "completed 2",
            "scheduled Ship later",
            "completed 4",
            "WorkflowCompleted"
        ]
    );
    run.replays_as::<W>();
}

#[test]
fn dropping_a_call_cancels_it_unless_its_outcome_was_applied() {
    workflow!(W, |cx| {
        let lost = select(cx.activity(Ship, &"a".to_owned()), cx.sleep(seconds(9))).await;
        match lost {
            Either::Left((shipped, sleep)) => {
                drop(sleep);
                cx.activity(Bill, &shipped?).await?;
            }
            Either::Right((_, ship)) => drop(ship),
        }
        Ok("end".to_owned())
    });
    let mut first = Run::start::<W>(&());
    first.complete(2, "shipped").complete(6, "");
    assert_eq!(
        first.told()[3..],
        ["completed 2", "timer cancelled 3", "scheduled Bill shipped", "completed 6", "WorkflowCompleted"]
    );
    first.replays_as::<W>();

    let mut second = Run::start::<W>(&());
    second.fire();
    assert_eq!(second.told()[3..], ["fired 3", "cancelled 2", "WorkflowCompleted"]);
    second.replays_as::<W>();
}

#[test]
fn dropping_what_has_its_outcome_records_nothing() {
    workflow!(W, |cx| {
        let mut ship = cx.activity(Ship, &"a".to_owned());
        let _ = poll_once(&mut ship).await;
        cx.sleep(seconds(1)).await?;
        drop(ship);
        Ok("end".to_owned())
    });
    let mut run = Run::start::<W>(&());
    run.complete(2, "unread").fire();
    assert_eq!(run.told()[3..], ["completed 2", "fired 3", "WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn schedule_and_cancel_in_one_task_leave_both_events() {
    workflow!(W, |cx| {
        let mut ship = cx.activity(Ship, &"a".to_owned());
        let _ = poll_once(&mut ship).await;
        drop(ship);
        let mut sleep = cx.sleep(seconds(1));
        let _ = poll_once(&mut sleep).await;
        drop(sleep);
        Ok("end".to_owned())
    });
    let run = Run::start::<W>(&());
    assert_eq!(
        run.told()[1..],
        ["scheduled Ship a", "cancelled 2", "timer 1s", "timer cancelled 4", "WorkflowCompleted"]
    );
    assert_eq!(run.machine.open_activities(), []);
    assert_eq!(run.machine.next_due(), None);
    run.replays_as::<W>();
}

#[test]
fn a_detached_call_is_issued_at_once_and_not_cancelled_by_letting_go() {
    workflow!(W, |cx| {
        cx.activity(Ship, &"a".to_owned()).detach()?;
        Ok(cx.activity(Bill, &"b".to_owned()).await?)
    });
    let mut run = Run::start::<W>(&());
    assert_eq!(run.told()[1..], ["scheduled Ship a", "scheduled Bill b"]);
    run.complete(2, "read by nobody");
    assert_eq!(run.machine.open_activities().len(), 1);
    run.complete(3, "b");
    assert_eq!(run.result(), "b");
    run.replays_as::<W>();
}

#[test]
fn a_polled_call_can_still_be_detached() {
    workflow!(W, |cx| {
        let mut ship = cx.activity(Ship, &"a".to_owned());
        let _ = poll_once(&mut ship).await;
        ship.detach()?;
        cx.sleep(seconds(1)).await?;
        Ok("end".to_owned())
    });
    let mut run = Run::start::<W>(&());
    run.complete(2, "").fire();
    assert_eq!(run.told()[3..], ["completed 2", "fired 3", "WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn a_failed_activity_that_propagates_keeps_all_of_its_failure() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let mut failure = Failure::of_kind(FailureKind::Timeout, "too slow").non_retryable();
    failure.details = Some(payload(&42));
    failure.add_cause(&std::fmt::Error);
    let mut run = Run::start::<W>(&());
    run.fail(2, failure.clone());
    assert_eq!(run.failure(), &failure);
    run.replays_as::<W>();
}

#[test]
fn a_result_of_another_type_is_an_error_at_its_await() {
    workflow!(W, |cx| {
        match cx.activity(Ship, &"a".to_owned()).await {
            Err(CallError::Payload(error)) => Ok(format!("caught: {error}")),
            other => panic!("{other:?}"),
        }
    });
    let mut run = Run::start::<W>(&());
    run.take_in(retell::history::ActivityCompleted {
        scheduled: EventId(2),
        attempt: retell::vocabulary::Attempt(1),
        result: payload(&7),
    });
    assert!(run.result().contains("do not decode"));
}

#[test]
fn a_sleep_is_due_after_now_and_fires_in_order_of_due_time() {
    workflow!(W, |cx| {
        let (long, short) = (cx.sleep(seconds(5)), cx.sleep_until(cx.now() + seconds(3)));
        match select(long, short).await {
            Either::Right((fired, long)) => {
                fired?;
                long.await?;
            }
            Either::Left(_) => panic!("the long sleep ended first"),
        }
        assert_eq!(cx.now(), START + seconds(5));
        Ok("end".to_owned())
    });
    let mut run = Run::start::<W>(&());
    assert_eq!(run.machine.next_due(), Some(START + seconds(3)));
    assert_eq!(run.machine.due(START + seconds(2)), None);
    run.fire().fire();
    assert_eq!(run.told()[1..], ["timer 5s", "timer 3s", "fired 3", "fired 2", "WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn a_timers_event_is_never_earlier_than_its_due_time_nor_an_event_than_the_last() {
    workflow!(W, |cx| {
        cx.sleep(seconds(3)).await?;
        cx.sleep(seconds(1)).await?;
        Ok("end".to_owned())
    });
    let mut run = Run::start::<W>(&());
    run.take_in(retell::history::TimerFired { started: EventId(2) });
    assert_eq!(run.machine.last_at(), START + seconds(3));
    assert_eq!(run.now, START);
    run.signal("x", "y");
    assert_eq!(run.events.last().unwrap().at, START + seconds(3));
    run.take_in(retell::history::TimerFired { started: EventId(4) });
    assert_eq!(run.events.last().unwrap().at, START + seconds(4));
    run.replays_as::<W>();
}

#[test]
fn a_side_effect_runs_once_and_replay_gives_its_value() {
    workflow!(W, |cx| Ok(cx.side_effect(|| std::thread::current().name().unwrap().to_owned()).await?));
    let mut run = Run::start::<W>(&());
    assert_eq!(run.told()[1..], ["SideEffectScheduled"]);
    assert_eq!(run.machine.open_side_effects(), [EventId(2)]);
    let value = run.machine.take_side_effect(EventId(2)).unwrap()().unwrap();
    assert!(run.machine.take_side_effect(EventId(2)).is_none());
    let lost = run.replays_as::<W>();
    assert_eq!(lost.open_side_effects(), [EventId(2)], "a crash before its value is stored runs it again");
    run.take_in(SideEffectRecorded { scheduled: EventId(2), value });
    assert!(run.result().contains("a_side_effect_runs_once"));
    run.replays_as::<W>();
}

#[test]
fn a_dropped_side_effect_is_not_wanted_any_more() {
    workflow!(W, |cx| {
        let _ = select(cx.side_effect(|| 1), cx.sleep(seconds(1))).await;
        cx.sleep(seconds(1)).await?;
        Ok("end".to_owned())
    });
    let mut run = Run::start::<W>(&());
    let value = run.machine.take_side_effect(EventId(2)).unwrap()().unwrap();
    run.fire();
    assert_eq!(run.machine.open_side_effects(), []);
    run.take_in(SideEffectRecorded { scheduled: EventId(2), value }).fire();
    assert_eq!(run.told()[4..], ["timer 2s", "recorded 2", "fired 5", "WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn chance_is_the_same_at_each_replay_and_stable_for_ever() {
    workflow!(W, |cx| {
        assert!(cx.random_range(5..8) < 8 && cx.random_f64() < 1.0);
        assert!(cx.random_bool(1.0) && !cx.random_bool(0.0));
        let drawn = format!("{} {}", cx.random_u64(), cx.uuid());
        cx.activity(Ship, &drawn).await?;
        Ok(drawn)
    });
    let mut run = Run::start::<W>(&());
    run.complete(2, "");
    run.replays_as::<W>();
    assert_eq!(run.result(), "14637574242682825331 968d9f00-4e50-4e7d-a017-18ff221a3556");
}

#[test]
fn the_context_knows_its_run() {
    workflow!(W, |cx| {
        assert!(!cx.is_replaying());
        let info = cx.info();
        assert_eq!((&info.run, info.history_length), (cx.run(), EventId(1)));
        assert_eq!(info.workflow.to_string(), "W v1");
        assert_eq!((info.task_queue, info.continued_from), (TaskQueue::default(), None));
        Ok("end".to_owned())
    });
    assert_eq!(Run::start::<W>(&()).result(), "end");
}

#[test]
fn code_can_tell_that_it_is_replayed() {
    workflow!(W, |cx| {
        let replaying_first = cx.is_replaying();
        cx.sleep(seconds(1)).await?;
        Ok(format!("{replaying_first} {}", cx.is_replaying()))
    });
    let mut run = Run::start::<W>(&());
    run.machine = run.replays_as::<W>();
    run.fire();
    assert_eq!(run.result(), "true false");
}

#[test]
fn a_call_with_an_impossible_name_is_refused_at_its_await() {
    workflow!(W, |cx| {
        let error = cx.signal::<String>("").await.unwrap_err();
        Ok(error.failure().unwrap().error_type.to_string())
    });
    assert_eq!(Run::start::<W>(&()).result(), "InvalidId");
}

#[test]
fn a_queue_is_given_by_name_and_an_impossible_one_is_refused_at_the_await() {
    workflow!(W, |cx| {
        let error = cx.activity(Ship, &"a".to_owned()).task_queue("").await.unwrap_err();
        assert_eq!(error.to_string(), "the call failed (InvalidId)");
        cx.activity(Ship, &"b".to_owned()).task_queue("heavy").await?;
        Ok(error.failure().unwrap().error_type.to_string())
    });
    let mut run = Run::start::<W>(&());
    assert_eq!(run.told(), ["WorkflowStarted", "scheduled Ship b"]);
    assert_eq!(scheduled(&run, 2).task_queue, Some(TaskQueue::new("heavy").unwrap()));
    run.complete(2, "done");
    assert_eq!(run.result(), "InvalidId");
}

#[test]
fn places_are_relative_to_the_crate() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let run = Run::start::<W>(&());
    assert_ne!(run.events[1].place, None);
    assert_ne!(run.events[1].place, Some(Place::unknown()));
    assert_eq!(run.events[0].place, None);
}
