//! Updates: their answers, whatever becomes of the worker and of the run.

use std::time::Duration;

use retell::client::UpdateError;
use retell::history::{EventKind, UpdateRefusal};
use retell::prelude::*;
use retell::vocabulary::RequestId;
use retell::workflow::UpdateType;
use retell::write::CloseStatus;
use retell_tester::{Explorer, Tester};

const DEPOSIT: UpdateType<u64, u64> = UpdateType::new("deposit");
const CLOSE: UpdateType<String, ()> = UpdateType::new("close");
const HOUR: Duration = Duration::from_secs(3_600);

#[retell::activity]
async fn book(_cx: ActivityContext, cents: u64) -> Result<u64, ActivityError> {
    Ok(cents)
}

#[derive(Default)]
struct Balance {
    cents: u64,
    closing: Option<String>,
}

/// Takes deposits until it is told how to end.
#[retell::workflow]
async fn account(cx: WorkflowContext, cents: u64) -> WorkflowResult<u64> {
    let balance = cx.share(Balance { cents, closing: None });
    balance.handle_valid_update(
        DEPOSIT,
        |_, cents| match cents {
            0 => Err(WorkflowError::new("nothing to deposit").error_type("Nothing")),
            _ => Ok(()),
        },
        async |cx, balance, cents| {
            let booked = cx.activity(book, &cents).await?;
            Ok(balance.with(|balance| {
                balance.cents += booked;
                balance.cents
            }))
        },
    );
    balance.handle_update(CLOSE, async |_, balance, how| {
        balance.with(|balance| balance.closing = Some(how));
        Ok(())
    });
    cx.wait_until(&balance, |balance| balance.closing.is_some()).await?;
    let (cents, how) = balance.with(|balance| (balance.cents, balance.closing.take()));
    match how.as_deref() {
        Some("continue") => cx.continue_as_new(account, &cents),
        _ => Ok(cents),
    }
}

fn tester() -> Tester {
    Tester::new().workflow(account).activity(book)
}

#[test]
fn an_update_has_its_result_also_across_a_crash_and_after_the_end() {
    let tester = tester();
    let run = tester.start(account, "account", 0);
    assert_eq!(run.update(DEPOSIT, &50).unwrap(), 50);
    let request = RequestId::from_key("once");
    let sent = run.send_update_with(DEPOSIT, &70, request).unwrap();
    tester.crash();
    assert_eq!(run.answer(&sent).unwrap(), 120);
    run.update(CLOSE, &"complete".to_owned()).unwrap();
    assert_eq!(run.result().unwrap(), 120);
    let again = run.send_update_with(DEPOSIT, &70, request).unwrap();
    assert_eq!(run.answer(&again).unwrap(), 120, "sent again, it is the same update");
    assert!(matches!(run.update(DEPOSIT, &1), Err(UpdateError::Send(_))));
    assert_eq!(tester.calls().count("book"), 2);
}

#[test]
fn refusals_are_typed_and_kept() {
    let tester = tester();
    let run = tester.start(account, "account", 0);
    for (sent, wanted) in [
        (run.send_update(DEPOSIT, &0).unwrap(), UpdateRefusal::Validator),
        (run.send_update::<str, u64>("deposit", "all").unwrap(), UpdateRefusal::Argument),
        (run.send_update::<u64, u64>("withdraw", &1).unwrap(), UpdateRefusal::Unknown),
    ] {
        for _ in 0..2 {
            let error = run.answer(&sent).unwrap_err();
            assert!(matches!(&error, UpdateError::Refused { refusal, .. } if *refusal == wanted), "{error}");
        }
        assert!(matches!(tester.call(sent.accepted()), Err(UpdateError::Refused { .. })));
    }
    assert_eq!(run.update(DEPOSIT, &1).unwrap(), 1);
}

#[test]
fn an_accepted_update_can_be_waited_for() {
    let tester = tester();
    tester.fake(book).takes(HOUR).returns(5);
    let run = tester.start(account, "account", 0);
    let sent = run.send_update(DEPOSIT, &5).unwrap();
    tester.rest();
    let before = tester.now();
    tester.call(sent.accepted()).unwrap();
    assert!(tester.call(sent.try_result()).unwrap().is_none());
    assert_eq!(run.answer(&sent).unwrap(), 5);
    assert_eq!(tester.now().since(before), HOUR);
}

#[test]
fn who_waits_is_told_when_the_run_ends_first() {
    let tester = tester();
    tester.fake(book).takes(HOUR).returns(5);
    for (how, wanted) in [("complete", CloseStatus::Completed), ("continue", CloseStatus::ContinuedAsNew)] {
        let run = tester.start(account, how, 0);
        let sent = run.send_update(DEPOSIT, &5).unwrap();
        tester.rest();
        run.update(CLOSE, &how.to_owned()).unwrap();
        let error = run.answer(&sent).unwrap_err();
        assert!(matches!(&error, UpdateError::RunEnded { status, .. } if *status == wanted), "{error}");
        assert!(!run.has_event(
            |kind| matches!(kind, EventKind::UpdateCompleted(body) if body.request_id == sent.request_id())
        ));
    }
    let run = tester.start(account, "terminated", 0);
    let sent = run.send_update(DEPOSIT, &5).unwrap();
    tester.rest();
    run.terminate("enough").unwrap();
    let error = run.answer(&sent).unwrap_err();
    assert!(matches!(error, UpdateError::RunEnded { status: CloseStatus::Terminated, .. }), "{error}");
}

#[test]
fn an_update_that_nobody_has_read_goes_to_the_next_run() {
    let tester = tester();
    let run = tester.start(account, "account", 7);
    tester.stop_worker();
    let close = run.send_update(CLOSE, &"continue".to_owned()).unwrap();
    let deposit = run.send_update(DEPOSIT, &5).unwrap();
    tester.start_worker();
    run.answer(&close).unwrap();
    assert_eq!(run.answer(&deposit).unwrap(), 12);
    assert_eq!(run.histories().len(), 2);
}

#[test]
fn an_update_starts_its_run_or_reaches_the_open_one() {
    let tester = tester();
    // A run of another ID, for the worker's sake.
    tester.start(account, "other", 0);
    let client = tester.client();
    for (cents, wanted) in [(5, 5), (6, 11)] {
        let call = client.start(account, "account", 0).with_update(DEPOSIT, &cents);
        let (_, sent) = tester.call(call.into_future()).unwrap();
        let started = client.handle(account, "account").unwrap();
        tester.rest();
        assert_eq!(tester.call(sent.try_result()).unwrap(), Some(wanted));
        assert_eq!(tester.call(started.sent_update::<u64>(sent.request_id()).result()).unwrap(), wanted);
    }
}

#[retell::workflow]
async fn clumsy(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.share(()).handle_update(DEPOSIT, async |_, _, cents: u64| Ok(100 / cents));
    Ok(cx.sleep(HOUR).await?)
}

#[test]
#[should_panic(expected = "divide by zero")]
fn who_waits_for_an_update_is_told_that_its_task_fails() {
    let tester = Tester::new().workflow(clumsy);
    let _ = tester.start(clumsy, "clumsy", ()).update(DEPOSIT, &0);
}

#[test]
#[should_panic(expected = "divide by zero")]
fn who_waits_for_an_event_is_told_that_its_task_fails() {
    let tester = Tester::new().workflow(clumsy);
    let run = tester.start(clumsy, "clumsy", ());
    run.send_update(DEPOSIT, &0).unwrap();
    run.wait_for(|kind| matches!(kind, EventKind::TimerFired(_)));
}

/// An account that is closed, or goes on as a new run, at any time: what its depositors may be told.
fn closes(how: &str) -> Explorer {
    Explorer::new(|tester| {
        let tester = tester.workflow(account).activity(book);
        tester.start(account, "account", 0);
        tester
    })
    .update("account", "deposit", &5)
    .update("account", "deposit", &0)
    .update("account", "close", how)
    .may_stay_open()
    .always("a deposit that was told is booked, and one of nothing is not", |ending| {
        let told = ending.answer::<u64>("account: update deposit");
        let refused = ending.answer::<u64>("account: update deposit (2)");
        let closed = ending.answer::<()>("account: update close");
        matches!(told, None | Some(Ok(5) | Err(UpdateError::RunEnded { .. })))
            && matches!(refused, None | Some(Err(UpdateError::Refused { .. } | UpdateError::RunEnded { .. })))
            && matches!(closed, None | Some(Ok(()) | Err(UpdateError::RunEnded { .. })))
            && told.is_none_or(|told| told.is_err() || ending.calls().count("book") >= 1)
    })
}

#[test]
fn no_order_answers_an_update_twice_or_never() {
    let explored = closes("complete").crashes(1).run();
    assert!(explored.complete(), "{explored}");
}

#[test]
fn an_update_is_answered_in_every_order_with_continue_as_new() {
    let explored = closes("continue").duplicates(1).run();
    assert!(explored.complete(), "{explored}");
}

#[test]
fn an_update_that_nobody_answers_is_found() {
    #[retell::workflow]
    async fn deaf(cx: WorkflowContext) -> WorkflowResult<()> {
        Ok(cx.signal("end").await?)
    }
    let explore = || {
        Explorer::new(|tester| {
            let tester = tester.workflow(deaf);
            tester.start(deaf, "deaf", ());
            tester
        })
        .update("deaf", "deposit", &5)
        .signal("deaf", "end", &())
    };
    let told = |ending: &retell_tester::Ending<'_>| {
        !ending.accepted("deaf: update deposit") || ending.answer::<()>("deaf: update deposit").is_some()
    };
    assert!(explore().always("its caller is told", told).run().complete());
    let never = |ending: &retell_tester::Ending<'_>| ending.answer::<()>("deaf: update deposit").is_none();
    let violation = explore().always("nobody is told", never).try_run().unwrap_err();
    assert!(violation.to_string().contains("deaf: update deposit"), "{violation}");
}
