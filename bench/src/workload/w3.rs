//! W3: one run at a time, one activity, from start to result.

use std::error::Error;

use retell::Engine;

use super::chain::{measured, one};
use crate::figures::Sample;
use crate::store::Store;

const RUNS: u64 = 300;

pub(super) async fn run(engine: &Engine, store: &Store) -> Result<Sample, Box<dyn Error>> {
    measured(store, async {
        let mut latencies = Vec::new();
        for _ in 0..RUNS {
            latencies.push(one(engine, 1).await?);
        }
        Ok((RUNS, latencies))
    })
    .await
}
