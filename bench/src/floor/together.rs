//! The floor of a server: the load cut into parts, each written on a connection of its own, by as many as helps.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::Load;
use crate::Failure;
use crate::place::Place;

/// How many connections are tried.
const CONNECTIONS: [u64; 3] = [1, 2, 4];

/// How a part of a load is written on one connection.
pub(super) trait Connection: Sized {
    /// Makes the tables, if there are any.
    fn prepare(url: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    fn connect(url: &str) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Writes what falls into one commit, durably.
    fn commit(&mut self, batch: &Batch) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What is written in one commit.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Runs that begin.
    pub(super) starts: Vec<u64>,
    /// Runs, and the places of their new records.
    pub(super) records: Vec<(u64, u64)>,
    /// Runs that end.
    pub(super) closings: Vec<u64>,
    /// What each record holds.
    pub(super) bytes: Vec<u8>,
}

/// Writes it with each number of connections, once to warm up and once more; answers the least time.
pub(super) async fn fastest<C: Connection + Send + 'static>(
    load: &Load,
    place: &Place,
) -> Result<Duration, Failure> {
    let mut least = Duration::MAX;
    for connections in CONNECTIONS.into_iter().filter(|count| *count <= load.starts) {
        let url = place.fresh_database()?;
        C::prepare(&url).await?;
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(C::connect(&url).await?);
        }
        write(&mut open, load, 0).await?;
        let began = Instant::now();
        write(&mut open, load, load.starts).await?;
        least = least.min(began.elapsed());
    }
    Ok(least)
}

/// Writes a load, its runs shared out among connections; they follow on `before` others.
async fn write<C: Connection>(open: &mut [C], load: &Load, before: u64) -> Result<(), Failure> {
    let parts = open.len() as u64;
    let writing = open.iter_mut().zip(0..).map(|(connection, part)| async move {
        for commit in 0..load.commits {
            let batch = batch(load, commit, before, |run| run % parts == part);
            if !batch.is_empty() {
                connection.commit(&batch).await?;
            }
        }
        Ok::<_, Failure>(())
    });
    try_join_all(writing).await.map(drop)
}

fn batch(load: &Load, commit: u64, before: u64, is_own: impl Fn(u64) -> bool) -> Batch {
    let runs = load.starts.max(1);
    let own = |run: &u64| is_own(*run);
    let records = load.share(load.records, commit).map(|number| (number % runs, number / runs));
    Batch {
        starts: load.share(load.starts, commit).filter(own).map(|run| before + run).collect(),
        records: records.filter(|(run, _)| is_own(*run)).map(|(run, at)| (before + run, at)).collect(),
        closings: load.share(load.closings, commit).filter(own).map(|run| before + run).collect(),
        bytes: vec![7; load.record_bytes],
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.records.is_empty() && self.closings.is_empty()
    }
}

/// The ID of a run and its workflow's, as long as ours are.
pub(super) fn ids(run: u64) -> (Vec<u8>, String) {
    ([run.to_be_bytes(), run.to_be_bytes()].concat(), format!("bench-{run:032}"))
}
