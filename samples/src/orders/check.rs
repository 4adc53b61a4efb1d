//! Proves, from what is left behind, that every order ended and that nothing was lost or done twice.
//!
//! Pure: evidence in, findings out. Gathering the evidence is `audit`'s.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Entry;
use super::order::{Order, OrderOutcome, Step};

/// What the store says of one order's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvidence {
    /// How many runs its workflow ID has had.
    pub runs: usize,
    /// How it ended; `None` if it has not, or not with an outcome.
    pub outcome: Option<OrderOutcome>,
    /// The numbers of its events, in the order in which history holds them.
    pub event_ids: Vec<u64>,
    /// How many confirmations its history took in.
    pub confirmations: usize,
}

/// Everything that was left behind.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The orders that were to run.
    pub orders: Vec<Order>,
    /// What the store holds, by workflow ID.
    pub runs: BTreeMap<String, RunEvidence>,
    /// The ledger.
    pub effects: Vec<Entry>,
    /// Orders whose start the store acknowledged.
    pub acknowledged_starts: BTreeSet<String>,
    /// Orders whose confirmation the store acknowledged.
    pub acknowledged_confirmations: BTreeSet<String>,
    /// Orders whose end the store told of.
    pub acknowledged_ends: BTreeSet<String>,
}

/// Something that is not as promised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// An acknowledged start left no run.
    #[error("{0}: its start was acknowledged, but there is no run")]
    StartLost(String),
    /// An acknowledged confirmation is not in history.
    #[error("{0}: its confirmation was acknowledged, but history does not hold it")]
    ConfirmationLost(String),
    /// An end that was told of is not in history.
    #[error("{0}: its end was told of, but history does not hold it")]
    EndLost(String),
    /// A confirmation is in history more than once.
    #[error("{0}: history took its confirmation in {1} times")]
    ConfirmationDoubled(String, usize),
    /// An order has no run.
    #[error("{0}: it was never started")]
    NotStarted(String),
    /// An order has more than one run.
    #[error("{0}: it was started {1} times")]
    StartedTwice(String, usize),
    /// An order's run has not ended with an outcome.
    #[error("{0}: its run did not end")]
    NotEnded(String),
    /// A history has a gap, a repetition, or nothing.
    #[error("{0}: its history is not 1, 2, 3 ...: {1:?}")]
    Gap(String, Vec<u64>),
    /// One key twice.
    #[error("{0}: it stands in the ledger more than once")]
    Doubled(String),
    /// The ledger holds effects that do not belong to how the order ended.
    #[error("{order}: it ended as {outcome:?}, but its effects are {effects:?}")]
    Unbalanced {
        /// Which order.
        order: String,
        /// How it ended.
        outcome: OrderOutcome,
        /// What was done for it.
        effects: Vec<String>,
    },
    /// An effect with a sum that is not the order's.
    #[error("{0}: its amount is not the order's")]
    WrongAmount(String),
    /// An effect for an order that nobody gave.
    #[error("{0}: there is no such order")]
    UnknownOrder(String),
}

/// What is not as promised; nothing if all is well.
#[must_use]
pub fn examine(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    let effects = effects_by_order(evidence, &mut findings);
    for order in &evidence.orders {
        let done = effects.get(order.id.as_str()).cloned().unwrap_or_default();
        match evidence.runs.get(&order.id) {
            None => findings.push(Finding::NotStarted(order.id.clone())),
            Some(run) => examine_run(order, run, &done, &mut findings),
        }
    }
    for id in &evidence.acknowledged_starts {
        if !evidence.runs.contains_key(id) {
            findings.push(Finding::StartLost(id.clone()));
        }
    }
    for id in &evidence.acknowledged_confirmations {
        if evidence.runs.get(id).is_none_or(|run| run.confirmations == 0) {
            findings.push(Finding::ConfirmationLost(id.clone()));
        }
    }
    for id in &evidence.acknowledged_ends {
        if evidence.runs.get(id).is_none_or(|run| run.outcome.is_none()) {
            findings.push(Finding::EndLost(id.clone()));
        }
    }
    findings
}

fn effects_by_order<'a>(
    evidence: &'a Evidence,
    findings: &mut Vec<Finding>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let amounts: BTreeMap<_, _> =
        evidence.orders.iter().map(|order| (order.id.as_str(), order.amount_cents)).collect();
    let mut effects: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for effect in &evidence.effects {
        match amounts.get(effect.order()) {
            None => findings.push(Finding::UnknownOrder(effect.key().to_owned())),
            Some(amount) if *amount != effect.amount_cents() => {
                findings.push(Finding::WrongAmount(effect.key().to_owned()));
            }
            Some(_) => {}
        }
        if !effects.entry(effect.order()).or_default().insert(effect.kind()) {
            findings.push(Finding::Doubled(effect.key().to_owned()));
        }
    }
    effects
}

fn examine_run(order: &Order, run: &RunEvidence, done: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    if run.runs > 1 {
        findings.push(Finding::StartedTwice(order.id.clone(), run.runs));
    }
    let gapless = run.event_ids.iter().copied().eq(1..=run.event_ids.len() as u64);
    if run.event_ids.is_empty() || !gapless {
        findings.push(Finding::Gap(order.id.clone(), run.event_ids.clone()));
    }
    if run.confirmations > 1 {
        findings.push(Finding::ConfirmationDoubled(order.id.clone(), run.confirmations));
    }
    let Some(outcome) = &run.outcome else {
        findings.push(Finding::NotEnded(order.id.clone()));
        return;
    };
    if !possible_effects(outcome).contains(done) {
        findings.push(Finding::Unbalanced {
            order: order.id.clone(),
            outcome: outcome.clone(),
            effects: done.iter().map(|kind| (*kind).to_owned()).collect(),
        });
    }
}

/// The sets of effects that an order that ended so can have.
fn possible_effects(outcome: &OrderOutcome) -> Vec<BTreeSet<&'static str>> {
    use Step::{Bill, Charge, Reserve, Ship};
    let undone =
        |steps: &[Step]| steps.iter().flat_map(|step| [step.effect(), step.compensation()]).collect();
    match outcome {
        OrderOutcome::Shipped => vec![Step::ALL.into_iter().map(Step::effect).collect()],
        OrderOutcome::Rejected { .. } | OrderOutcome::TimedOut => vec![undone(&[Reserve, Charge])],
        OrderOutcome::Compensated { step: Reserve, .. } => vec![undone(&[])],
        OrderOutcome::Compensated { step: Charge, .. } => vec![undone(&[Reserve])],
        OrderOutcome::Compensated { step: Ship, .. } => vec![undone(&[Reserve, Charge, Bill])],
        OrderOutcome::Compensated { step: Bill, .. } => vec![undone(&[Reserve, Charge, Ship])],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: &str) -> Order {
        Order {
            id: id.to_owned(),
            customer: "Ada".to_owned(),
            sku: "quill".to_owned(),
            quantity: 1,
            amount_cents: 1_250,
            confirmation: None,
            failing: None,
        }
    }

    fn effects(id: &str, kinds: &str) -> Vec<Entry> {
        kinds.split_whitespace().map(|kind| Entry::new(id, kind, 1_250).unwrap()).collect()
    }

    /// Order `a`, started, confirmed, and ended so with these effects.
    fn evidence(outcome: OrderOutcome, kinds: &str) -> Evidence {
        let run =
            RunEvidence { runs: 1, outcome: Some(outcome), event_ids: (1..=9).collect(), confirmations: 1 };
        Evidence {
            orders: vec![order("a")],
            runs: BTreeMap::from([("a".to_owned(), run)]),
            effects: effects("a", kinds),
            acknowledged_starts: BTreeSet::from(["a".to_owned()]),
            acknowledged_confirmations: BTreeSet::from(["a".to_owned()]),
            acknowledged_ends: BTreeSet::new(),
        }
    }

    fn shipped() -> Evidence {
        evidence(OrderOutcome::Shipped, "reserve charge ship bill")
    }

    fn compensated(step: Step) -> OrderOutcome {
        OrderOutcome::Compensated { step, reason: "it broke".to_owned() }
    }

    fn check(change: impl FnOnce(&mut Evidence), expected: &str) {
        let mut evidence = shipped();
        change(&mut evidence);
        let found: Vec<_> = examine(&evidence).iter().map(ToString::to_string).collect();
        assert_eq!(found, [expected]);
    }

    #[test]
    fn every_good_end_passes() {
        let rejected = OrderOutcome::Rejected { by: "Ada".to_owned() };
        for evidence in [
            shipped(),
            evidence(rejected, "reserve charge refund release"),
            evidence(OrderOutcome::TimedOut, "reserve charge refund release"),
            evidence(compensated(Step::Reserve), ""),
            evidence(compensated(Step::Charge), "reserve release"),
            evidence(compensated(Step::Ship), "reserve charge bill credit refund release"),
            evidence(compensated(Step::Bill), "reserve charge ship recall refund release"),
        ] {
            assert_eq!(examine(&evidence), [], "{evidence:?}");
        }
    }

    #[test]
    fn a_lost_effect_is_found() {
        check(
            |evidence| evidence.effects.truncate(3),
            r#"a: it ended as Shipped, but its effects are ["charge", "reserve", "ship"]"#,
        );
        let missing_refund = evidence(OrderOutcome::TimedOut, "reserve charge release");
        assert!(matches!(examine(&missing_refund)[..], [Finding::Unbalanced { .. }]));
    }

    #[test]
    fn a_doubled_effect_is_found() {
        check(
            |evidence| evidence.effects.extend(effects("a", "charge")),
            "a/charge: it stands in the ledger more than once",
        );
    }

    #[test]
    fn an_effect_of_a_wrong_amount_or_order_is_found() {
        let mut evidence = shipped();
        evidence.effects[1] = Entry::new("a", "charge", 1).unwrap();
        evidence.effects.extend(effects("b", "charge"));
        let wanted =
            [Finding::WrongAmount("a/charge".to_owned()), Finding::UnknownOrder("b/charge".to_owned())];
        assert_eq!(examine(&evidence), wanted);
    }

    #[test]
    fn a_gap_in_a_history_is_found() {
        let run = |evidence: &mut Evidence, ids: &[u64]| {
            evidence.runs.get_mut("a").unwrap().event_ids = ids.to_vec();
        };
        check(|evidence| run(evidence, &[1, 3]), "a: its history is not 1, 2, 3 ...: [1, 3]");
        check(|evidence| run(evidence, &[1, 1, 2]), "a: its history is not 1, 2, 3 ...: [1, 1, 2]");
        check(|evidence| run(evidence, &[]), "a: its history is not 1, 2, 3 ...: []");
    }

    #[test]
    fn lost_acknowledged_messages_are_found() {
        let lose = |evidence: &mut Evidence, count| {
            evidence.runs.get_mut("a").unwrap().confirmations = count;
        };
        check(
            |evidence| lose(evidence, 0),
            "a: its confirmation was acknowledged, but history does not hold it",
        );
        check(|evidence| lose(evidence, 2), "a: history took its confirmation in 2 times");
        check(
            |evidence| {
                evidence.acknowledged_starts.insert("b".to_owned());
            },
            "b: its start was acknowledged, but there is no run",
        );
    }

    #[test]
    fn an_end_that_was_told_of_and_is_lost_is_found() {
        check(
            |evidence| {
                evidence.acknowledged_ends.extend(["a", "b"].map(str::to_owned));
            },
            "b: its end was told of, but history does not hold it",
        );
    }

    #[test]
    fn a_second_run_is_found() {
        check(|evidence| evidence.runs.get_mut("a").unwrap().runs = 2, "a: it was started 2 times");
    }

    #[test]
    fn orders_without_an_end_are_found() {
        check(|evidence| evidence.runs.get_mut("a").unwrap().outcome = None, "a: its run did not end");
        check(|evidence| evidence.orders.push(order("b")), "b: it was never started");
    }
}
