//! A cancel request, and what it does to awaits.

use futures::future::join_all;
use retell::history::EventKind;
use retell::vocabulary::FailureKind;
use retell::workflow::{CallError, WorkflowError};

use super::kit::*;

#[test]
fn each_pending_await_resolves_once_in_the_order_of_first_polls() {
    workflow!(W, |cx| {
        let mut order = Vec::new();
        let mut all = futures::stream::FuturesUnordered::new();
        for name in ["a", "b", "c"] {
            let cx = cx.clone();
            all.push(Box::pin(async move {
                let (first, second) = match name {
                    "a" => (cx.sleep(seconds(9)).await, cx.sleep(seconds(9)).await),
                    "b" => (cx.activity(Ship, &name.to_owned()).await.map(drop), Ok(())),
                    _ => (cx.signal::<String>("never").await.map(drop), Ok(())),
                };
                format!("{name} {} {}", first.is_err(), second.is_err())
            }) as std::pin::Pin<Box<dyn Future<Output = String> + Send>>);
        }
        while let Some(done) = futures::StreamExt::next(&mut all).await {
            order.push(done);
        }
        Ok(order.join(", "))
    });
    let mut run = Run::start::<W>(&());
    run.cancel();
    assert_eq!(
        run.told()[3..],
        ["WorkflowCancelRequested", "timer cancelled 2", "cancelled 3", "WorkflowCompleted"]
    );
    assert_eq!(run.result(), "a true true, b true false, c true false");
    run.replays_as::<W>();
}

#[test]
fn a_run_that_returns_the_cancellation_is_cancelled() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let mut run = Run::start::<W>(&());
    run.cancel();
    assert_eq!(run.told()[2..], ["WorkflowCancelRequested", "cancelled 2", "WorkflowCancelled"]);
    run.replays_as::<W>();
}

#[test]
fn a_cancellation_wrapped_in_the_users_error_is_still_one() {
    #[derive(Debug, thiserror::Error)]
    #[error("shipping failed")]
    struct Shipping(#[source] CallError);
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await.map_err(Shipping)?));
    let mut run = Run::start::<W>(&());
    run.cancel();
    assert_eq!(run.told().last().unwrap(), "WorkflowCancelled");
}

#[test]
fn a_cancellation_that_nobody_asked_for_is_a_failure() {
    workflow!(W, |_cx| Err(WorkflowError::from(CallError::Cancelled)));
    let run = Run::start::<W>(&());
    assert_eq!(run.failure().kind, FailureKind::Cancelled);
}

#[test]
fn later_calls_outside_a_shield_are_cancelled_at_once_and_ask_for_nothing() {
    workflow!(W, |cx| {
        let _ = cx.sleep(seconds(1)).await;
        assert!(cx.is_cancelled());
        assert_eq!(cx.sleep(seconds(1)).await, Err(CallError::Cancelled));
        assert_eq!(cx.signal::<String>("waiting").await, Err(CallError::Cancelled));
        assert_eq!(cx.side_effect(|| 1).await, Err(CallError::Cancelled));
        assert_eq!(cx.activity(Ship, &String::new()).await, Err(CallError::Cancelled));
        assert_eq!(cx.activity(Ship, &String::new()).detach(), Err(CallError::Cancelled));
        Ok(cx.shielded().activity(Ship, &"clean up".to_owned()).await?)
    });
    let mut run = Run::start::<W>(&());
    run.signal("waiting", "x").cancel().complete(6, "cleaned");
    assert_eq!(
        run.told()[3..],
        [
            "WorkflowCancelRequested",
            "timer cancelled 2",
            "scheduled Ship clean up",
            "completed 6",
            "WorkflowCompleted"
        ]
    );
    run.replays_as::<W>();
}

#[test]
fn a_shielded_await_goes_on_and_a_second_request_changes_nothing() {
    workflow!(W, |cx| {
        let shielded = cx.shielded();
        let (shipped, slept) =
            futures::future::join(shielded.activity(Ship, &"a".to_owned()), cx.sleep(seconds(1))).await;
        assert!(slept.is_err());
        Ok(shipped?)
    });
    let mut run = Run::start::<W>(&());
    run.cancel().cancel();
    assert_eq!(run.machine.unread(), [], "the first was seen, and the second is nothing new");
    run.complete(2, "shipped");
    assert_eq!(
        run.told()[3..],
        [
            "WorkflowCancelRequested",
            "timer cancelled 3",
            "WorkflowCancelRequested",
            "completed 2",
            "WorkflowCompleted"
        ]
    );
    run.replays_as::<W>();
}

#[test]
fn cancel_and_completion_in_one_batch_agree_in_both_orders() {
    workflow!(W, |cx| {
        match cx.activity(Ship, &"a".to_owned()).await {
            Ok(shipped) => Ok(shipped),
            Err(error) => Err(error.into()),
        }
    });
    let mut completed_first = Run::start::<W>(&());
    completed_first.complete(2, "shipped");
    assert_eq!(completed_first.result(), "shipped");
    let cancel = completed_first.cancel_event();
    completed_first.machine.absorb(cancel, &mut completed_first.events);
    assert_eq!(completed_first.told()[2..], ["completed 2", "WorkflowCancelRequested", "WorkflowCompleted"]);
    completed_first.replays_as::<W>();

    workflow!(Patient, |cx| {
        let cancelled = cx.activity(Ship, &"a".to_owned()).await.is_err();
        cx.shielded().sleep(seconds(1)).await?;
        Ok(cancelled.to_string())
    });
    let mut cancelled_first = Run::start::<Patient>(&());
    cancelled_first.cancel().complete(2, "too late").fire();
    assert_eq!(
        cancelled_first.told()[2..],
        ["WorkflowCancelRequested", "cancelled 2", "timer 1s", "completed 2", "fired 5", "WorkflowCompleted"]
    );
    assert_eq!(cancelled_first.result(), "true");
    cancelled_first.replays_as::<Patient>();
}

#[test]
fn a_cancel_request_before_the_first_await_is_kept_for_it() {
    workflow!(W, |cx| {
        let waited = join_all((0..3).map(|_| cx.signal::<String>("go"))).await;
        Ok(waited.iter().filter(|message| message.is_err()).count().to_string())
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "1").cancel();
    assert_eq!(run.result(), "2");
    run.replays_as::<W>();
}

#[test]
fn a_cancelled_receiver_leaves_its_message_to_a_shielded_one() {
    workflow!(W, |cx| {
        // The outer future keeps both receivers from being polled when the message comes.
        let mut open = cx.signal::<String>("go");
        let mut shielded = cx.shielded().signal::<String>("go");
        let _ = poll_once(&mut open).await;
        let _ = poll_once(&mut shielded).await;
        cx.shielded().sleep(seconds(1)).await?;
        assert_eq!(open.await, Err(CallError::Cancelled));
        Ok(shielded.await?)
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "message").cancel().fire();
    assert_eq!(run.result(), "message");
    run.replays_as::<W>();
}

#[test]
fn cancelled_activities_are_open_no_more() {
    workflow!(W, |cx| {
        let _ = cx.activity(Ship, &"a".to_owned()).await;
        cx.shielded().sleep(seconds(1)).await?;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    assert_eq!(run.machine.open_activities().len(), 1);
    run.cancel();
    assert_eq!(run.machine.open_activities(), []);
    assert!(matches!(run.events[3].kind, EventKind::ActivityCancelled(_)));
}

#[test]
fn a_cancelled_side_effect_may_drop_what_is_ours() {
    workflow!(W, |cx| {
        let mut slept = cx.sleep(seconds(9));
        let _ = poll_once(&mut slept).await;
        // The closure owns a pending call: dropping the one drops the other.
        let effect = cx.side_effect(move || drop(slept));
        assert_eq!(effect.await, Err(CallError::Cancelled));
        Ok("end".to_owned())
    });
    let mut run = Run::start::<W>(&());
    run.cancel();
    assert_eq!(run.told()[3..], ["WorkflowCancelRequested", "timer cancelled 2", "WorkflowCompleted"]);
    run.replays_as::<W>();
}

#[test]
fn receivers_are_woken_in_order_though_messages_were_left() {
    workflow!(W, |cx| {
        let mut told = Vec::new();
        let mut branches = futures::stream::FuturesUnordered::<futures::future::BoxFuture<'_, String>>::new();
        // Woken for a message, and not polled again until it is cancelled.
        let mut held = cx.signal::<u64>("go");
        let _ = poll_once(&mut held).await;
        for n in 0..3 {
            let cx = cx.clone();
            branches.push(Box::pin(async move {
                let name = if n == 1 { "other" } else { "go" };
                format!("{n} {:?}", cx.signal::<u64>(name).await.is_err())
            }));
        }
        while let Some(next) = futures::StreamExt::next(&mut branches).await {
            told.push(next);
        }
        assert!(held.await.is_err());
        Ok(told.join(", "))
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", &1).cancel();
    assert_eq!(run.result(), "0 false, 1 true, 2 true");
    run.replays_as::<W>();
}
