//! W1: 200 runs at once, each 10 sequential activities, 100-byte payloads.

use std::error::Error;

use futures::future::try_join_all;
use retell::Engine;

use super::chain::{measured, one};
use crate::figures::Sample;
use crate::store::Store;

const RUNS: u64 = 200;
const LENGTH: u32 = 10;

pub(super) async fn run(engine: &Engine, store: &Store) -> Result<Sample, Box<dyn Error>> {
    measured(store, async {
        let latencies = try_join_all((0..RUNS).map(|_| one(engine, LENGTH))).await?;
        Ok((RUNS * u64::from(LENGTH), latencies))
    })
    .await
}
