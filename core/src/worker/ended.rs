//! Runs that were ended elsewhere while their activities run here: found by one read now and then, and stopped.
//!
//! What this process ends is stopped at once. For the rest, only bodies that have run for a while are asked after.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Context;
use super::running::Running;
use super::thread::Shards;
use crate::backend::RunStatus;
use crate::vocabulary::RunKey;
use crate::write::Target;

/// How many runs are asked after in one read.
const ASK_MAX: usize = 500;

/// Stops what runs for runs that have been ended, for as long as the worker lives.
pub(super) async fn watch(cx: Arc<Context>, shards: Arc<Shards>, running: Arc<Running>) {
    let mut before: BTreeSet<RunKey> = BTreeSet::new();
    loop {
        cx.clock.sleep(cx.options.lease * 3 / 10).await;
        let now = running.runs();
        let long: Vec<Target> = now.intersection(&before).cloned().map(Target::from).collect();
        before = now;
        for targets in long.chunks(ASK_MAX) {
            match cx.backend.describe(targets).await {
                Ok(infos) => infos
                    .into_iter()
                    .flatten()
                    .filter(|info| info.status != RunStatus::Running)
                    .for_each(|info| shards.terminated(info.run.run_id)),
                // Asked again next time.
                Err(error) => cx.store_failed(&error),
            }
        }
    }
}
