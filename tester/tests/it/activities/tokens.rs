//! Attempts that are ended from outside, by a token.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use retell::client::CompletionError;
use retell::prelude::*;
use retell::vocabulary::RequestId;
use retell::workflow::CallError;
use retell_tester::Tester;

const SECOND: Duration = Duration::from_secs(1);

/// Tokens that were given away, in order.
type Desk = Arc<Mutex<Vec<ActivityToken>>>;

/// Asks a person.
#[retell::activity]
async fn ask(cx: ActivityContext, _question: String) -> Result<String, ActivityError> {
    let token = cx.token().await?;
    cx.state::<Desk>()?.lock().unwrap().push(token.clone());
    token.completes_later()
}

/// How long an attempt, and its silence, may last.
type Limits = (Option<Duration>, Option<Duration>);

#[retell::workflow]
async fn approve(cx: WorkflowContext, (attempt, silence): Limits) -> WorkflowResult<String> {
    let policy = RetryPolicy::fixed(SECOND).attempts(2);
    let mut call = cx.activity(ask, &"may I?".to_owned()).retry(policy);
    if let Some(attempt) = attempt {
        call = call.start_to_close(attempt);
    }
    if let Some(silence) = silence {
        call = call.heartbeat_timeout(silence).retry(RetryPolicy::never());
    }
    match call.await {
        Err(CallError::Failed(failure)) if failure.timeout_kind().is_some() => {
            Ok(format!("{:?}", failure.timeout_kind().unwrap()))
        }
        other => Ok(other?),
    }
}

fn tester() -> (Tester, Desk) {
    let desk = Desk::default();
    (Tester::new().workflow(approve).activity(ask).state(desk.clone()), desk)
}

/// After so long, ends the attempt whose token was given away as this one, counted from 0.
fn answer_after(tester: &Tester, desk: &Desk, wait: Duration, number: usize) {
    let desk = desk.clone();
    tester.after(wait, move |tester| {
        let token = desk.lock().unwrap()[number].clone();
        let client = tester.client();
        let request_id = RequestId::from_key("answer");
        for _ in 0..2 {
            tester.call(client.complete_activity_with(&token, "yes", request_id)).unwrap();
        }
        let again = tester.call(client.complete_activity(&token, "no"));
        assert!(matches!(again, Err(CompletionError::UsedUp)), "{again:?}");
    });
}

#[test]
fn an_attempt_ends_when_its_token_says_so() {
    let (tester, desk) = tester();
    let began = tester.now();
    answer_after(&tester, &desk, 3_600 * SECOND, 0);
    assert_eq!(tester.start(approve, "approve", (None, None)).result().unwrap(), "yes");
    assert_eq!((tester.now(), desk.lock().unwrap().len()), (began + 3_600 * SECOND, 1));
}

#[test]
fn a_token_survives_restarts() {
    let (tester, desk) = tester();
    tester.after(10 * SECOND, |tester| tester.crash());
    tester.after(20 * SECOND, |tester| tester.stop_worker());
    tester.after(400 * SECOND, |tester| tester.start_worker());
    answer_after(&tester, &desk, 300 * SECOND, 0);
    assert_eq!(tester.start(approve, "approve", (None, None)).result().unwrap(), "yes");
    assert_eq!(desk.lock().unwrap().len(), 1);
}

#[test]
fn a_failed_token_is_followed_by_the_next_attempt() {
    let (tester, desk) = tester();
    let first = desk.clone();
    tester.after(10 * SECOND, move |tester| {
        let token = first.lock().unwrap()[0].clone();
        let client = tester.client();
        let busy = ActivityError::new("Busy", "ask again");
        tester.call(client.fail_activity(&token, busy.clone())).unwrap();
        let late = tester.call(client.fail_activity(&token, busy));
        assert!(matches!(late, Err(CompletionError::UsedUp)), "{late:?}");
    });
    answer_after(&tester, &desk, 20 * SECOND, 1);
    assert_eq!(tester.start(approve, "approve", (None, None)).result().unwrap(), "yes");
}

#[test]
fn an_attempt_times_out_though_its_body_has_returned() {
    let (tester, desk) = tester();
    let began = tester.now();
    let limits = (Some(60 * SECOND), None);
    assert_eq!(tester.start(approve, "approve", limits).result().unwrap(), "StartToClose");
    assert_eq!((tester.now(), desk.lock().unwrap().len()), (began + 121 * SECOND, 2));
    let token = desk.lock().unwrap()[1].clone();
    let late = tester.call(tester.client().complete_activity(&token, "yes"));
    assert!(matches!(late, Err(CompletionError::UsedUp)), "{late:?}");
}

#[test]
fn a_token_may_be_silent_only_for_so_long() {
    let (tester, desk) = tester();
    let began = tester.now();
    for seconds in [5, 12] {
        let desk = desk.clone();
        tester.after(seconds * SECOND, move |tester| {
            let token = desk.lock().unwrap()[0].clone();
            let heard = tester.call(tester.client().heartbeat_activity(&token, &seconds)).unwrap();
            assert!(!heard.cancel_requested);
        });
    }
    let limits = (None, Some(10 * SECOND));
    assert_eq!(tester.start(approve, "approve", limits).result().unwrap(), "Heartbeat");
    assert_eq!(tester.now(), began + 22 * SECOND);
}
