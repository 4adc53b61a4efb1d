//! How long after a kill the runs go on, as the ledger shows it.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use retell_samples::orders::ledger::{LedgerError, LedgerTail};
use retell_samples::orders::order::Step;

/// Follows the ledger, and waits after each kill for the next effects of the orders that were in the middle of their work.
///
/// Only orders that have been reserved and nothing more count: what they do next waits for nobody. All others may
/// be waiting for a confirmation.
#[derive(Debug)]
pub(crate) struct Watch {
    ledger: LedgerTail,
    at_work: HashSet<String>,
    stalls: Vec<Stall>,
    times: Times,
}

/// How long it took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times {
    /// For each time that all processes were killed while orders were at work: until the first of those went on.
    pub(crate) first: Vec<Duration>,
    /// For each time that any were: until all of those had gone on.
    pub(crate) all: Vec<Duration>,
}

/// Which processes were killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Killed {
    /// One, or some, and others live: their orders go on meanwhile.
    Some,
    /// Every one.
    All,
}

/// The orders that were at work at one kill and have not gone on yet.
#[derive(Debug)]
struct Stall {
    since: Instant,
    orders: HashSet<String>,
    /// Whether the first that goes on tells something.
    awaits_first: bool,
}

impl Watch {
    pub(crate) fn over(ledger: &Path) -> Self {
        let ledger = LedgerTail::of(ledger);
        Self { ledger, at_work: HashSet::new(), stalls: Vec::new(), times: Times::default() }
    }

    /// Reads what was done meanwhile.
    pub(crate) fn look(&mut self) -> Result<(), LedgerError> {
        for entry in self.ledger.more()? {
            if entry.kind() == Step::Reserve.effect() {
                self.at_work.insert(entry.order().to_owned());
            } else if self.at_work.remove(entry.order()) {
                self.stalls.iter_mut().for_each(|stall| stall.went_on(entry.order(), &mut self.times));
            }
        }
        self.stalls.retain(|stall| !stall.orders.is_empty());
        Ok(())
    }

    /// Notes which orders were at work when processes were killed, just now.
    pub(crate) fn killed(&mut self, since: Instant, who: Killed) -> Result<(), LedgerError> {
        self.look()?;
        // Those that wait since an earlier kill tell nothing of this one.
        let waits = |order: &&String| self.stalls.iter().any(|stall| stall.orders.contains(*order));
        let orders: HashSet<_> = self.at_work.iter().filter(|order| !waits(order)).cloned().collect();
        if !orders.is_empty() {
            self.stalls.push(Stall { since, orders, awaits_first: who == Killed::All });
        }
        Ok(())
    }

    pub(crate) fn times(&self) -> &Times {
        &self.times
    }
}

impl Stall {
    fn went_on(&mut self, order: &str, times: &mut Times) {
        if !self.orders.remove(order) {
            return;
        }
        let passed = self.since.elapsed();
        if std::mem::take(&mut self.awaits_first) {
            times.first.push(passed);
        }
        if self.orders.is_empty() {
            times.all.push(passed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retell_samples::orders::ledger::{Entry, LedgerFile};

    /// Makes the entries `order kind`, parted by commas, and looks at them.
    fn done(watch: &mut Watch, path: &Path, text: &str) -> (usize, usize) {
        let entries: Vec<_> = text
            .split(", ")
            .map(|entry| entry.split_once(' ').unwrap())
            .map(|(order, kind)| Entry::new(order, kind, 1).unwrap())
            .collect();
        LedgerFile::open(path).unwrap().append(&entries).unwrap();
        watch.look().unwrap();
        (watch.times().first.len(), watch.times().all.len())
    }

    #[test]
    fn only_orders_that_were_at_work_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let mut watch = Watch::over(&path);
        done(&mut watch, &path, "waiting reserve, waiting charge");
        watch.killed(Instant::now(), Killed::All).unwrap();
        done(&mut watch, &path, "one reserve, two reserve");
        watch.killed(Instant::now(), Killed::All).unwrap();
        assert_eq!(done(&mut watch, &path, "waiting ship, new reserve, new charge"), (0, 0));
        assert_eq!(done(&mut watch, &path, "one charge"), (1, 0));
        assert_eq!(done(&mut watch, &path, "two charge"), (1, 1));
    }

    #[test]
    fn each_kill_is_asked_for_its_own_orders() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let mut watch = Watch::over(&path);
        done(&mut watch, &path, "first reserve");
        watch.killed(Instant::now(), Killed::Some).unwrap();
        done(&mut watch, &path, "second reserve");
        watch.killed(Instant::now(), Killed::All).unwrap();
        assert_eq!(done(&mut watch, &path, "first charge"), (0, 1));
        assert_eq!(done(&mut watch, &path, "second charge"), (1, 2));
    }
}
