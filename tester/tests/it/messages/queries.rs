//! Queries of live and closed runs, by a process that does not hold them.

use std::time::Duration;

use retell::client::QueryError;
use retell::prelude::*;
use retell::replay::QueryFault;
use retell::workflow::{QueryType, SignalType};
use retell_tester::Tester;

const ADD: SignalType<u64> = SignalType::new("add");
const TOTAL: QueryType<(), u64> = QueryType::new("total");
const SHARE: QueryType<u64, u64> = QueryType::new("share");

#[retell::workflow]
async fn tally(cx: WorkflowContext, goal: u64) -> WorkflowResult<u64> {
    let total = cx.share(0);
    total.handle_signal(ADD, |total, more| *total += more);
    total.handle_query(TOTAL, |total, ()| *total);
    total.handle_query(SHARE, |total, parts| total / parts);
    cx.wait_until(&total, move |total| *total >= goal).await?;
    cx.sleep(Duration::from_secs(3_600)).await?;
    Ok(total.read(|total| *total))
}

#[test]
fn a_query_is_answered_live_after_a_crash_and_after_the_end() {
    let tester = Tester::new().workflow(tally);
    let run = tester.start(tally, "tally", 3);
    assert_eq!(run.query(TOTAL, &()).unwrap(), 0);
    run.signal(ADD, &2).unwrap();
    tester.rest();
    assert_eq!(run.query(TOTAL, &()).unwrap(), 2);
    tester.crash();
    run.signal(ADD, &2).unwrap();
    tester.rest();
    assert_eq!(run.query(SHARE, &2).unwrap(), 2);
    let events = run.history().len();
    assert_eq!(run.query::<(), u64>("total", &()).unwrap(), 4);
    assert_eq!(run.history().len(), events, "a query leaves no event");
    assert_eq!(run.result().unwrap(), 4);
    assert_eq!(run.query(TOTAL, &()).unwrap(), 4);
}

#[test]
fn bad_queries_are_typed_errors_and_the_run_goes_on() {
    let tester = Tester::new().workflow(tally);
    let run = tester.start(tally, "tally", 1);
    let error = run.query(SHARE, &0).unwrap_err();
    assert!(matches!(error, QueryError::Refused(QueryFault::Panicked(_))), "{error}");
    let error = run.query::<str, u64>("share", "no number").unwrap_err();
    assert!(matches!(error, QueryError::Refused(QueryFault::Argument(_))), "{error}");
    let error = run.query::<(), String>("total", &()).unwrap_err();
    assert!(matches!(error, QueryError::Payload(_)), "{error}");
    let error = run.query::<(), u64>("average", &()).unwrap_err();
    assert!(error.to_string().contains("total"), "{error}");
    run.signal(ADD, &1).unwrap();
    assert_eq!(run.result().unwrap(), 1);
}
