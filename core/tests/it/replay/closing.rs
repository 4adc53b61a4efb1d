//! How runs end: what is cancelled, what is left unread, what comes too late, and how a run goes on as a new one.

use retell::history::{EventKind, WorkflowContinuedAsNew, WorkflowTerminated};
use retell::vocabulary::EventId;
use retell::workflow::{WorkflowError, WorkflowResult};

use super::kit::*;

#[test]
fn what_is_open_is_cancelled_in_order_of_issue_before_the_closing_event() {
    workflow!(W, |cx| {
        cx.activity(Ship, &"a".to_owned()).detach()?;
        let mut sleep = cx.sleep(seconds(9));
        let _ = poll_once(&mut sleep).await;
        // Never dropped: the engine cancels what stays open, whoever holds it.
        std::mem::forget(sleep);
        cx.activity(Bill, &"b".to_owned()).detach()?;
        cx.signal::<String>("go").await?;
        Ok("end".to_owned())
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "");
    assert_eq!(run.told()[5..], ["cancelled 2", "timer cancelled 3", "cancelled 4", "WorkflowCompleted"]);
    assert!(run.machine.is_closed());
    assert_eq!((run.machine.open_activities().len(), run.machine.next_due()), (0, None));
    assert!(run.replays_as::<W>().is_closed());
}

#[test]
fn messages_that_come_before_a_refused_closing_event_are_absorbed_and_replay() {
    workflow!(W, |cx| {
        cx.activity(Ship, &"a".to_owned()).detach()?;
        cx.signal::<String>("go").await?;
        cx.continue_as_new(W, &())
    });
    let mut run = Run::start::<W>(&());
    run.signal("other", "unread").signal("go", "");
    let (late, cancel) = (run.signal_event("go", "late"), run.cancel_event());
    run.machine.absorb(late.clone(), &mut run.events);
    run.machine.absorb(cancel.clone(), &mut run.events);
    assert_eq!(
        run.told()[2..],
        [
            "signal other unread",
            "signal go ",
            "cancelled 2",
            "signal go late",
            "WorkflowCancelRequested",
            "WorkflowContinuedAsNew",
        ]
    );
    let ids: Vec<_> = run.events.iter().map(|event| event.id.0).collect();
    assert_eq!(ids, (1..=8).collect::<Vec<_>>());
    assert_eq!(run.machine.head(), EventId(8));
    let unread = run.machine.unread();
    assert_eq!(unread, [run.events[2].kind.clone(), late, cancel]);
    let replayed = run.replays_as::<W>();
    assert_eq!(replayed.unread(), unread);
    assert!(replayed.is_closed());
}

fn successor(run: &Run) -> &WorkflowContinuedAsNew {
    match &run.events.last().unwrap().kind {
        EventKind::WorkflowContinuedAsNew(body) => body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_continues_as_new_under_an_id_that_replay_finds_again() {
    struct Other;
    impl retell::workflow::Workflow for Other {
        type Input = u32;
        type Output = ();
        const NAME: &'static str = "other";
        const VERSION: u32 = 3;
        async fn run(_cx: retell::workflow::WorkflowContext, _input: u32) -> WorkflowResult<()> {
            Ok(())
        }
    }
    workflow!(W, |cx| cx.continue_as_new(Other, &7));
    let run = Run::start::<W>(&());
    let body = successor(&run);
    assert_eq!((body.workflow.to_string(), body.input.decode::<u32>()), ("other v3".to_owned(), Ok(7)));
    let id = body.new_run_id.0;
    assert_eq!(id.get_version_num(), 7);
    let (secs, nanos) = id.get_timestamp().unwrap().to_unix();
    assert_eq!((secs, nanos), (1_700_000_000, 0));
    assert_eq!(successor(&Run::start::<W>(&())).new_run_id.0, id);
    run.replays_as::<W>();
}

#[test]
fn a_cancel_request_that_an_await_has_seen_is_not_left_to_the_successor() {
    workflow!(Seen, |cx| {
        let _ = cx.sleep(seconds(1)).await;
        cx.continue_as_new(Seen, &())
    });
    let mut run = Run::start::<Seen>(&());
    run.cancel();
    assert_eq!(run.machine.unread(), []);

    workflow!(Unseen, |cx| {
        cx.shielded().sleep(seconds(1)).await?;
        cx.continue_as_new(Unseen, &())
    });
    let mut run = Run::start::<Unseen>(&());
    run.cancel().fire();
    assert_eq!(run.machine.unread(), [run.events[2].kind.clone()]);
}

#[test]
fn a_user_error_fails_the_run_with_its_type_and_details() {
    workflow!(W, |_cx| Err(WorkflowError::new("rejected")
        .error_type("Rejected")
        .details(&7)
        .non_retryable()));
    let run = Run::start::<W>(&());
    let failure = run.failure();
    assert_eq!(
        (&*failure.error_type, &*failure.message, failure.non_retryable),
        ("Rejected", "rejected", true)
    );
    assert_eq!(failure.details.as_ref().unwrap().decode::<u8>(), Ok(7));
    run.replays_as::<W>();
}

#[test]
fn a_terminated_history_replays_and_closes() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let mut run = Run::start::<W>(&());
    let terminated = WorkflowTerminated { reason: "enough".into(), reset_as: None };
    run.take_in(terminated.clone());
    assert!(run.replays_as::<W>().is_closed());

    let mut before_its_first_task = Run::start::<W>(&());
    before_its_first_task.events.truncate(1);
    let mut event = run.events.last().unwrap().clone();
    event.id = EventId(2);
    before_its_first_task.events.push(event);
    assert!(before_its_first_task.replays_as::<W>().is_closed());
}

#[test]
fn the_commands_of_event_1_are_asked_for_again_if_the_first_task_was_never_committed() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let mut run = Run::start::<W>(&());
    let whole = run.told();
    run.events.truncate(1);
    run.machine = run.replays_as::<W>();
    run.machine.first_commands(run.now, &mut run.events);
    assert_eq!(run.told(), whole);
    run.machine.first_commands(run.now, &mut run.events);
    assert_eq!(run.told(), whole);
    run.complete(2, "end");
    assert_eq!(run.result(), "end");
    run.replays_as::<W>();
}

#[test]
fn dropping_the_machine_records_nothing_and_drops_what_the_code_holds() {
    struct Noted(std::sync::Arc<std::sync::atomic::AtomicBool>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    static DROPPED: std::sync::Mutex<Option<std::sync::Arc<std::sync::atomic::AtomicBool>>> =
        std::sync::Mutex::new(None);
    let dropped = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    *DROPPED.lock().unwrap() = Some(dropped.clone());
    workflow!(W, |cx| {
        let noted = Noted(DROPPED.lock().unwrap().clone().unwrap());
        // The closure keeps the context, and so the world, alive: no cycle may outlive the machine.
        let held = cx.clone();
        let effect = cx.side_effect(move || {
            drop(noted);
            held.run().to_string()
        });
        let _ = futures::future::join(effect, cx.activity(Ship, &"a".to_owned())).await;
        Ok(String::new())
    });
    let run = Run::start::<W>(&());
    let events = run.events.clone();
    drop(run.machine);
    assert_eq!(events, run.events);
    assert!(dropped.load(std::sync::atomic::Ordering::SeqCst));
}
