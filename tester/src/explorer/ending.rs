//! What an invariant may look at when a schedule has ended.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use retell::client::{ResultError, UpdateError};
use retell::history::Event;
use retell::vocabulary::RunKey;
use retell::workflow::{NamesWorkflow, Workflow};
use retell::write::CloseStatus;
use serde::de::DeserializeOwned;

use super::action::Action;
use crate::fakes::Calls;
use crate::tester::Tester;

/// The end of a schedule, for invariants to look at.
#[derive(Debug)]
pub struct Ending<'a> {
    pub(super) tester: &'a Tester,
    pub(super) calls: Calls,
    pub(super) actions: &'a [Action],
    /// The actions that were done, and whether each was accepted.
    pub(super) done: &'a BTreeMap<String, bool>,
    pub(super) crashes: usize,
}

impl Ending<'_> {
    /// What a workflow ID came to, following runs that continued as new; `None` while it is open.
    ///
    /// # Panics
    /// If no run of that ID was started.
    #[must_use]
    #[track_caller]
    pub fn result<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: &str,
    ) -> Option<Result<W::Output, ResultError>> {
        let run = self.tester.run(workflow, workflow_id);
        run.closed()?;
        Some(run.result())
    }

    /// How the last run of a workflow ID closed; `None` while it is open.
    ///
    /// # Panics
    /// If no run of that ID was started.
    #[must_use]
    #[track_caller]
    pub fn closed(&self, workflow_id: &str) -> Option<CloseStatus> {
        self.tester.closed(workflow_id)
    }

    /// The histories of a workflow ID: its first run, and those that it continued as.
    ///
    /// # Panics
    /// If no run of that ID was started.
    #[must_use]
    #[track_caller]
    pub fn histories(&self, workflow_id: &str) -> Vec<(RunKey, Vec<Event>)> {
        self.tester.histories(workflow_id)
    }

    /// How many events of this name the histories of a workflow ID hold.
    ///
    /// # Panics
    /// If no run of that ID was started.
    #[must_use]
    #[track_caller]
    pub fn count(&self, workflow_id: &str, event: &str) -> usize {
        let histories = self.histories(workflow_id);
        histories.iter().flat_map(|(_, events)| events).filter(|held| held.kind.name() == event).count()
    }

    /// The attempts that were made, and how their bodies ended.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The value of type `T` that the setup shared with [`Tester::state`]: the world outside, as activities left it.
    ///
    /// # Panics
    /// If it shared none.
    #[must_use]
    #[track_caller]
    pub fn state<T: Any + Send + Sync>(&self) -> Arc<T> {
        self.tester.shared()
    }

    /// Whether an action was done and accepted: `order-42: signal confirmed`, `order-42: cancel`, or the name that it
    /// was given.
    #[must_use]
    pub fn accepted(&self, action: &str) -> bool {
        self.done.get(action).copied().unwrap_or(false)
    }

    /// What came of an update of [`Explorer::update`](crate::Explorer::update), by the action's name
    /// (`account: update deposit`); `None` if it was not sent, or not accepted, or its handler has not ended.
    #[must_use]
    pub fn answer<O: DeserializeOwned>(&self, action: &str) -> Option<Result<O, UpdateError>> {
        let update = self.actions.iter().find(|known| known.name() == action && self.accepted(action))?;
        let answer = update.answer(self.tester).transpose()?;
        Some(answer.and_then(|answer| answer.decode().map_err(UpdateError::Payload)))
    }

    /// How often the worker died.
    #[must_use]
    pub fn crashes(&self) -> usize {
        self.crashes
    }

    /// The world as it stands.
    #[must_use]
    pub fn tester(&self) -> &Tester {
        self.tester
    }
}
