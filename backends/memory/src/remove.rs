//! Removing closed runs.

use retell::vocabulary::RunKey;
use retell::write::{Applied, Outcome, Refusal};

use crate::state::State;

impl State {
    /// Removes a closed run with all that belongs to it.
    pub(crate) fn remove(&mut self, key: &RunKey) -> Outcome {
        if self.open.contains(key) || self.unsettled.contains(key) {
            return Err(Refusal::RunOpen(key.clone()));
        }
        if self.runs.remove(key).is_none() {
            return Ok(Applied::Removed);
        }
        self.answers.remove(key);
        self.identities.remove(key);
        let workflow_id = (key.namespace.clone(), key.workflow_id.clone());
        if self.latest.get(&workflow_id) == Some(key) {
            let is_same =
                |run: &RunKey| (&run.namespace, &run.workflow_id) == (&workflow_id.0, &workflow_id.1);
            let others = self.runs.iter().filter(|(run, _)| is_same(run));
            match others.max_by_key(|(_, run)| run.number).map(|(key, _)| key.clone()) {
                Some(latest) => _ = self.latest.insert(workflow_id, latest),
                None => _ = self.latest.remove(&workflow_id),
            }
        }
        Ok(Applied::Removed)
    }
}
