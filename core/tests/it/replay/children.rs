//! Children and other runs, as the machine sees them: what is asked, what comes of it, what a cancellation does.

use futures::future::{Either, join, select};
use retell::history::*;
use retell::vocabulary::*;
use retell::workflow::ChildError;

use super::kit::*;

/// A child to be called; the tests say how it ends.
struct Label;

impl retell::workflow::Workflow for Label {
    type Input = String;
    type Output = String;
    const NAME: &'static str = "Label";

    async fn run(
        _cx: retell::workflow::WorkflowContext,
        input: String,
    ) -> retell::workflow::WorkflowResult<String> {
        Ok(input)
    }
}

fn child_of(run: &Run, scheduled: u64) -> RunId {
    match &run.events[scheduled as usize - 1].kind {
        EventKind::ChildWorkflowScheduled(body) => body.run_id,
        other => panic!("event {scheduled} is no child: {other:?}"),
    }
}

fn started_child(run: &mut Run, scheduled: u64) {
    let run_id = child_of(run, scheduled);
    run.take_in(ChildWorkflowStarted { scheduled: EventId(scheduled), run_id });
}

fn completed(run: &Run, scheduled: u64, result: &str) -> EventKind {
    let run_id = child_of(run, scheduled);
    ChildWorkflowCompleted { scheduled: EventId(scheduled), run_id, result: payload(result) }.into()
}

fn cancelled(run: &Run, scheduled: u64) -> EventKind {
    let run_id = child_of(run, scheduled);
    ChildWorkflowCancelled { scheduled: EventId(scheduled), run_id }.into()
}

fn delivered(run: &Run, requested: u64) -> ExternalDelivered {
    let requested = EventId(requested);
    let request_id = RequestId(run.machine.run_id().derive(requested, Purpose::Request));
    ExternalDelivered { requested, request_id }
}

#[test]
fn a_child_is_scheduled_when_it_is_polled_and_gives_what_it_returned() {
    workflow!(W, |cx| {
        let unpolled = cx.child(Label, &"never".to_owned());
        drop(unpolled);
        let (named, unnamed) =
            join(cx.child(Label, &"a".to_owned()).id("label-a"), cx.child(Label, &"b".to_owned())).await;
        Ok(named? + &unnamed?)
    });
    let mut run = Run::start::<W>(&());
    let ids: Vec<_> = run.events[1..]
        .iter()
        .map(|event| match &event.kind {
            EventKind::ChildWorkflowScheduled(body) => body.workflow_id.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["label-a".to_owned(), format!("{}/3", key().run_id)]);
    assert_ne!(child_of(&run, 2), child_of(&run, 3));
    let (second, first) = (completed(&run, 3, "B"), completed(&run, 2, "A"));
    run.take_in(second).take_in(first);
    assert_eq!(run.result(), "AB");
    run.replays_as::<W>();
}

#[test]
fn each_way_in_which_a_child_ends_badly_is_a_typed_error_of_the_await() {
    workflow!(W, |cx| {
        let mut told = Vec::new();
        for name in ["failed", "taken", "cancelled", "terminated", "timed out"] {
            told.push(match cx.child(Label, &name.to_owned()).id(name).await.unwrap_err() {
                ChildError::Failed(failure) => format!("failed {}", failure.error_type),
                ChildError::IdTaken(workflow_id) => format!("taken {workflow_id}"),
                ChildError::ChildCancelled => "cancelled".to_owned(),
                ChildError::Terminated(reason) => format!("terminated {reason}"),
                ChildError::TimedOut => "timed out".to_owned(),
                other => panic!("{other}"),
            });
        }
        Ok(told.join(", "))
    });
    let mut run = Run::start::<W>(&());
    let id = |run: &Run| {
        let scheduled = run.machine.head();
        (scheduled, child_of(run, scheduled.0))
    };
    let (scheduled, run_id) = id(&run);
    run.take_in(ChildWorkflowFailed { scheduled, run_id, failure: Failure::new("NoStock", "sold out") });
    let (scheduled, run_id) = id(&run);
    run.take_in(ChildWorkflowRefused { scheduled, run_id });
    let (scheduled, run_id) = id(&run);
    run.take_in(ChildWorkflowCancelled { scheduled, run_id });
    let (scheduled, run_id) = id(&run);
    run.take_in(ChildWorkflowTerminated { scheduled, run_id, reason: "by hand".into() });
    let (scheduled, run_id) = id(&run);
    run.take_in(ChildWorkflowTimedOut { scheduled, run_id });
    assert_eq!(run.result(), "failed NoStock, taken taken, cancelled, terminated by hand, timed out");
    run.replays_as::<W>();
}

#[test]
fn a_childs_failure_is_passed_on_whole_and_its_cancelled_await_ends_a_cancelled_run_as_cancelled() {
    workflow!(W, |cx| Ok(cx.child(Label, &"a".to_owned()).await?));
    let mut run = Run::start::<W>(&());
    let (scheduled, run_id) = (EventId(2), child_of(&run, 2));
    let failure = Failure::new("NoStock", "sold out");
    run.take_in(ChildWorkflowFailed { scheduled, run_id, failure: failure.clone() });
    assert_eq!(*run.failure(), failure);
    let mut run = Run::start::<W>(&());
    run.cancel();
    assert_eq!(run.told()[2..], ["WorkflowCancelRequested", "ChildWorkflowDropped", "WorkflowCancelled"]);
}

#[test]
fn a_cancel_and_the_childs_completion_together_settle_the_await_once_whichever_comes_first() {
    workflow!(W, |cx| {
        let told = match cx.child(Label, &"a".to_owned()).await {
            Ok(value) => value,
            Err(error) => error.to_string(),
        };
        cx.shielded().signal::<String>("go").await?;
        Ok(told)
    });
    let mut run = Run::start::<W>(&());
    let outcome = completed(&run, 2, "A");
    run.cancel();
    assert!(!run.machine.concerns(&outcome), "nobody waits for it any more");
    run.take_in(outcome).signal("go", "");
    assert_eq!(run.result(), "the wait for the child workflow was cancelled");
    run.replays_as::<W>();
    let mut run = Run::start::<W>(&());
    let outcome = completed(&run, 2, "A");
    run.take_in(outcome).cancel().signal("go", "");
    assert_eq!(run.result(), "A");
    run.replays_as::<W>();
}

#[test]
fn a_child_whose_end_is_waited_for_is_asked_and_ends_as_it_does() {
    use retell::workflow::ChildCancellation;
    workflow!(W, |cx| {
        let call = cx.child(Label, &"a".to_owned()).cancellation(ChildCancellation::Wait);
        Ok(match call.await {
            Ok(value) => value,
            Err(ChildError::Cancelled) => "cancelled".to_owned(),
            Err(other) => return Err(other.into()),
        })
    });
    for (ends, told) in [(true, "cancelled"), (false, "A")] {
        let mut run = Run::start::<W>(&());
        run.cancel();
        assert_eq!(run.told()[3], "ChildWorkflowCancelRequested");
        let outcome = if ends { cancelled(&run, 2) } else { completed(&run, 2, "A") };
        run.take_in(outcome);
        assert_eq!(run.result(), told);
        run.replays_as::<W>();
    }
}

#[test]
fn the_loser_of_a_race_is_let_go_of_and_is_its_parents_no_more() {
    workflow!(W, |cx| {
        match select(cx.child(Label, &"a".to_owned()), cx.sleep(seconds(5))).await {
            Either::Left((value, _)) => Ok(value?),
            Either::Right((slept, child)) => {
                slept?;
                drop(child);
                cx.signal("go").await.map_err(Into::into)
            }
        }
    });
    let mut run = Run::start::<W>(&());
    assert_eq!(run.machine.family().children().count(), 1);
    assert!(run.machine.family().depends());
    run.fire();
    assert_eq!(run.told()[4..], ["ChildWorkflowDropped"]);
    assert!(!run.machine.family().depends());
    run.signal("go", "on");
    assert_eq!(run.told()[6..], ["WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn a_started_child_is_held_without_being_awaited_and_its_end_is_kept_for_the_result() {
    workflow!(W, |cx| {
        let child = cx.child(Label, &"a".to_owned()).id("a").started().await?;
        assert_eq!(child.workflow_id().as_str(), "a");
        child.signal("poke", &1_u32).await?;
        cx.signal::<String>("go").await?;
        Ok(child.result().await?)
    });
    // The end comes while the child is held, or while its result is awaited.
    for early in [true, false] {
        let mut run = Run::start::<W>(&());
        started_child(&mut run, 2);
        let word = delivered(&run, 4);
        run.take_in(word);
        let outcome = completed(&run, 2, "A");
        if early {
            run.take_in(outcome).signal("go", "");
        } else {
            run.signal("go", "").take_in(outcome);
        }
        assert_eq!(run.result(), "A");
        run.replays_as::<W>();
    }
}

#[test]
fn an_end_that_comes_before_the_word_of_the_start_is_told_after_it() {
    workflow!(W, |cx| {
        let child = cx.child(Label, &"a".to_owned()).started().await?;
        Ok(child.result().await?)
    });
    let mut run = Run::start::<W>(&());
    let outcome = completed(&run, 2, "A");
    run.take_in(outcome);
    assert_eq!(run.result(), "A");
    run.replays_as::<W>();
}

#[test]
fn a_held_child_is_let_go_of_with_its_handle_and_cancelled_with_its_awaited_result() {
    workflow!(Lets, |cx| {
        let child = cx.child(Label, &"a".to_owned()).started().await?;
        drop(child);
        cx.signal("go").await.map_err(Into::into)
    });
    let mut run = Run::start::<Lets>(&());
    started_child(&mut run, 2);
    assert_eq!(run.machine.family().children().count(), 1);
    run.signal("go", "on");
    assert_eq!(run.told()[4..], ["WorkflowCompleted"], "its parent close policy is applied with the commit");
    assert_eq!(run.machine.family().children().count(), 1);
    run.replays_as::<Lets>();

    workflow!(Cancels, |cx| {
        let child = cx.child(Label, &"a".to_owned()).started().await?;
        cx.signal::<String>("go").await?;
        Ok(child.result().await.unwrap_err().to_string())
    });
    let mut run = Run::start::<Cancels>(&());
    started_child(&mut run, 2);
    run.signal("go", "").cancel();
    assert_eq!(run.told()[5..], ["ChildWorkflowDropped", "WorkflowCompleted"]);
    run.replays_as::<Cancels>();
}

#[test]
fn a_held_child_survives_a_cancel_request_until_its_result_is_awaited() {
    workflow!(W, |cx| {
        let child = cx.child(Label, &"a".to_owned()).started().await?;
        let _ = cx.signal::<String>("go").await;
        let shielded = cx.shielded();
        shielded.signal::<String>("later").await?;
        Ok(child.result().await.unwrap_err().to_string())
    });
    let mut run = Run::start::<W>(&());
    started_child(&mut run, 2);
    run.cancel();
    assert_eq!(run.told()[4..], [""; 0]);
    run.signal("later", "");
    assert_eq!(run.told()[5..], ["ChildWorkflowDropped", "WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn a_detached_child_is_scheduled_at_once_and_remembered_only_for_its_policy() {
    use retell::workflow::ParentClosePolicy;
    workflow!(W, |cx| {
        cx.child(Label, &"a".to_owned()).detach()?;
        cx.child(Label, &"b".to_owned()).parent_close_policy(ParentClosePolicy::Abandon).detach()?;
        cx.signal("go").await.map_err(Into::into)
    });
    let mut run = Run::start::<W>(&());
    let children: Vec<_> = run.machine.family().children().map(|(scheduled, _)| scheduled.0).collect();
    assert_eq!(children, [2], "an abandoned one has nothing to do with its parent");
    let outcome = completed(&run, 2, "A");
    run.take_in(outcome);
    assert!(!run.machine.family().depends());
    run.signal("go", "on");
    assert_eq!(run.result(), "on");
    run.replays_as::<W>();
}

#[test]
fn what_another_run_of_the_parent_was_told_fits_nothing() {
    workflow!(W, |cx| {
        let child = cx.child(Label, &"a".to_owned());
        let other = cx.external("x");
        join(child, other.signal("poke", "hey")).await.0.map_err(Into::into)
    });
    let run = Run::start::<W>(&());
    let stranger = RunId(uuid::Uuid::from_u128(99));
    let scheduled = EventId(2);
    let result = payload("A");
    assert!(!run.machine.concerns(&ChildWorkflowCompleted { scheduled, run_id: stranger, result }.into()));
    assert!(run.machine.concerns(&completed(&run, 2, "A")));
    let request_id = RequestId(stranger.derive(EventId(3), Purpose::Request));
    assert!(!run.machine.concerns(&ExternalRefused { requested: EventId(3), request_id }.into()));
    assert!(run.machine.concerns(&delivered(&run, 3).into()));
    let request_id = RequestId(stranger.0);
    let (reason, child) = ("test".into(), Some(stranger));
    let request = WorkflowCancelRequested { request_id, reason, child };
    assert!(!run.machine.concerns(&request.into()), "it is meant for a child, which this is not");
}

#[test]
fn a_request_to_another_run_is_delivered_or_refused_and_dropping_it_takes_nothing_back() {
    use retell::workflow::ExternalError;
    workflow!(W, |cx| {
        let other = cx.external("x");
        other.signal("poke", "hey").await?;
        let refused = other.cancel("enough").await.unwrap_err();
        assert!(matches!(&refused, ExternalError::NotOpen(id) if id.as_str() == "x"));
        other.signal("poke", "again").detach()?;
        let mut dropped = other.signal("poke", "last");
        let _ = poll_once(&mut dropped).await;
        drop(dropped);
        Ok(refused.to_string())
    });
    let mut run = Run::start::<W>(&());
    let word = delivered(&run, 2);
    run.take_in(word);
    let ExternalDelivered { requested, request_id } = delivered(&run, 4);
    run.take_in(ExternalRefused { requested, request_id });
    assert_eq!(run.told()[5..], ["ExternalSignalRequested", "ExternalSignalRequested", "WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn the_words_of_nondeterminism_name_the_child() {
    workflow!(Before, |cx| Ok(cx.child(Label, &"a".to_owned()).id("one").await?));
    let run = Run::start::<Before>(&());
    workflow!(OtherId, |cx| Ok(cx.child(Label, &"a".to_owned()).id("two").await?));
    let error = run.replay_as::<OtherId>().unwrap_err().to_string();
    assert!(error.contains("ScheduleChildWorkflow Label") && error.contains("\"one\""), "{error}");
    workflow!(OtherInput, |cx| Ok(cx.child(Label, &"b".to_owned()).id("one").await?));
    let error = run.replay_as::<OtherInput>().unwrap_err().to_string();
    assert!(error.contains("the input depends"), "{error}");
    workflow!(NoId, |cx| Ok(cx.child(Label, &"a".to_owned()).await?));
    run.replays_as::<NoId>();
}
