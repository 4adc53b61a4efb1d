//! One schedule: a world of its own, what can happen in it next, and what has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use retell::client::UpdateError;
use retell::vocabulary::WorkflowId;

use super::Explorer;
use super::action::Action;
use super::choice::{Choice, Cost};
use super::ending::Ending;
use super::gate::ExplorerGate;
use super::laws;
use crate::fakes::FAILS;
use crate::tester::{Tester, Trouble};

/// The last commit of a step before which a worker may die.
const COMMITS_MAX: usize = 4;

/// A schedule under way.
pub(super) struct Stage<'a> {
    explorer: &'a Explorer,
    tester: Tester,
    gate: ExplorerGate,
    /// The actions that were done, and whether each was accepted.
    done: BTreeMap<String, bool>,
    spent: [usize; 3],
    /// The workflow IDs that have an open run.
    open: BTreeSet<WorkflowId>,
    pub(super) steps: usize,
    /// Whether something that concerned one workflow ID alone wrote to another.
    mingled: bool,
}

/// What a step has done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happened {
    /// Whether a commit closed a run.
    pub(super) closes: bool,
    /// How many commits there were.
    pub(super) commits: u64,
}

/// What does not hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Broken {
    /// What it is, the same for the same fault in another schedule.
    pub(super) what: String,
    pub(super) detail: String,
}

impl Broken {
    fn new(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { what: what.into(), detail: detail.into() }
    }

    fn of(trouble: &Trouble) -> Self {
        let what = match trouble {
            Trouble::Nondeterminism(_) => "the workflow replays its own history",
            Trouble::TaskFailed { .. } => "no workflow task fails",
            Trouble::UnexpectedCall(_) => "every call is taken",
            Trouble::Unmet(_) => "what is expected happens",
            _ => "the world comes to rest",
        };
        Self::new(what, trouble.to_string())
    }
}

impl<'a> Stage<'a> {
    /// Sets a world up, up to its first rest.
    pub(super) fn set(explorer: &'a Explorer) -> Result<Self, Broken> {
        let gate = ExplorerGate::default();
        let tester = guarded(|| (explorer.setup)(Tester::explored(gate.clone())))?;
        let mut stage = Self {
            explorer,
            tester,
            gate,
            done: BTreeMap::new(),
            spent: [0; 3],
            open: BTreeSet::new(),
            steps: 0,
            mingled: false,
        };
        stage.rest()?;
        Ok(stage)
    }

    /// What can happen next, the default course first. Nothing once all runs have closed.
    pub(super) fn choices(&self) -> Vec<Choice> {
        if self.steps >= self.explorer.limits.steps_max || self.open.is_empty() {
            return Vec::new();
        }
        let mut choices = Vec::new();
        let waiting = self.gate.waiting();
        for (call, of) in &waiting {
            let ends = |outcome| Choice::Ends { call: Box::new(call.clone()), outcome, of: *of };
            choices.extend((0..*of).map(ends));
        }
        if self.tester.time_can_pass() {
            choices.push(Choice::Time);
        }
        for action in &self.explorer.actions {
            let heard = action.target().is_none_or(|target| self.open.contains(target));
            if heard && !self.done.contains_key(action.name()) {
                choices.push(Choice::Action(action.name().clone()));
            }
        }
        if choices.is_empty() {
            return choices;
        }
        if self.may_spend(Cost::Duplicate) {
            let may_come_again = |action: &&Action| {
                let heard = action.target().is_some_and(|target| self.open.contains(target));
                heard && action.may_come_twice() && self.done.get(action.name()) == Some(&true)
            };
            let again = self.explorer.actions.iter().filter(may_come_again);
            choices.extend(again.map(|action| Choice::Again(action.name().clone())));
        }
        if self.may_spend(Cost::Failure) {
            let fails = |(call, of): &(_, usize)| Choice::Ends {
                call: Box::new(Clone::clone(call)),
                outcome: FAILS,
                of: *of,
            };
            choices.extend(waiting.iter().map(fails));
        }
        let overtaken = self.overtaken(&choices);
        if self.may_spend(Cost::Crash) {
            let unheard: Vec<_> =
                choices.iter().cloned().map(|choice| Choice::Unheard(Box::new(choice))).collect();
            let unstored = |choice: &Choice| {
                let before = |commit| Choice::Unstored(Box::new(choice.clone()), commit);
                (2..=COMMITS_MAX).map(before).collect::<Vec<_>>()
            };
            let unstored: Vec<_> = choices.iter().flat_map(unstored).collect();
            choices.push(Choice::Crash);
            choices.extend(unheard);
            choices.extend(unstored);
        }
        choices.extend(overtaken);
        choices
    }

    /// Each of these with a message that comes before its commit.
    fn overtaken(&self, choices: &[Choice]) -> Vec<Choice> {
        let messages: Vec<&String> = self.messages().collect();
        let plain = choices.iter().filter(|choice| choice.cost() == Cost::Nothing);
        let with_each = |choice: &Choice| -> Vec<Choice> {
            let others = messages.iter().filter(|name| *choice != Choice::Action((**name).clone()));
            others.map(|name| Choice::Overtaken(Box::new(choice.clone()), (*name).clone())).collect()
        };
        plain.flat_map(with_each).collect()
    }

    /// The messages that may still be sent.
    fn messages(&self) -> impl Iterator<Item = &String> {
        let may_come = |action: &&Action| {
            let heard = action.target().is_some_and(|target| self.open.contains(target));
            heard && !self.done.contains_key(action.name())
        };
        self.explorer.actions.iter().filter(may_come).map(Action::name)
    }

    /// Lets one thing happen, and the world come to rest.
    pub(super) fn take(&mut self, choice: &Choice) -> Result<Happened, Broken> {
        self.steps += 1;
        if let Some(spent) = index(choice.cost()) {
            self.spent[spent] += 1;
        }
        self.tester.note_written();
        let before = self.tester.commits();
        match choice {
            Choice::Unheard(_) => self.tester.crash_after_commit(1),
            Choice::Unstored(_, commit) => self.tester.crash_before_commit(commit - 1),
            _ => {}
        }
        self.happen(choice)?;
        self.rest()?;
        if self.tester.spare() {
            // There were not so many commits: it dies all the same.
            guarded(|| self.tester.crash())?;
            self.rest()?;
        }
        if let Some(alone) = choice.concerns() {
            self.mingled |= self.tester.written().iter().any(|written| written != alone);
        }
        Ok(Happened { closes: self.tester.has_closed(), commits: self.tester.commits() - before })
    }

    fn happen(&mut self, choice: &Choice) -> Result<(), Broken> {
        match choice {
            Choice::Ends { call, outcome, .. } => _ = self.gate.open(call, *outcome),
            Choice::Time => guarded(|| self.tester.let_time_pass())?,
            Choice::Action(name) => {
                let accepted = self.act(name)?;
                self.done.insert(name.clone(), accepted);
            }
            Choice::Again(name) => _ = self.act(name)?,
            Choice::Overtaken(choice, name) => {
                self.tester.hold_commits();
                self.happen(choice)?;
                self.rest()?;
                let accepted = self.act(name)?;
                self.done.insert(name.clone(), accepted);
                self.tester.release_commits();
            }
            Choice::Crash => guarded(|| self.tester.crash())?,
            Choice::Unheard(choice) | Choice::Unstored(choice, _) => self.happen(choice)?,
        }
        Ok(())
    }

    /// Does what an action does; whether it was accepted.
    fn act(&self, name: &str) -> Result<bool, Broken> {
        let Some(action) = self.explorer.actions.iter().find(|action| action.name() == name) else {
            return Ok(false);
        };
        guarded(|| action.act(&self.tester))?
            .map_err(|error| Broken::new(format!("{name} is possible"), error))
    }

    fn rest(&mut self) -> Result<(), Broken> {
        let rested = guarded(|| self.tester.try_rest())?;
        self.open = self.tester.open_ids();
        rested.map_err(|trouble| Broken::of(&trouble))
    }

    /// Whether the order of what concerns different workflow IDs may matter: they write to each other, or their activities
    /// share a state.
    pub(super) fn mingles(&self) -> bool {
        self.mingled || self.tester.shares_outside()
    }

    /// Whether it has come to the limit of steps with runs open.
    pub(super) fn is_cut(&self) -> bool {
        self.steps >= self.explorer.limits.steps_max && !self.open.is_empty()
    }

    /// What does not hold at the end.
    pub(super) fn end(&self) -> Result<(), Broken> {
        if !self.is_cut() && !self.explorer.limits.may_stay_open && !self.open.is_empty() {
            let detail = self.tester.why_still();
            return Err(Broken::new("every run comes to an end", detail));
        }
        self.keeps_the_laws()?;
        self.tester.check().map_err(|trouble| Broken::of(&trouble))?;
        let crashes = self.spent[index(Cost::Crash).unwrap_or(0)];
        let (calls, actions) = (self.tester.calls(), &self.explorer.actions);
        let ending = Ending { tester: &self.tester, calls, actions, done: &self.done, crashes };
        for invariant in &self.explorer.invariants {
            let holds = guarded(|| (invariant.holds)(&ending))?;
            if !holds {
                return Err(Broken::new(invariant.name.clone(), String::new()));
            }
        }
        Ok(())
    }

    /// The engine's own promises.
    fn keeps_the_laws(&self) -> Result<(), Broken> {
        let mut all = Vec::new();
        for (run, events) in self.tester.all_histories() {
            if let Some(broken) = laws::broken_law(&events) {
                return Err(Broken::new("a history keeps the engine's laws", format!("run {run}: {broken}")));
            }
            all.push(events);
        }
        for action in &self.explorer.actions {
            let accepted = self.done.get(action.name()) == Some(&true);
            let Some(request_id) = action.request().filter(|_| accepted) else { continue };
            let may_wait = !self.open.is_empty() || self.tester.any_terminated();
            if let Some(broken) = laws::broken_reception(&all, request_id, may_wait) {
                let detail = format!("{} {broken}", action.name());
                return Err(Broken::new("what was accepted is in history once", detail));
            }
            if let Some(broken) = self.unanswered(action) {
                return Err(Broken::new("every update is answered", format!("{} {broken}", action.name())));
            }
        }
        Ok(())
    }

    /// Why the caller of an update is left without an answer, in words: nobody is, once the runs have ended.
    fn unanswered(&self, action: &Action) -> Option<String> {
        if !action.is_update() || action.target().is_some_and(|target| self.open.contains(target)) {
            return None;
        }
        match action.answer(&self.tester) {
            Ok(None) => Some("has no answer though its run has ended".to_owned()),
            Ok(Some(_))
            | Err(UpdateError::Refused { .. } | UpdateError::Failed(_) | UpdateError::RunEnded { .. }) => {
                None
            }
            Err(error) => Some(format!("has no answer: {error}")),
        }
    }

    /// The histories and the calls, for a person.
    pub(super) fn told(&self) -> String {
        self.tester.told()
    }

    fn may_spend(&self, cost: Cost) -> bool {
        let limits = &self.explorer.limits;
        let allowed = [limits.failures, limits.duplicates, limits.crashes];
        index(cost).is_some_and(|index| self.spent[index] < allowed[index])
    }
}

fn index(cost: Cost) -> Option<usize> {
    match cost {
        Cost::Nothing => None,
        Cost::Failure => Some(0),
        Cost::Duplicate => Some(1),
        Cost::Crash => Some(2),
    }
}

/// A panic of the test's own code is what does not hold.
fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        Broken::new("the test's own code does not panic", message)
    })
}
