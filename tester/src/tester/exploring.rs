//! What the explorer asks of a tester beside what tests do.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use retell::backend::RunStatus;
use retell::history::{Event, to_text};
use retell::vocabulary::{RunKey, WorkflowId};
use retell::write::CloseStatus;

use super::inner::{Inner, lock};
use super::setup::Time;
use super::still::still;
use super::trouble::Trouble;
use super::{BEGINNING, Part, Tester, or_panic};
use crate::fakes::Gate;

/// The seed of all explored worlds: what differs between them are the choices.
const SEED: u64 = 0;

impl Tester {
    /// A tester whose attempts end at the gate and whose time is moved by the explorer.
    pub(crate) fn explored(gate: impl Gate) -> Self {
        let inner = Inner::new(SEED, BEGINNING);
        inner.fakes.set_gate(Arc::new(gate));
        lock(&inner.setup).time = Time::ByHand;
        let tester = Self { inner: Arc::new(inner), part: Part::Schedule };
        tester.set(|setup| setup.whole_replays = 1)
    }

    /// Lets everything happen that needs no time, plans that are due included.
    pub(crate) fn try_rest(&self) -> Result<(), Trouble> {
        self.inner().rest()?;
        while self.inner().act() {
            self.inner().rest()?;
        }
        Ok(())
    }

    pub(crate) fn time_can_pass(&self) -> bool {
        self.inner().until_next().is_some()
    }

    /// Moves time to where something is next due.
    pub(crate) fn let_time_pass(&self) {
        if let Some(next) = self.inner().until_next() {
            or_panic(self.inner().advance(next));
        }
    }

    /// The workflow IDs that have an open run.
    pub(crate) fn open_ids(&self) -> BTreeSet<WorkflowId> {
        let started = self.inner().started();
        let is_open = |run: &RunKey| self.inner().last_of(run).status == RunStatus::Running;
        started.into_iter().filter(|(_, run)| is_open(run)).map(|(id, _)| id).collect()
    }

    pub(crate) fn any_terminated(&self) -> bool {
        let terminated = RunStatus::Closed(CloseStatus::Terminated);
        self.inner().started().values().any(|run| self.inner().last_of(run).status == terminated)
    }

    /// Why nothing can happen any more.
    pub(crate) fn why_still(&self) -> String {
        still(self.inner(), "the end of every run")
    }

    /// Forgets which workflow IDs were written to, and what was closed.
    pub(crate) fn note_written(&self) {
        let mut tally = lock(&self.inner().tally);
        tally.written.clear();
        tally.closed = false;
    }

    /// Whether a run was closed since.
    pub(crate) fn has_closed(&self) -> bool {
        lock(&self.inner().tally).closed
    }

    /// Holds the worker's commits up on their way to the store.
    pub(crate) fn hold_commits(&self) {
        self.inner().hold.send_replace(true);
    }

    /// Lets them go on.
    pub(crate) fn release_commits(&self) {
        self.inner().hold.send_replace(false);
    }

    /// The workflow IDs that were written to since.
    pub(crate) fn written(&self) -> BTreeSet<WorkflowId> {
        lock(&self.inner().tally).written.clone()
    }

    /// Takes back that the worker is to die; `false` if it has died.
    pub(crate) fn spare(&self) -> bool {
        lock(&self.inner().death).take().is_some()
    }

    /// How the last run of a workflow ID that was started here closed.
    #[track_caller]
    pub(crate) fn closed(&self, workflow_id: &str) -> Option<CloseStatus> {
        match self.inner().last_of(&self.inner().started_as(workflow_id)).status {
            RunStatus::Running => None,
            RunStatus::Closed(status) => Some(status),
        }
    }

    /// The histories of a workflow ID that was started here.
    #[track_caller]
    pub(crate) fn histories(&self, workflow_id: &str) -> Vec<(RunKey, Vec<Event>)> {
        self.inner().histories(&self.inner().started_as(workflow_id))
    }

    /// The histories of all that was started here.
    pub(crate) fn all_histories(&self) -> Vec<(RunKey, Vec<Event>)> {
        self.inner().started().values().flat_map(|run| self.inner().histories(run)).collect()
    }

    /// The histories and the calls, for a person.
    pub(crate) fn told(&self) -> String {
        let mut told = String::new();
        for (run, events) in self.all_histories() {
            let _ = writeln!(told, "The history of {run}:\n{}", to_text(&events));
        }
        let calls = self.calls();
        if !calls.is_empty() {
            let _ = writeln!(told, "The calls:\n{calls}");
        }
        told
    }
}
