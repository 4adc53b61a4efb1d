//! W4: one run, 1,000 sequential activities.

use std::error::Error;

use retell::Engine;

use super::chain::{measured, one};
use crate::figures::Sample;
use crate::store::Store;

const LENGTH: u32 = 1_000;

pub(super) async fn run(engine: &Engine, store: &Store) -> Result<Sample, Box<dyn Error>> {
    measured(store, async {
        let latency = one(engine, LENGTH).await?;
        Ok((u64::from(LENGTH), vec![latency]))
    })
    .await
}
