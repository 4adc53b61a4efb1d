//! What was measured in one session, and the file that keeps it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::machine::Machine;
use crate::measure::Figures;

/// All that was measured in one session on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) machine: Machine,
    pub(crate) results: Vec<Measured>,
}

/// What one contender did with one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) workload: String,
    /// `retell`, `floor`, or a peer's name and version.
    pub(crate) contender: String,
    /// What it stores in, and what that promises.
    pub(crate) store: String,
    pub(crate) settings: String,
    pub(crate) count: u32,
    pub(crate) figures: Figures,
    /// What the store does at best in the same unit, if that was measured.
    pub(crate) limit_per_second: Option<f64>,
}

pub(crate) const RETELL: &str = "retell";
pub(crate) const FLOOR: &str = "floor";
/// How stores are named: what users get, and what keeps nothing.
pub(crate) const FULL: &str = "SQLite, synchronous=FULL";
pub(crate) const MEMORY: &str = "memory";
pub(crate) const DEFAULTS: &str = "defaults";

impl Session {
    pub(crate) fn begin() -> Self {
        Self { machine: Machine::this(), results: Vec::new() }
    }

    /// What several files hold, as one session on the machine of the first.
    pub(crate) fn read_all(paths: &[std::path::PathBuf]) -> Result<Self, Failure> {
        let mut sessions = paths.iter().map(|path| Self::read(path));
        let mut all = sessions.next().ok_or("no file is named")??;
        for session in sessions {
            all.results.extend(session?.results);
        }
        Ok(all)
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        Ok(serde_json::from_str(&text).map_err(|error| named(&error))?)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        Ok(std::fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// What a contender did with a workload, on a store whose name begins so.
    pub(crate) fn find(&self, workload: &str, contender: &str, store: &str) -> Option<&Measured> {
        self.of(workload, contender, store).next()
    }

    /// The fastest of a contender's settings.
    pub(crate) fn fastest(&self, workload: &str, contender: &str, store: &str) -> Option<&Measured> {
        let found = self.of(workload, contender, store);
        found.max_by(|a, b| a.figures.per_second.total_cmp(&b.figures.per_second))
    }

    fn of(&self, workload: &str, contender: &str, store: &str) -> impl Iterator<Item = &Measured> {
        self.results.iter().filter(move |measured| {
            measured.workload == workload
                && measured.contender.starts_with(contender)
                && measured.store.starts_with(store)
        })
    }
}
