//! Headers: from a client into the run, and from there into all that it calls.

use std::time::Duration;

use retell::history::{EventKind, PayloadText};
use retell::prelude::*;
use retell::vocabulary::Headers;
use retell::workflow::{SignalType, UpdateType};
use retell_tester::{TestRun, Tester};

use super::{Tenant, of, tenant};

const DONE: SignalType<()> = SignalType::new("done");
const WHO: UpdateType<(), [Option<Tenant>; 3]> = UpdateType::new("who");
const HOUR: Duration = Duration::from_secs(3_600);

#[retell::activity]
async fn whose(cx: ActivityContext, fails: u32) -> Result<Option<Tenant>, ActivityError> {
    if cx.attempt().0 <= fails {
        return Err(ActivityError::new("Again", "not yet"));
    }
    Ok(cx.propagated()?)
}

fn patient() -> RetryPolicy {
    RetryPolicy::fixed(HOUR)
}

/// The tenant, as the code sees it, an activity, a local one, and a step.
#[retell::workflow]
async fn asks(cx: WorkflowContext, fails: u32) -> WorkflowResult<[Option<Tenant>; 4]> {
    let called = cx.activity(whose, &fails).retry(patient()).await?;
    let local = cx.local_activity(whose, &0).await?;
    let step = cx.step("whose", &(), async |cx, ()| Ok(cx.propagated::<Tenant>()?)).await?;
    Ok([cx.propagated()?, called, local, step])
}

fn tester() -> Tester {
    Tester::new().workflow(asks).workflow(rounds).workflow(served).workflow(hears).activity(whose)
}

fn start<W: Workflow, M>(
    tester: &Tester,
    workflow: impl NamesWorkflow<W, M>,
    input: W::Input,
    headers: &Headers,
) -> TestRun<W> {
    tester.start_with(workflow, "run", input, |call| call.headers(headers.clone())).unwrap()
}

/// The tenants that a run's events carry.
fn carried<W: Workflow>(run: &TestRun<W>) -> Vec<String> {
    let carried = |kind: &EventKind| {
        let headers = match kind {
            EventKind::WorkflowStarted(body) => &body.headers,
            EventKind::ActivityScheduled(body) => &body.headers,
            EventKind::SignalReceived(body) => &body.headers,
            EventKind::WorkflowContinuedAsNew(body) => &body.headers,
            _ => return None,
        };
        headers.payload("tenant").map(|tenant| format!("{} {}", kind.name(), PayloadText(tenant)))
    };
    run.histories()
        .iter()
        .flat_map(|(_, events)| events.iter().filter_map(|event| carried(&event.kind)))
        .collect()
}

#[test]
fn a_start_s_headers_are_seen_by_the_code_and_by_all_that_it_calls() {
    let tester = tester();
    let run = start(&tester, asks, 0, &of("acme"));
    assert_eq!(run.result().unwrap(), [const { None }; 4].map(|_: Option<()>| Some(tenant("acme"))));
    let none = tester.start(asks, "without", 0);
    assert_eq!(none.result().unwrap(), [const { None }; 4]);
}

#[test]
fn retries_and_another_worker_see_the_same_headers() {
    let tester = tester();
    tester.after(HOUR / 2, |tester| tester.crash());
    tester.after(HOUR + HOUR / 2, |tester| tester.crash());
    let run = start(&tester, asks, 2, &of("acme"));
    assert_eq!(run.result().unwrap()[1], Some(tenant("acme")));
}

#[retell::workflow]
async fn rounds(cx: WorkflowContext, left: u32) -> WorkflowResult<Option<Tenant>> {
    if left > 0 {
        return cx.continue_as_new(rounds, &(left - 1));
    }
    Ok(cx.activity(whose, &0).await?)
}

#[test]
fn headers_go_on_with_a_run_that_continues_as_new() {
    let tester = tester();
    let run = start(&tester, rounds, 2, &of("acme"));
    assert_eq!(run.result().unwrap(), Some(tenant("acme")));
    assert_eq!(
        carried(&run),
        [
            r#"WorkflowStarted "acme""#,
            r#"WorkflowContinuedAsNew "acme""#,
            r#"WorkflowStarted "acme""#,
            r#"WorkflowContinuedAsNew "acme""#,
            r#"WorkflowStarted "acme""#,
            r#"ActivityScheduled "acme""#,
        ]
    );
}

/// What the handler sees, what an activity that it calls does, and what the main body does.
#[retell::workflow]
async fn served(cx: WorkflowContext) -> WorkflowResult<()> {
    let shared = cx.share(());
    let main = cx.clone();
    shared.handle_update(WHO, move |cx: WorkflowContext, _, ()| {
        let main = main.clone();
        async move { Ok([cx.propagated()?, cx.activity(whose, &0).await?, main.propagated()?]) }
    });
    Ok(cx.signal(DONE).await?)
}

#[test]
fn an_update_s_handler_carries_what_the_update_was_sent_with() {
    let tester = tester();
    let run = start(&tester, served, (), &of("acme"));
    let sent = run.with_headers(of("bolt"));
    assert_eq!(
        sent.update(WHO, &()).unwrap(),
        [Some(tenant("bolt")), Some(tenant("bolt")), Some(tenant("acme"))]
    );
    // Nothing of the run's own is lent to a sender who brings nothing.
    assert_eq!(run.update(WHO, &()).unwrap(), [None, None, Some(tenant("acme"))]);
    run.signal(DONE, &()).unwrap();
    run.result().unwrap();
}

const SAID: SignalType<String> = SignalType::new("said");

/// Who said what: first by one await, then by a stream.
#[retell::workflow]
async fn hears(cx: WorkflowContext) -> WorkflowResult<Vec<(String, Option<Tenant>)>> {
    let (first, headers) = cx.signal(SAID).with_headers().await?;
    let mut heard = vec![(first, headers.find()?)];
    let mut signals = cx.signals(SAID);
    while heard.len() < 3 {
        let said = signals.recv().await?;
        heard.push((said, signals.headers().find()?));
    }
    Ok(heard)
}

#[test]
fn a_signal_s_headers_are_read_with_it() {
    let tester = tester();
    let run = start(&tester, hears, (), &of("acme"));
    run.with_headers(of("bolt")).signal(SAID, &"one".to_owned()).unwrap();
    tester.rest();
    tester.crash();
    run.signal(SAID, &"two".to_owned()).unwrap();
    run.with_headers(of("core")).signal(SAID, &"three".to_owned()).unwrap();
    let heard = run.result().unwrap();
    let expected = [("one", Some("bolt")), ("two", None), ("three", Some("core"))];
    assert_eq!(heard, expected.map(|(said, who)| (said.to_owned(), who.map(tenant))));
}

/// For whom an async handler works.
#[retell::workflow]
async fn handles(cx: WorkflowContext) -> WorkflowResult<Option<Tenant>> {
    let told = cx.share(None);
    told.handle_signal_async(SAID, async |cx: WorkflowContext, told, _| {
        let seen = cx.activity(whose, &0).await?;
        told.with(|told| *told = Some(seen));
        Ok(())
    });
    cx.wait_until(&told, Option::is_some).await?;
    Ok(told.with(Option::take).flatten())
}

#[test]
fn a_signal_s_async_handler_carries_what_the_signal_was_sent_with() {
    let tester = tester().workflow(handles);
    let run = start(&tester, handles, (), &of("acme"));
    run.with_headers(of("bolt")).signal(SAID, &"one".to_owned()).unwrap();
    assert_eq!(run.result().unwrap(), Some(tenant("bolt")));
}

/// Another tenant for one call alone.
#[retell::workflow]
async fn lends(cx: WorkflowContext) -> WorkflowResult<[Option<Tenant>; 2]> {
    let lent = cx.with_headers(of("bolt"));
    Ok([lent.activity(whose, &0).await?, cx.activity(whose, &0).await?])
}

#[test]
fn a_context_may_carry_headers_of_its_own() {
    let tester = tester().workflow(lends);
    let run = start(&tester, lends, (), &of("acme"));
    assert_eq!(run.result().unwrap(), [Some(tenant("bolt")), Some(tenant("acme"))]);
}

/// For whom it was started, for whom it is told that it may end, and for whom what it calls is done.
#[retell::workflow]
async fn listens(cx: WorkflowContext) -> WorkflowResult<[Option<Tenant>; 3]> {
    let ((), headers) = cx.signal(DONE).with_headers().await?;
    Ok([cx.propagated()?, headers.find()?, cx.activity(whose, &0).await?])
}

#[retell::workflow]
async fn tells(cx: WorkflowContext) -> WorkflowResult<[Option<Tenant>; 3]> {
    let child = cx.child(listens, &()).id("told").started().await?;
    cx.with_headers(of("bolt")).external("told").signal(DONE, &()).await?;
    Ok(child.result().await?)
}

#[test]
fn a_child_and_what_other_runs_are_sent_carry_headers_too() {
    let tester = tester().workflow(listens).workflow(tells);
    let run = start(&tester, tells, (), &of("acme"));
    assert_eq!(run.result().unwrap(), [Some(tenant("acme")), Some(tenant("bolt")), Some(tenant("acme"))]);
}
