//! Steps and local activities: what a driver is given, and what replay compares.

use retell::activity::ActivityError;
use retell::replay::TaskError;
use retell::vocabulary::{EventId, RetryPolicy};

use super::kit::*;

workflow!(W, |cx| {
    let mut lengths = Vec::new();
    for name in ["a", "b"] {
        let length: String = cx
            .step("length", &name.to_owned(), |_cx, name: String| async move { Ok(name.len().to_string()) })
            .retry(RetryPolicy::never())
            .await?;
        lengths.push(length);
    }
    Ok(cx.local_activity(Ship, &lengths.concat()).await?)
});

#[test]
fn a_step_is_a_local_activity_whose_body_the_driver_takes_once() {
    let mut run = Run::start::<W>(&());
    let (scheduled, call) = run.machine.open_activities().remove(0);
    assert_eq!((scheduled, &*call.activity.to_string(), call.local), (EventId(2), "length", true));
    assert_eq!(call.retry, RetryPolicy::never());
    assert!(run.machine.take_step(scheduled).is_some() && run.machine.take_step(scheduled).is_none());
    let mut lost = run.replays_as::<W>();
    assert!(lost.take_step(scheduled).is_some(), "who takes over runs it again");
    run.complete(2, "1");
    // The second of the same name, and the outcome of the first has let go of its body.
    assert!(run.machine.take_step(EventId(2)).is_none());
    run.complete(4, "1");
    assert!(run.machine.take_step(EventId(6)).is_none(), "an activity is known by its name");
    assert!(run.machine.open_activities()[0].1.local);
    run.complete(6, "shipped");
    assert_eq!(run.result(), "shipped");
    run.replays_as::<W>();
}

#[test]
fn name_input_and_place_of_running_are_compared() {
    workflow!(OtherName, |cx| {
        let body = |_cx, name: String| async move { Ok::<_, ActivityError>(name) };
        Ok(cx.step("size", &"a".to_owned(), body).await?)
    });
    workflow!(OtherInput, |cx| {
        let body = |_cx, name: String| async move { Ok::<_, ActivityError>(name) };
        Ok(cx.step("length", &"b".to_owned(), body).await?)
    });
    workflow!(SameButLater, |cx| {
        let body = |_cx, name: String| async move { Ok::<_, ActivityError>(name) };
        Ok(cx.step("length", &"a".to_owned(), body).retry(RetryPolicy::exponential()).await?)
    });
    workflow!(Queued, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    workflow!(Local, |cx| Ok(cx.local_activity(Ship, &"a".to_owned()).await?));
    let run = Run::start::<W>(&());
    run.replays_as::<SameButLater>();
    for error in [
        run.replay_as::<OtherName>(),
        run.replay_as::<OtherInput>(),
        Run::start::<Queued>(&()).replay_as::<Local>(),
    ] {
        let Err(TaskError::Nondeterminism(found)) = error else { panic!("it differs") };
        assert_eq!(found.event_id, EventId(2));
        assert!(found.place.unwrap().file.ends_with("steps.rs"));
    }
}

#[test]
fn a_step_that_is_let_go_of_is_cancelled() {
    workflow!(W, |cx| {
        let body = |_cx, (): ()| std::future::pending::<Result<String, ActivityError>>();
        Ok(format!("{}", cx.timeout(seconds(1), cx.step("long", &(), body)).await.is_err()))
    });
    let mut run = Run::start::<W>(&());
    run.fire();
    assert_eq!(run.told()[3..], ["fired 3", "cancelled 2", "WorkflowCompleted"]);
    assert_eq!(run.machine.open_activities(), []);
    run.replays_as::<W>();
}
