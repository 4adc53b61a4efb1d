//! How long after a restart the first run goes on, as the ledger shows it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use retell_samples::orders::ledger::{LedgerError, entries};

/// Waits for the first new effect of an order that had effects before the restart.
#[derive(Debug)]
pub(crate) struct Watch {
    ledger: PathBuf,
    orders: HashSet<String>,
    lines: usize,
    bytes: u64,
    since: Instant,
}

impl Watch {
    /// Reads what there is; to be called while no process lives, just before one starts.
    pub(crate) fn begin(ledger: &Path) -> Result<Self, LedgerError> {
        let before = entries(ledger)?;
        let bytes = before.iter().map(|entry| entry.to_string().len() as u64 + 1).sum();
        let lines = before.len();
        let orders = before.into_iter().map(|entry| entry.order().to_owned()).collect();
        Ok(Self { ledger: ledger.to_owned(), orders, lines, bytes, since: Instant::now() })
    }

    /// The time since the restart, when a run of before it has gone on.
    pub(crate) fn gone_on(&self) -> Result<Option<Duration>, LedgerError> {
        let passed = self.since.elapsed();
        let grown = self.ledger.metadata().is_ok_and(|metadata| metadata.len() > self.bytes);
        if !grown {
            return Ok(None);
        }
        let now = entries(&self.ledger)?;
        let one_of_before = now.iter().skip(self.lines).any(|entry| self.orders.contains(entry.order()));
        Ok(one_of_before.then_some(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retell_samples::orders::ledger::{Entry, LedgerFile};

    #[test]
    fn only_an_order_of_before_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let append = |order, kind| {
            LedgerFile::open(&path).unwrap().append(&[Entry::new(order, kind, 1).unwrap()]).unwrap();
        };
        append("a", "reserve");
        let watch = Watch::begin(&path).unwrap();
        assert_eq!(watch.gone_on().unwrap(), None);
        append("b", "reserve");
        assert_eq!(watch.gone_on().unwrap(), None);
        append("a", "charge");
        assert!(watch.gone_on().unwrap().is_some());
    }
}
