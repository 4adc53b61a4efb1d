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
            let others = self
                .runs
                .keys()
                .filter(|run| (&run.namespace, &run.workflow_id) == (&workflow_id.0, &workflow_id.1));
            match others.max_by_key(|run| self.runs[run].number).cloned() {
                Some(latest) => _ = self.latest.insert(workflow_id, latest),
                None => _ = self.latest.remove(&workflow_id),
            }
        }
        Ok(Applied::Removed)
    }
}
