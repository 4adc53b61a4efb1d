//! Async handlers of signals: in which order they run, and how they and their run end.

use std::sync::Arc;

use retell::workflow::{Mutex, SignalType, WorkflowError};

use super::kit::*;

const SHIP: SignalType<String> = SignalType::new("ship");

#[test]
fn handlers_begin_in_order_and_run_side_by_side() {
    workflow!(W, |cx| {
        let shipped = cx.share(Vec::new());
        shipped.handle_signal_async(SHIP, async |cx, shipped, item: String| {
            let item = cx.activity(Ship, &item).await?;
            shipped.with(|shipped| shipped.push(item));
            Ok(())
        });
        cx.wait_until(&shipped, |shipped| shipped.len() == 2).await?;
        Ok(shipped.read(|shipped| shipped.join(" ")))
    });
    let mut run = Run::start::<W>(&());
    run.signal("ship", "a").signal("ship", "b");
    assert_eq!(run.told()[1..], ["signal ship a", "scheduled Ship a", "signal ship b", "scheduled Ship b"]);
    run.complete(5, "second").complete(3, "first");
    assert_eq!(run.result(), "second first");
    run.replays_as::<W>();
}

#[test]
fn a_mutex_lets_them_run_one_after_another() {
    workflow!(W, |cx| {
        let shipped = cx.share(0);
        let turn = Arc::new(Mutex::new(()));
        shipped.handle_signal_async(SHIP, move |cx, shipped, item: String| {
            let turn = turn.clone();
            async move {
                let _turn = turn.lock().await;
                cx.activity(Ship, &item).await?;
                shipped.with(|shipped| *shipped += 1);
                Ok(())
            }
        });
        cx.wait_until(&shipped, |shipped| *shipped == 2).await?;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    run.signal("ship", "a").signal("ship", "b");
    assert_eq!(run.told()[1..], ["signal ship a", "scheduled Ship a", "signal ship b"]);
    run.complete(3, "").complete(6, "");
    assert!(run.machine.is_closed());
    run.replays_as::<W>();
}

#[test]
fn whoever_waits_for_handlers_waits_for_those_whose_signals_came_before() {
    workflow!(W, |cx| {
        cx.sleep(seconds(1)).await?;
        let shipped = cx.share(String::new());
        shipped.handle_signal_async(SHIP, async |cx, shipped, item: String| {
            let item = cx.activity(Ship, &item).await?;
            shipped.with(|shipped| shipped.push_str(&item));
            Ok(())
        });
        shipped.handle_signal("note", |shipped, note: String| shipped.push_str(&note));
        cx.handlers_finished().await?;
        Ok(shipped.read(String::clone))
    });
    // One that is set aside is waited for no longer than that.
    for undecodable in [false, true] {
        let mut run = Run::start::<W>(&());
        run.signal("note", "noted ");
        match undecodable {
            true => _ = run.signal("ship", &7).fire(),
            false => _ = run.signal("ship", "a").fire().complete(6, "shipped"),
        }
        assert_eq!(run.result(), if undecodable { "noted " } else { "noted shipped" });
        run.replays_as::<W>();
    }
}

workflow!(Ends, |cx| {
    let ended = cx.share(false);
    ended.handle_signal_async(SHIP, async |cx, _, item: String| {
        cx.activity(Ship, &item).await?;
        Ok(())
    });
    ended.handle_signal("end", |ended, (): ()| *ended = true);
    cx.wait_until(&ended, |ended| *ended).await?;
    cx.continue_as_new(Ends, &())
});

#[test]
fn a_handler_that_runs_at_the_end_is_dropped_and_its_signal_was_read() {
    let mut run = Run::start::<Ends>(&());
    run.signal("ship", "a").signal("end", &());
    assert_eq!(run.told()[4..], ["cancelled 3", "WorkflowContinuedAsNew"]);
    assert!(run.machine.unread().is_empty());
    run.replays_as::<Ends>();
}

#[test]
fn an_error_of_a_handler_fails_the_run_and_nothing_of_it_goes_on() {
    workflow!(W, |cx| {
        let shipped = cx.share(());
        shipped.handle_signal_async(SHIP, async |_, shipped, item: String| {
            shipped.with(|()| ());
            Err(WorkflowError::new(format!("no {item} is left")))
        });
        // Woken at the same event, behind the handler.
        let mut first = true;
        cx.wait_until(&shipped, move |()| !std::mem::take(&mut first)).await?;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    run.signal("ship", "tea");
    assert_eq!(&*run.failure().message, "no tea is left");
    assert!(run.machine.is_closed());
    run.replays_as::<W>();
}

#[test]
fn a_cancel_request_ends_what_a_handler_awaits_and_not_the_run() {
    workflow!(W, |cx| {
        let shipped = cx.share(0);
        shipped.handle_signal_async(SHIP, async |cx, shipped, item: String| {
            let cancelled = cx.activity(Ship, &item).await.is_err();
            shipped.with(|shipped| *shipped += u32::from(cancelled));
            cx.sleep(seconds(1)).await?;
            unreachable!("it is cancelled");
        });
        let shielded = cx.shielded();
        shielded.wait_until(&shipped, |shipped| *shipped == 1).await?;
        shielded.activity(Bill, &String::new()).await?;
        cx.shielded().handlers_finished().await?;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    run.signal("ship", "a").cancel();
    assert_eq!(run.told()[4..], ["cancelled 3", "scheduled Bill "]);
    run.complete(6, "");
    assert!(run.machine.is_closed());
    run.replays_as::<W>();
}
