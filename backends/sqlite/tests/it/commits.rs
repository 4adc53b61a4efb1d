//! How many transactions work costs: the figure that the store's speed hangs on.

use std::sync::Arc;

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::clock::ManualClock;
use retell::vocabulary::Timestamp;
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell_sqlite::Sqlite;
use tempfile::TempDir;

const STEPS: u64 = 20;

#[retell::activity]
async fn next(_cx: ActivityContext, n: u64) -> Result<u64, ActivityError> {
    Ok(n + 1)
}

#[retell::workflow]
async fn steps(cx: WorkflowContext) -> WorkflowResult<u64> {
    let mut n = 0;
    while n < STEPS {
        n = cx.activity(next, &n).await?;
    }
    Ok(n)
}

/// The clock stands still: no lease is renewed, so that every transaction is the run's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_is_one_transaction_and_so_is_each_activity_step() {
    let folder = TempDir::new().unwrap();
    let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
    let path = folder.path().join("retell.db");
    let store = Arc::new(Sqlite::options(path).clock(Arc::new(clock.clone())).open().unwrap());
    let orchestrator = Orchestrator::new(store.clone()).clock(clock);
    let engine = orchestrator.workflow(steps).activity(next).start().await.unwrap();
    let warm_up = engine.start(steps, "warm-up", ()).await.unwrap();
    warm_up.result().await.unwrap();
    let before = store.commits();
    let run = engine.start(steps, "steps", ()).await.unwrap();
    assert_eq!(run.result().await.unwrap(), STEPS);
    assert_eq!(store.commits() - before, STEPS + 1);
}
