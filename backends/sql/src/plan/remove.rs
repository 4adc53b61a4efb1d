//! Removing closed runs.

use retell::vocabulary::RunKey;
use retell::write::{Applied, Outcome, Refusal};

use super::run::OPEN;
use super::world::World;

impl World<'_> {
    /// Removes a closed run with all that belongs to it.
    pub(crate) fn remove(&mut self, key: &RunKey) -> Outcome {
        let Some(row) = self.by_key.get(key).copied() else {
            return Ok(Applied::Removed);
        };
        let run = self.run(row);
        if run.status == OPEN || run.unsettled {
            return Err(Refusal::RunOpen(key.clone()));
        }
        let place = (run.namespace, key.workflow_id.clone());
        self.by_key.remove(key);
        self.runs.remove(&row);
        self.requests.retain(|_, kept| kept.run != row);
        self.removed.push(row);
        if let Some(id) = self.ids.get_mut(&place)
            && id.latest == Some(row)
        {
            id.latest = id.before;
            id.dirty = true;
        }
        Ok(Applied::Removed)
    }
}
