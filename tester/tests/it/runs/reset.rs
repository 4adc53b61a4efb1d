//! Runs that go on from one of their events.

use std::time::Duration;

use retell::backend::RunStatus;
use retell::client::{ResetError, ResultError};
use retell::commit::ResetFault;
use retell::history::EventKind;
use retell::prelude::*;
use retell::vocabulary::{EventId, RequestId, SearchKey};
use retell::write::CloseStatus;
use retell_tester::{TestRun, Tester};

const MINUTE: Duration = Duration::from_secs(60);
const STEP: SearchKey<i64> = SearchKey::new("step");

#[retell::activity]
async fn charge(_cx: ActivityContext, label: String) -> Result<String, ActivityError> {
    Ok(label)
}

/// Three steps, each after a word; an activity is under way beside them, and one before the end.
#[retell::workflow]
async fn order(cx: WorkflowContext) -> WorkflowResult<String> {
    let (run, drawn) = (cx.run().run_id, cx.random_u64());
    let beside = cx.activity(charge, &format!("beside {run} {drawn}"));
    let steps = async {
        let mut words = Vec::new();
        for step in 1..=3 {
            words.push(cx.signal::<String>("word").await?);
            cx.upsert_attribute(STEP, step);
            // Both must be as they were, where history holds them.
            cx.activity(charge, &format!("{step} {} {}", cx.run().run_id, cx.random_u64())).await?;
        }
        Ok::<_, WorkflowError>(words.join(" "))
    };
    let (beside, words) = retell::join!(beside, steps);
    beside?;
    words
}

fn events(run: &TestRun<impl Workflow>) -> Vec<&'static str> {
    run.history().iter().map(|event| event.kind.name()).collect()
}

/// The event of the `number`th signal, from 1.
fn signal(run: &TestRun<impl Workflow>, number: usize) -> EventId {
    let history = run.history();
    let mut signals = history.iter().filter(|event| matches!(event.kind, EventKind::SignalReceived(_)));
    signals.nth(number - 1).unwrap().id
}

fn before(event: EventId) -> EventId {
    EventId(event.0 - 1)
}

fn finished(tester: &Tester) -> TestRun<order> {
    let run = tester.start(order, "order", ());
    for word in ["one", "two", "three"] {
        run.signal("word", word).unwrap();
        tester.rest();
    }
    assert_eq!(run.result().unwrap(), "one two three");
    run
}

#[test]
fn a_closed_run_goes_on_from_an_event_with_the_signals_after_it() {
    for crash in [false, true] {
        let tester = Tester::new().workflow(order).activity(charge);
        let first = finished(&tester);
        let charged = tester.calls().count("charge");
        let run = first.reset(before(signal(&first, 2)), "a wrong price").unwrap();
        if crash {
            tester.crash();
        }
        assert_eq!(run.result().unwrap(), "one two three");
        assert_ne!(run.key(), first.key());
        assert_eq!(tester.calls().count("charge"), charged + 2, "what is copied is not done again");
        let seen = events(&run);
        let reset = seen.iter().position(|name| *name == "WorkflowReset").unwrap();
        assert_eq!(seen[1..reset], events(&first)[1..reset], "the rest is the same");
        assert_eq!(first.closed(), Some(CloseStatus::Completed), "the first run stays as it is");
        assert_eq!(run.describe().unwrap().attribute(STEP), Some(3));
    }
}

#[test]
fn an_open_run_is_replaced_and_who_waits_for_it_gets_the_new_result() {
    let tester = Tester::new().workflow(order).activity(charge);
    let first = tester.start(order, "order", ());
    for word in ["one", "two"] {
        first.signal("word", word).unwrap();
        tester.rest();
    }
    let to = before(signal(&first, 2));
    tester.stop_worker();
    // Nobody has taken this in.
    first.signal("word", "three").unwrap();
    let run = first.reset(to, "once more").unwrap();
    assert_eq!(first.describe().unwrap().status, RunStatus::Closed(CloseStatus::Terminated));
    assert_eq!(run.describe().unwrap().attribute(STEP), Some(1), "as it was then");
    tester.start_worker();
    assert_eq!(run.result().unwrap(), "one two three");
    assert_eq!(
        tester
            .call(tester.client().handle(order, "order").unwrap().with_run(first.key().run_id).result())
            .unwrap(),
        "one two three"
    );
}

#[test]
fn an_activity_that_was_open_is_scheduled_again_and_a_timer_goes_on() {
    #[retell::workflow]
    async fn two(cx: WorkflowContext) -> WorkflowResult<String> {
        let began = cx.now();
        let (label, slept, step) = retell::join!(
            cx.activity(charge, &"open".to_owned()),
            cx.sleep(10 * MINUTE),
            cx.step("local", &7, async |_cx, number: i32| Ok::<_, ActivityError>(number))
        );
        slept?;
        step?;
        Ok(format!("{} after {}", label?, cx.now().since(began).as_secs() / 60))
    }
    for crash in [false, true] {
        let tester = Tester::new().workflow(two);
        tester.fake(charge).takes(3 * MINUTE).returns("charged".to_owned());
        let first = tester.start(two, "two", ());
        tester.advance(MINUTE);
        let points = tester.call(tester.client().handle(two, "two").unwrap().reset_points()).unwrap();
        let run = first.reset(*points.last().unwrap(), "again").unwrap();
        if crash {
            tester.crash();
        }
        assert_eq!(run.result().unwrap(), "charged after 10");
        assert_eq!(tester.calls().count("charge"), 2);
        let attempt = run.history().into_iter().find_map(|event| match event.kind {
            EventKind::ActivityCompleted(body) if body.result.decode::<String>().is_ok() => {
                Some(body.attempt.0)
            }
            _ => None,
        });
        assert_eq!(attempt, Some(1));
    }
}

#[test]
fn a_reset_to_event_1_begins_again() {
    let tester = Tester::new().workflow(order).activity(charge);
    let first = finished(&tester);
    let run = first.reset(EventId(1), "all of it").unwrap();
    assert_eq!(run.result().unwrap(), "one two three");
    let EventKind::WorkflowStarted(started) = &run.history()[0].kind else { panic!("no start") };
    let mark = started.reset.as_deref().unwrap();
    assert_eq!((mark.from, mark.to, &*mark.reason), (first.key().run_id, EventId(1), "all of it"));
}

#[test]
fn a_run_that_was_reset_can_be_reset_again() {
    let tester = Tester::new().workflow(order).activity(charge);
    let first = finished(&tester);
    let second = first.reset(before(signal(&first, 3)), "once").unwrap();
    assert_eq!(second.result().unwrap(), "one two three");
    // Beyond the first reset: the code has been three runs by then.
    let third = second.reset(before(EventId(second.history().len() as u64 - 1)), "twice").unwrap();
    assert_eq!(third.result().unwrap(), "one two three");
    let fourth = third.reset(before(signal(&third, 1)), "thrice").unwrap();
    assert_eq!(fourth.result().unwrap(), "one two three");
}

#[test]
fn events_within_a_step_are_refused_with_the_nearest_that_are_none() {
    let tester = Tester::new().workflow(order).activity(charge);
    let first = finished(&tester);
    let told = |to: u64| match first.reset(EventId(to), "no").unwrap_err() {
        ResetError::Point(ResetFault::NotAPoint { nearest, .. }) => nearest,
        other => panic!("{other}"),
    };
    let second = signal(&first, 2);
    assert_eq!(told(second.0)[0], before(second));
    let last = first.history().len() as u64;
    assert_eq!(told(last).len(), 1, "the closing event ends a step, and the run");
    assert_eq!(told(last + 7).len(), 1);
    assert!(told(0).contains(&EventId(1)));
}

#[test]
fn a_reset_under_one_request_id_happens_once() {
    let tester = Tester::new().workflow(order).activity(charge);
    let first = finished(&tester);
    let client = tester.client();
    let handle = client.handle(order, "order").unwrap().with_run(first.key().run_id);
    let request_id = RequestId::from_key("reset");
    let to = before(signal(&first, 2));
    let reset = || tester.call(handle.reset(to, "once").request_id(request_id).into_future());
    let one = reset().unwrap();
    let two = reset().unwrap();
    assert_eq!(one.run_id(), two.run_id());
    assert!(matches!(first.reset(to, "while it is open").unwrap_err(), ResetError::OtherRunOpen(_)));
    tester.rest();
    assert_eq!(tester.call(one.result()).unwrap(), "one two three");
}

#[test]
fn a_run_that_timed_out_has_its_time_again() {
    let tester = Tester::new().workflow(order).activity(charge);
    let first = tester.start_with(order, "order", (), |call| call.run_timeout(5 * MINUTE)).unwrap();
    first.signal("word", "one").unwrap();
    assert!(matches!(first.result(), Err(ResultError::TimedOut(_))));
    let run = first.reset(before(EventId(first.history().len() as u64)), "more time").unwrap();
    for word in ["two", "three"] {
        run.signal("word", word).unwrap();
    }
    assert_eq!(run.result().unwrap(), "one two three");
}
