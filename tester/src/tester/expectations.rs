//! Fakes, the calls that were made, and what was expected of them.

use std::panic::Location;

use retell::activity::{Activity, NamesActivity};
use retell::vocabulary::ActivityName;
use retell::workflow::{NamesWorkflow, Workflow, definition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Tester;
use super::inner::lock;
use super::trouble::Trouble;
use crate::fakes::{Calls, Expected, Fake, StandIn};

/// # Fakes
impl Tester {
    /// Begins a fake of an activity; what this returns says which calls it takes and how it answers.
    ///
    /// # Panics
    /// If the activity's name is none, or if it was unknown before the first start.
    #[track_caller]
    pub fn fake<A: Activity, M>(&self, activity: impl NamesActivity<A, M>) -> Fake<A::Input, A::Output> {
        let _ = activity;
        self.fake_named(A::NAME)
    }

    /// As [`fake`](Self::fake), by name, with whatever types the test has for input and output.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn fake_named<I: DeserializeOwned, O: Serialize>(&self, name: &str) -> Fake<I, O> {
        let name = ActivityName::new(name).unwrap_or_else(|error| panic!("{error}"));
        let served = lock(&self.inner.setup).serves(&name, &self.inner.fakes);
        assert!(
            served || !self.inner.has_begun(),
            "{name:?} is first faked after the first start, so that no worker serves it"
        );
        Fake::new(self.inner.fakes.clone(), name, Location::caller())
    }

    /// Begins a fake of a child workflow: its runs are real ones, whose code is a stand-in that asks this fake once. It is
    /// counted, ordered and found among the [`calls`](Self::calls) as an activity of the workflow's name.
    ///
    /// Whether a fake is taken, how long it takes, and how it ends are said as for an activity; what fails ends the child
    /// with that failure. A child that is asked to cancel ends as cancelled.
    ///
    /// # Panics
    /// If the workflow's name is none, if an activity of this name is registered, or if the workflow was not faked before
    /// the first start.
    #[track_caller]
    pub fn fake_child<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
    ) -> Fake<W::Input, W::Output> {
        let _ = workflow;
        let definition = definition::<StandIn<W>>().unwrap_or_else(|error| panic!("{error}"));
        let name = ActivityName::new(W::NAME).unwrap_or_else(|error| panic!("{error}"));
        let mut setup = lock(&self.inner.setup);
        assert!(
            !setup.activities.contains_key(&name),
            "{name:?} is an activity too: the fakes could not be told apart"
        );
        if !self.inner.has_begun() {
            setup.workflows.insert(definition.workflow_type().clone(), definition);
        }
        drop(setup);
        self.fake_named(W::NAME)
    }

    /// Expects that the calls of these activities are made in this order, and no others of them; checked when the test
    /// ends. Attempts after the first do not count.
    #[track_caller]
    pub fn expect_order<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let names = names.into_iter().map(str::to_owned).collect();
        self.inner.fakes.expect_order(Expected::new(names, Location::caller()));
    }

    /// The attempts that were made until now.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.inner.fakes.calls()
    }

    /// Checks that what was expected has happened, and that all runs replay, the open ones too. Dropping the tester
    /// does it as well.
    ///
    /// # Errors
    /// [`Trouble::Unmet`] or [`Trouble::Nondeterminism`].
    pub fn check(&self) -> Result<(), Trouble> {
        self.inner.telling(self.find_trouble())
    }

    fn find_trouble(&self) -> Result<(), Trouble> {
        if let Some(follower) = self.inner.follower() {
            follower.replay_all();
            if let Some(divergence) = follower.divergence() {
                return Err(Trouble::Nondeterminism(divergence));
            }
        }
        let unmet = self.inner.fakes.unmet();
        if unmet.is_empty() { Ok(()) } else { Err(Trouble::Unmet(unmet)) }
    }
}
