//! What physics leaves: the same bytes, written with nothing but the store's driver in the best imaginable batches.
//!
//! A store of another kind needs a file here that writes a [`Load`]; one on a server, the part of it that one connection
//! writes.

mod memory;
mod mysql;
mod postgres;
mod redis;
mod sqlite;
mod together;

use std::time::Duration;

use crate::Failure;
use crate::measure::Counts;
use crate::place::Place;
use crate::store::StoreKind;
use crate::workload::Workload;

/// What is to be written: rows and bytes of a sample, in the fewest commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) commits: u64,
    pub(crate) starts: u64,
    pub(crate) closings: u64,
    pub(crate) records: u64,
    /// Of one record, on average.
    pub(crate) record_bytes: usize,
}

impl Load {
    /// What a sample of a workload wrote; `None` if the store does not decide how fast it is.
    pub(crate) fn of(workload: Workload, count: u32, counts: &Counts) -> Option<Self> {
        let commits = u64::from(workload.commits_at_best(count)?);
        let record_bytes = counts.record_bytes.checked_div(counts.records)? as usize;
        let Counts { starts, closings, records, .. } = *counts;
        // The engine may have grouped badly, and written more records than a run has commits at best.
        Some(Self { commits, starts, closings, records, record_bytes })
    }

    /// Which of `all` things fall into a commit, if they are spread evenly.
    fn share(&self, all: u64, commit: u64) -> std::ops::Range<u64> {
        all * commit / self.commits..all * (commit + 1) / self.commits
    }
}

/// Writes a load once to warm up and once more, and says how long that took.
pub(crate) async fn measure(store: StoreKind, load: &Load, place: &Place) -> Result<Duration, Failure> {
    match store {
        StoreKind::SqliteFull => sqlite::measure(load, "full", &place.directory),
        StoreKind::SqliteNormal => sqlite::measure(load, "normal", &place.directory),
        StoreKind::Memory => Ok(memory::measure(load)),
        StoreKind::Postgres => together::fastest::<postgres::Floor>(load, place).await,
        StoreKind::MySql => together::fastest::<mysql::Floor>(load, place).await,
        StoreKind::Redis => together::fastest::<redis::Floor>(load, place).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { commits: 11, starts: 200, closings: 200, records: 2_200, record_bytes: 300 };

    #[test]
    fn everything_falls_into_one_commit() {
        for all in [0, 1, 200, 2_200] {
            let spread: u64 = (0..LOAD.commits).map(|commit| LOAD.share(all, commit).count() as u64).sum();
            assert_eq!(spread, all);
        }
    }

    #[test]
    fn each_store_has_a_floor() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        for store in StoreKind::ALL {
            let place = Place::of(store, None, directory.path().to_owned()).unwrap();
            let took = runtime.block_on(measure(store, &LOAD, &place)).unwrap();
            assert!(took > Duration::ZERO, "{store}");
        }
    }
}
