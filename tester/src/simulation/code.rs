//! The code under test: the random program's, or the user's own, and how a process comes to have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use retell::Orchestrator;
use retell::activity::ActivityDefinition;
use retell::replay::Definition;
use retell::vocabulary::WorkflowType;

use super::plan::{Limits, OwnStart};
use super::program::{Block, Labour};
use super::stage::Site;

/// What every process of a schedule serves, and what is started.
#[derive(Clone, Default)]
pub(super) struct Code {
    pub(super) limits: Limits,
    pub(super) definitions: BTreeMap<WorkflowType, Arc<dyn Definition>>,
    pub(super) activities: Vec<ActivityDefinition>,
    pub(super) states: Vec<StateOf>,
    pub(super) starts: Vec<OwnStart>,
}

/// Gives a process a value to share with its activities.
pub(super) type StateOf = Arc<dyn Fn(Orchestrator) -> Orchestrator + Send + Sync>;

impl Code {
    /// An orchestrator that has all of it.
    pub(super) fn register(&self, orchestrator: Orchestrator, site: &Site) -> Orchestrator {
        let orchestrator = orchestrator.state(site.clone()).activity(Labour).activity(Block);
        let definitions = self.definitions.values().cloned();
        let orchestrator = definitions.fold(orchestrator, Orchestrator::workflow_definition);
        let orchestrator = self.states.iter().fold(orchestrator, |orchestrator, state| state(orchestrator));
        let watched = self.activities.iter().map(|activity| site.clone().watched(activity.clone()));
        watched.fold(orchestrator, Orchestrator::activity_definition)
    }
}
