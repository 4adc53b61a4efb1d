//! How long after a restart the first run goes on, as the ledger shows it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use retell_samples::orders::ledger::{Entry, LedgerError, entries};
use retell_samples::orders::order::Step;

/// Waits for the first new effect of an order that was killed in the middle of its work.
///
/// Only orders that have been reserved and nothing more count: what they do next waits for nobody. All others may
/// be waiting for a confirmation.
#[derive(Debug)]
pub(crate) struct Watch {
    ledger: PathBuf,
    at_work: HashSet<String>,
    lines: usize,
    bytes: u64,
    since: Instant,
}

impl Watch {
    /// Reads what there is; to be called while no process lives, just before one starts. `None` if no order was at work.
    pub(crate) fn begin(ledger: &Path) -> Result<Option<Self>, LedgerError> {
        let before = entries(ledger)?;
        let bytes = before.iter().map(|entry| entry.to_string().len() as u64 + 1).sum();
        let lines = before.len();
        let at_work = at_work(&before);
        if at_work.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { ledger: ledger.to_owned(), at_work, lines, bytes, since: Instant::now() }))
    }

    /// The time since the restart, when one of those runs has gone on.
    pub(crate) fn gone_on(&self) -> Result<Option<Duration>, LedgerError> {
        let passed = self.since.elapsed();
        let grown = self.ledger.metadata().is_ok_and(|metadata| metadata.len() > self.bytes);
        if !grown {
            return Ok(None);
        }
        let now = entries(&self.ledger)?;
        let one_of_them = now.iter().skip(self.lines).any(|entry| self.at_work.contains(entry.order()));
        Ok(one_of_them.then_some(passed))
    }
}

fn at_work(entries: &[Entry]) -> HashSet<String> {
    let mut last_step = HashMap::new();
    for entry in entries {
        last_step.insert(entry.order(), entry.kind());
    }
    let reserved = last_step.into_iter().filter(|(_, kind)| *kind == Step::Reserve.effect());
    reserved.map(|(order, _)| order.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retell_samples::orders::ledger::LedgerFile;

    #[test]
    fn only_an_order_that_was_at_work_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let append = |order, kind| {
            LedgerFile::open(&path).unwrap().append(&[Entry::new(order, kind, 1).unwrap()]).unwrap();
        };
        append("waiting", "reserve");
        append("waiting", "charge");
        assert!(Watch::begin(&path).unwrap().is_none());
        append("working", "reserve");
        let watch = Watch::begin(&path).unwrap().unwrap();
        assert_eq!(watch.gone_on().unwrap(), None);
        append("waiting", "ship");
        append("new", "reserve");
        assert_eq!(watch.gone_on().unwrap(), None);
        append("working", "charge");
        assert!(watch.gone_on().unwrap().is_some());
    }
}
