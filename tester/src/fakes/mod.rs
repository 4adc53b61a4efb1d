//! Fakes: what stands in for the code of an activity, what was called, and what was expected.
//!
//! An attempt begins here for every registered or faked activity: the first fake that takes the call answers it, else
//! the real code runs. Knows the world's clock and nothing of the tester above.

mod answer;
mod calls;
mod child;
mod expectations;
mod fake;
mod real;
mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use retell::activity::{ActivityContext, ActivityDefinition};
use retell::clock::{Clock, ManualClock};
use retell::history::PayloadText;
use retell::vocabulary::{ActivityName, Failure, Payload};

pub use calls::{Call, Calls, TypedCall};
pub use fake::Fake;

pub(crate) use child::StandIn;
pub(crate) use expectations::Expected;
pub(crate) use real::RealRuntime;

use answer::Answer;
use calls::CallLog;
use rule::Rule;

/// The number of the outcome that no fake has: the attempt fails, for no reason of its own.
pub(crate) const FAILS: usize = usize::MAX;

/// Who lets answered attempts end, when it is not their own time that says so: the explorer.
pub(crate) trait Gate: Send + Sync + 'static {
    /// Resolves when the attempt may end, with the number of the outcome that it gets, of so many.
    fn pass(&self, call: &Call, outcomes: usize) -> BoxFuture<'static, usize>;
}

/// All fakes of a tester, and the calls that were made.
pub(crate) struct Fakes {
    clock: ManualClock,
    real: RealRuntime,
    gate: Mutex<Option<Arc<dyn Gate>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: BTreeMap<ActivityName, Vec<Rule>>,
    forbidden: BTreeSet<ActivityName>,
    orders: Vec<Expected>,
    log: CallLog,
    /// Calls that nothing takes.
    unexpected: Vec<String>,
}

/// Who answers an attempt, and when.
enum Taken {
    Fake { answer: Answer, takes: Option<Duration> },
    Real(ActivityDefinition),
    Nobody,
}

impl Fakes {
    pub(crate) fn new(clock: ManualClock, real: RealRuntime) -> Self {
        Self { clock, real, gate: Mutex::default(), state: Mutex::default() }
    }

    /// From now on attempts end when this lets them.
    pub(crate) fn set_gate(&self, gate: Arc<dyn Gate>) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(gate);
    }

    /// The definition that a worker registers under a name: the fakes of that name, and this code where none takes
    /// the call.
    pub(crate) fn definition(
        self: &Arc<Self>,
        name: ActivityName,
        code: Option<ActivityDefinition>,
    ) -> ActivityDefinition {
        let fakes = self.clone();
        ActivityDefinition::untyped(name, move |cx, input| {
            Box::pin(fakes.clone().attempt(cx, input, code.clone()))
        })
    }

    /// The names that there are fakes for.
    pub(crate) fn names(&self) -> Vec<ActivityName> {
        self.lock().rules.keys().cloned().collect()
    }

    fn add(&self, name: ActivityName, rule: Rule) {
        self.lock().rules.entry(name).or_default().push(rule);
    }

    /// From now on a call of this name is unexpected, whatever could take it.
    fn forbid(&self, name: ActivityName) {
        let mut state = self.lock();
        state.rules.entry(name.clone()).or_default();
        state.forbidden.insert(name);
    }

    /// Expects the calls of these activities in this order.
    pub(crate) fn expect_order(&self, order: Expected) {
        self.lock().orders.push(order);
    }

    /// The calls that were made until now.
    pub(crate) fn calls(&self) -> Calls {
        self.lock().log.calls()
    }

    /// The first call that nothing was there to take, as a sentence.
    pub(crate) fn unexpected(&self) -> Option<String> {
        self.lock().unexpected.first().cloned()
    }

    /// What was expected and has not happened, or has happened too often or in another order; a sentence for each.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let state = self.lock();
        let rules = state.rules.iter().flat_map(|(name, rules)| rules.iter().map(move |rule| (name, rule)));
        let counts = rules.filter_map(|(name, rule)| rule.unmet(name));
        let orders = state.orders.iter().filter_map(|order| order.unmet(&state.log));
        counts.chain(orders).collect()
    }

    async fn attempt(
        self: Arc<Self>,
        cx: ActivityContext,
        input: Payload,
        code: Option<ActivityDefinition>,
    ) -> Result<Payload, Failure> {
        let (call, taken) = self.begin(&cx, &input, code);
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let result = match taken {
            Taken::Fake { answer, takes } => {
                if let Some(takes) = takes {
                    self.clock.sleep(takes).await;
                }
                let answered = answer.prepare(cx, input);
                let outcomes = answered.outcomes();
                // What takes its own time ends by itself, unless it may end in several ways.
                let chosen = match gate.filter(|_| outcomes > 1 || (takes.is_none() && outcomes == 1)) {
                    Some(gate) => gate.pass(&call, outcomes).await,
                    None => 0,
                };
                if chosen == FAILS { Err(explored()) } else { answered.give(chosen).await }
            }
            Taken::Real(code) => {
                let result = self.real.run(&code, cx, &input).await;
                match gate {
                    Some(gate) if gate.pass(&call, 1).await == FAILS => Err(explored()),
                    _ => result,
                }
            }
            Taken::Nobody => std::future::pending().await,
        };
        self.lock().log.ended(&call, &result);
        result
    }

    fn begin(
        &self,
        cx: &ActivityContext,
        input: &Payload,
        code: Option<ActivityDefinition>,
    ) -> (Call, Taken) {
        let name = &cx.info().activity;
        let mut state = self.lock();
        let call = state.log.began(cx.info(), input, self.clock.now());
        if state.forbidden.contains(name) {
            let text = PayloadText(input);
            state.unexpected.push(format!("{name:?} was called with {text}, but is never to be called"));
            return (call, Taken::Nobody);
        }
        let rules = state.rules.get_mut(name).map(Vec::as_mut_slice).unwrap_or_default();
        let taken = match (rules.iter_mut().find_map(|rule| rule.take(input)), code) {
            (Some((answer, takes)), _) => Taken::Fake { answer, takes },
            (None, Some(code)) => Taken::Real(code),
            (None, None) => {
                let rules: Vec<String> = rules.iter().map(Rule::to_string).collect();
                let text = PayloadText(input);
                state.unexpected.push(format!(
                    "{name:?} was called with {text}, which none of its fakes takes ({}), and it has no code of its own",
                    rules.join("; ")
                ));
                Taken::Nobody
            }
        };
        (call, taken)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn explored() -> Failure {
    Failure::new("Explored", "the explorer lets this attempt fail")
}
