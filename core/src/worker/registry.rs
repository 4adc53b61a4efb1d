//! The registry: what this worker can run, by name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::activity::{ActivityDefinition, SharedState};
use crate::around::Surroundings;
use crate::replay::Definition;
use crate::vocabulary::{ActivityName, WorkflowName, WorkflowType, WorkflowVersion};

/// The workflows and activities of a worker, and what its activities share.
#[derive(Default)]
pub(crate) struct Registry {
    /// By name and version.
    pub(crate) workflows: HashMap<WorkflowType, Arc<dyn Definition>>,
    /// Which version of a workflow is started by its name alone, where that is not the highest.
    pub(crate) defaults: HashMap<WorkflowName, WorkflowVersion>,
    /// By name.
    pub(crate) activities: HashMap<ActivityName, ActivityDefinition>,
    /// What a step passes before it runs; a tester fakes it there.
    pub(crate) steps: Option<StepHook>,
    /// What stands around their attempts.
    pub(crate) around: Surroundings,
    /// What activities are given.
    pub(crate) state: Arc<SharedState>,
}

/// See [`Orchestrator::step_hook`](crate::Orchestrator::step_hook).
pub(crate) type StepHook = Arc<dyn Fn(ActivityDefinition) -> ActivityDefinition + Send + Sync>;

impl Registry {
    /// The activities that run on blocking threads, or those that do not.
    pub(super) fn activity_names(&self, blocking: bool) -> Vec<ActivityName> {
        let mut names: Vec<_> = self
            .activities
            .iter()
            .filter(|(_, definition)| definition.blocking() == blocking)
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    }

    /// Which version of each workflow is started by its name alone.
    pub(crate) fn default_versions(&self) -> HashMap<WorkflowName, WorkflowVersion> {
        let mut versions: HashMap<WorkflowName, WorkflowVersion> = HashMap::new();
        for WorkflowType { name, version } in self.workflows.keys() {
            let highest = versions.entry(name.clone()).or_insert(*version);
            *highest = (*version).max(*highest);
        }
        versions.extend(self.defaults.iter().map(|(name, version)| (name.clone(), *version)));
        versions
    }

    /// The workflows served, in order.
    pub(super) fn workflow_types(&self) -> Vec<WorkflowType> {
        let mut types: Vec<_> = self.workflows.keys().cloned().collect();
        types.sort();
        types
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("workflows", &self.workflows.keys())
            .field("activities", &self.activities.keys())
            .finish_non_exhaustive()
    }
}
