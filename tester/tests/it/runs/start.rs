//! Runs that begin later, and calls that are sent twice.

use std::time::Duration;

use retell::client::{ReadError, RemoveError, ResultError};
use retell::prelude::*;
use retell::vocabulary::{EventId, RequestId};
use retell::write::CloseStatus;
use retell_tester::{Tester, Trouble};

const MINUTE: Duration = Duration::from_secs(60);

#[retell::workflow]
async fn greets(cx: WorkflowContext) -> WorkflowResult<String> {
    let began = cx.now();
    let name = cx.signal::<String>("name").await?;
    Ok(format!("{name} {began}"))
}

#[test]
fn a_delayed_run_begins_when_it_is_time_and_nothing_makes_it_earlier() {
    for crash in [false, true] {
        let tester = Tester::new().workflow(greets);
        let begins = tester.now() + 10 * MINUTE;
        let run = tester.start_with(greets, "later", (), |call| call.start_delay(10 * MINUTE)).unwrap();
        assert_eq!(run.history().len(), 1, "it is there");
        tester.advance(MINUTE);
        tester.start_with(greets, "later", (), |call| call.with_signal("name", "anna")).unwrap();
        run.signal("name", "bert").unwrap();
        tester.advance(MINUTE);
        assert_eq!(run.history().len(), 1, "the signals wait");
        if crash {
            tester.crash();
        }
        assert_eq!(run.result().unwrap(), format!("anna {begins}"));
    }
}

#[test]
fn a_delayed_run_holds_its_id_and_is_ended_at_once() {
    let tester = Tester::new().workflow(greets);
    let run = tester.start_with(greets, "later", (), |call| call.start_delay(10 * MINUTE)).unwrap();
    assert!(tester.start_with(greets, "later", (), |call| call).is_err());
    run.terminate("not needed").unwrap();
    assert!(matches!(run.result(), Err(ResultError::Terminated(_))));
    let cancelled = tester.start_with(greets, "later", (), |call| call.start_delay(MINUTE)).unwrap();
    let (began, cancels) = (tester.now(), cancelled.clone());
    cancels.cancel("not needed").unwrap();
    assert!(matches!(cancelled.result(), Err(ResultError::Cancelled)));
    assert!(tester.now() >= began + MINUTE, "a cancel request waits for the code");
}

#[test]
fn a_worker_that_holds_a_delayed_run_shuts_down() {
    let tester = Tester::new().workflow(greets);
    let run = tester.start_with(greets, "later", (), |call| call.start_delay(10 * MINUTE)).unwrap();
    run.signal("name", "anna").unwrap();
    tester.advance(MINUTE);
    tester.stop_worker();
    tester.start_worker();
    assert!(run.result().unwrap().starts_with("anna"));
}

#[test]
fn a_termination_sent_twice_ends_one_run() {
    let tester = Tester::new().workflow(greets);
    let first = tester.start(greets, "id", ());
    let client = tester.client();
    let handle = client.handle(greets, "id").unwrap();
    let request_id = RequestId::from_key("terminate");
    tester.call(handle.terminate_with("once", request_id)).unwrap();
    let second = tester.start(greets, "id", ());
    tester.call(handle.terminate_with("once", request_id)).unwrap();
    assert_eq!((first.closed(), second.closed()), (Some(CloseStatus::Terminated), None));
}

#[test]
fn a_closed_run_is_removed_and_an_open_one_is_not() {
    let tester = Tester::new().workflow(greets);
    let run = tester.start(greets, "id", ());
    let client = tester.client();
    let handle = client.handle(greets, "id").unwrap().with_run(run.key().run_id);
    assert!(matches!(tester.call(handle.remove()), Err(RemoveError::Open(_))));
    run.signal("name", "anna").unwrap();
    run.result().unwrap();
    for _ in 0..2 {
        tester.call(handle.remove()).unwrap();
    }
    assert!(matches!(run.describe(), Err(ReadError::NotFound)));
    assert_eq!(tester.call(client.stats()).unwrap().closed, 0);
}

#[test]
fn a_history_that_grows_too_long_parks_its_run_and_loses_nothing() {
    #[retell::workflow]
    async fn counts(cx: WorkflowContext) -> WorkflowResult<u64> {
        let mut suggested = 0;
        for _ in 0..6 {
            cx.signal::<()>("tick").await?;
            cx.sleep(Duration::from_millis(1)).await?;
            suggested = suggested.max(cx.info().history_bytes);
        }
        Ok(suggested)
    }
    let tester = Tester::new().workflow(counts).options(|options| options.history_events_max = 10);
    let run = tester.start(counts, "counts", ());
    for _ in 0..6 {
        run.signal("tick", &()).unwrap();
        tester.advance(Duration::from_millis(2));
    }
    let Err(Trouble::TaskFailed { failure, .. }) = run.try_result() else { panic!("it is not parked") };
    assert!(failure.message.contains("history_events_max"), "{}", failure.message);
    let info = run.describe().unwrap();
    assert!(info.head >= EventId(10) && info.inbox > 0, "{} {}", info.head, info.inbox);
    run.terminate("enough").unwrap();
    assert_eq!(run.closed(), Some(CloseStatus::Terminated));
}
