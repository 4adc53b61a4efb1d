//! Cancellation scopes: what their cancelling ends, and what it leaves alone.

use retell::workflow::CallError;

use super::kit::*;

#[test]
fn a_cancelled_scope_ends_its_own_awaits_in_the_order_of_first_polls() {
    workflow!(W, |cx| {
        let scope = cx.scope();
        let inner = scope.cx().scope();
        let shielded = scope.cx().shielded();
        let outside = async { cx.activity(Ship, &"outside".to_owned()).await };
        let (outside, first, nested, kept, ()) = retell::join!(
            outside,
            scope.cx().activity(Ship, &"in".to_owned()),
            inner.cx().sleep(seconds(9)),
            shielded.activity(Bill, &"shielded".to_owned()),
            async {
                let _ = cx.signal::<String>("go").await;
                scope.cancel();
                scope.cancel();
                assert!(inner.is_cancelled() && scope.cx().is_cancelled() && !cx.is_cancelled());
            }
        );
        assert_eq!((first, nested), (Err(CallError::Cancelled), Err(CallError::Cancelled)));
        assert_eq!(inner.cx().sleep(seconds(1)).await, Err(CallError::Cancelled));
        Ok(format!("{} {}", outside?, kept?))
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "now").complete(5, "kept").complete(3, "late").complete(2, "there");
    assert_eq!(
        run.told()[5..],
        [
            "signal go now",
            "cancelled 3",
            "timer cancelled 4",
            "completed 5",
            "completed 3",
            "completed 2",
            "WorkflowCompleted"
        ]
    );
    assert_eq!(run.result(), "there kept");
    run.replays_as::<W>();
}

#[test]
fn an_inner_scope_leaves_the_outer_one_alone_and_a_shielded_one_has_its_own_handle() {
    workflow!(W, |cx| {
        let outer = cx.scope();
        let inner = outer.cx().scope();
        let apart = cx.shielded().scope();
        let (inside, around, apart) = retell::join!(
            inner.cx().signal::<String>("never"),
            async {
                inner.cancel();
                outer.cx().activity(Ship, &"around".to_owned()).await
            },
            async {
                let first = apart.cx().sleep(seconds(5)).await;
                apart.cancel();
                (first.is_ok(), apart.cx().sleep(seconds(5)).await.is_err())
            },
        );
        Ok(format!("{} {} {apart:?}", inside.is_err(), around.is_err()))
    });
    let mut run = Run::start::<W>(&());
    run.cancel().fire();
    assert_eq!(
        run.told()[1..],
        [
            "scheduled Ship around",
            "timer 5s",
            "WorkflowCancelRequested",
            "cancelled 2",
            "fired 3",
            "WorkflowCompleted"
        ]
    );
    assert_eq!(run.result(), "true true (true, true)");
    run.replays_as::<W>();
}

#[test]
fn a_cancel_request_counts_as_unread_if_only_a_scope_was_cancelled() {
    workflow!(W, |cx| {
        let scope = cx.scope();
        scope.cancel();
        let _ = scope.cx().sleep(seconds(1)).await;
        let _ = cx.shielded().signal::<String>("go").await;
        let _ = scope.cx().shielded().scope().cx().signal::<String>("go").await;
        cx.continue_as_new(W, &())
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "1").cancel().signal("go", "2");
    assert_eq!(run.machine.unread().len(), 1, "the request goes to the next run");
    run.replays_as::<W>();
}

#[test]
fn a_message_that_a_cancelled_receiver_was_woken_for_goes_to_the_next() {
    workflow!(W, |cx| {
        let scope = cx.scope();
        let mut in_scope = scope.cx().signal::<String>("go");
        let _ = poll_once(&mut in_scope).await;
        let (next, ()) = retell::join!(cx.signal::<String>("go"), async {
            let _ = cx.sleep(seconds(1)).await;
            scope.cancel();
        });
        assert!(in_scope.await.is_err());
        Ok(next?)
    });
    let mut run = Run::start::<W>(&());
    run.fire().signal("go", "message");
    assert_eq!(run.result(), "message");
    run.replays_as::<W>();
}

#[test]
fn many_scopes_in_a_row_leave_nothing_behind() {
    workflow!(W, |cx| {
        for _ in 0..1_000 {
            let scope = cx.scope();
            let mut wait = scope.cx().signal::<String>("never");
            let _ = poll_once(&mut wait).await;
            scope.cancel();
            assert!(wait.await.is_err());
        }
        Ok(cx.signal("go").await?)
    });
    let mut run = Run::start::<W>(&());
    let bytes = run.machine.bytes_estimate();
    assert!(bytes < 10_000, "{bytes}");
    run.signal("go", "end");
    assert_eq!(run.result(), "end");
}
