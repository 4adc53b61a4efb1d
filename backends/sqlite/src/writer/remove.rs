//! Removing closed runs.

use retell::vocabulary::RunKey;
use retell::write::{Applied, Refusal};

use super::transaction::Transaction;
use crate::fault::Stop;

/// Everything that names a run by its row, and the run.
const REMOVALS: [&str; 8] = [
    "DELETE FROM records WHERE run = ?1",
    "DELETE FROM inbox WHERE run = ?1",
    "DELETE FROM activities WHERE run = ?1",
    "DELETE FROM attributes WHERE run = ?1",
    "DELETE FROM requests WHERE run = ?1",
    "DELETE FROM answers WHERE run = ?1",
    "UPDATE removed SET last = ?1 WHERE last < ?1 AND ?1 = (SELECT max(id) FROM runs)",
    "DELETE FROM runs WHERE id = ?1",
];

impl Transaction<'_> {
    /// Removes a closed run with all that belongs to it.
    pub(crate) fn remove(&mut self, run: &RunKey) -> Result<Applied, Stop> {
        let Some(row) = self.run_row(run)? else { return Ok(Applied::Removed) };
        let state = self.state(row)?;
        if state.is_open() || state.unsettled {
            return Err(Refusal::RunOpen(run.clone()).into());
        }
        for removal in REMOVALS {
            self.statement(removal)?.execute([row])?;
        }
        self.memory.forget(run);
        Ok(Applied::Removed)
    }
}
