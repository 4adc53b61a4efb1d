//! The workflow of an order in virtual time: its endings, its histories, and every order of what can happen to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use retell::activity::ActivityError;
use retell_samples::orders::activities::{bill, charge, credit, recall, refund, release, reserve, ship};
use retell_samples::orders::check::{Evidence, Finding, RunEvidence, examine};
use retell_samples::orders::ledger::Entry;
use retell_samples::orders::order::{Order, OrderOutcome, Step};
use retell_samples::orders::workflow::{Answer, CONFIRMATION, OrderRequest, process_order};
use retell_tester::{Call, Calls, Ending, Explorer, TestRun, Tester};

// Recorded with `run.recorded().save(..)`; it stays for as long as orders may be open that began under this code.
retell_tester::replay_folder!("tests/histories", [process_order]);

const DAY: Duration = Duration::from_secs(86_400);
const ID: &str = "order-1";

fn order() -> Order {
    Order {
        id: ID.to_owned(),
        customer: "Ada".to_owned(),
        sku: "quill".to_owned(),
        quantity: 1,
        amount_cents: 1_250,
        confirmation: None,
        failing: None,
    }
}

fn answer(approved: bool) -> Answer {
    Answer { by: "Grace".to_owned(), approved }
}

/// All activities work, unless a test has faked them otherwise before.
fn fake_all(tester: &Tester) {
    tester.fake(reserve).returns(());
    tester.fake(charge).returns(());
    tester.fake(ship).returns(());
    tester.fake(bill).returns(());
    tester.fake(release).returns(());
    tester.fake(refund).returns(());
    tester.fake(recall).returns(());
    tester.fake(credit).returns(());
}

fn start(tester: &Tester) -> TestRun<process_order> {
    fake_all(tester);
    tester.start(process_order, ID, OrderRequest { order: order(), confirm_within: DAY })
}

fn tester() -> Tester {
    Tester::new().workflow(process_order)
}

/// It is never possible, however often it is tried.
fn impossible() -> ActivityError {
    ActivityError::new("StepFailed", "no such quill").non_retryable()
}

#[test]
fn a_confirmed_order_is_shipped() {
    let tester = tester();
    let run = start(&tester);
    let confirmed = run.clone();
    tester.after(DAY / 2, move |_| confirmed.signal(CONFIRMATION, &answer(true)).unwrap());
    assert_eq!(run.result().unwrap(), OrderOutcome::Shipped);
    assert_eq!(tester.calls().names(), ["reserve", "charge", "ship", "bill"]);
}

#[test]
fn a_rejected_order_gives_everything_back() {
    let tester = tester();
    let run = start(&tester);
    run.signal(CONFIRMATION, &answer(false)).unwrap();
    assert_eq!(run.result().unwrap(), OrderOutcome::Rejected { by: "Grace".to_owned() });
    assert_eq!(tester.calls().names(), ["reserve", "charge", "refund", "release"]);
}

#[test]
fn an_order_that_nobody_confirms_times_out_after_a_day() {
    let tester = tester();
    let began = tester.now();
    let run = start(&tester);
    assert_eq!(run.result().unwrap(), OrderOutcome::TimedOut);
    assert_eq!(tester.now(), began + DAY);
    assert_eq!(tester.calls().names(), ["reserve", "charge", "refund", "release"]);
}

#[test]
fn an_order_that_cannot_be_shipped_is_made_up_for() {
    let tester = tester();
    tester.fake(ship).fails(impossible());
    let run = start(&tester);
    run.signal(CONFIRMATION, &answer(true)).unwrap();
    let reason = "no such quill".to_owned();
    assert_eq!(run.result().unwrap(), OrderOutcome::Compensated { step: Step::Ship, reason });
    let calls = tester.calls();
    let names = calls.names();
    let (made, made_up_for) = names.split_at(4);
    assert_eq!(made, ["reserve", "charge", "ship", "bill"]);
    assert_eq!(made_up_for, ["credit", "refund", "release"]);
}

#[test]
fn a_slow_partner_is_asked_again_every_five_seconds_in_the_end() {
    let tester = tester();
    tester.fake(charge).times(12).fails(ActivityError::new("Hiccup", "the bank did not answer"));
    let run = start(&tester);
    run.signal(CONFIRMATION, &answer(true)).unwrap();
    assert_eq!(run.result().unwrap(), OrderOutcome::Shipped);
    let charged = tester.calls().of(charge);
    let [.., last_but_one, last] = &charged[..] else { panic!("{charged:?}") };
    assert_eq!((charged.len(), last.call.at.since(last_but_one.call.at)), (13, Duration::from_secs(5)));
}

/// An order of which one step is impossible, or none; the explorer adds the rest.
fn explorer(impossible_step: Option<Step>) -> Explorer {
    Explorer::new(move |tester| {
        let tester = tester.workflow(process_order);
        if let Some(step) = impossible_step {
            tester.fake_named::<Order, ()>(step.effect()).fails(impossible());
        }
        start(&tester);
        tester
    })
    .signal(ID, CONFIRMATION, &answer(true))
}

/// The ledger as it may be: an effect for each attempt that did not fail, since one that was stopped may have had it.
/// Under its key an effect counts once.
fn effects(calls: &Calls, impossible_step: Option<Step>) -> BTreeSet<&str> {
    let has_effect = |call: &&Call| {
        !matches!(call.outcome, Some(Err(_)))
            && Some(call.activity.as_str()) != impossible_step.map(Step::effect)
    };
    calls.iter().filter(has_effect).map(|call| call.activity.as_str()).collect()
}

/// What the program's own check says of what is left behind.
fn findings(ending: &Ending<'_>, impossible_step: Option<Step>) -> Vec<Finding> {
    let histories = ending.histories(ID);
    let run = RunEvidence {
        runs: histories.len(),
        outcome: ending.result(process_order, ID).and_then(Result::ok),
        event_ids: histories[0].1.iter().map(|event| event.id.0).collect(),
        confirmations: ending.count(ID, "SignalReceived"),
    };
    let entry = |kind: &str| Entry::new(ID, kind, order().amount_cents).unwrap();
    examine(&Evidence {
        orders: vec![order()],
        runs: BTreeMap::from([(ID.to_owned(), run)]),
        effects: effects(ending.calls(), impossible_step).into_iter().map(entry).collect(),
        ..Evidence::default()
    })
}

/// The steps that were done and not made up for.
fn kept(ending: &Ending<'_>, impossible_step: Option<Step>) -> Vec<Step> {
    let effects = effects(ending.calls(), impossible_step);
    let is_kept = |step: &Step| effects.contains(step.effect()) && !effects.contains(step.compensation());
    Step::ALL.into_iter().filter(is_kept).collect()
}

#[test]
fn every_ending_is_whole_wherever_the_worker_dies() {
    for step in [None, Some(Step::Charge), Some(Step::Ship)] {
        let explored = explorer(step)
            .crashes(1)
            .always("the effects are those of the outcome", move |ending| findings(ending, step).is_empty())
            .always("what is shipped is paid for", move |ending| {
                let kept = kept(ending, step);
                !kept.contains(&Step::Ship) || kept.contains(&Step::Charge)
            })
            .run();
        assert!(explored.complete(), "{explored}");
    }
}

#[test]
fn every_ending_is_whole_whichever_attempt_fails() {
    let explored = explorer(None)
        .failures(1)
        .always("the effects are those of the outcome", |ending| findings(ending, None).is_empty())
        .run();
    assert!(explored.complete(), "{explored}");
}

/// Found by the explorer: a step that was under way when the cancel request came was not made up for.
#[test]
fn a_cancelled_order_keeps_all_or_nothing() {
    for step in Step::ALL.map(Some).into_iter().chain([None]) {
        let explored = explorer(step)
            .cancel(ID)
            .always("an order keeps all of its effects, or none", move |ending| {
                matches!(kept(ending, step).len(), 0 | 4)
            })
            .run();
        assert!(explored.complete(), "{explored}");
    }
}
