//! What a step costs, counted in requests to the server.

use std::sync::Arc;

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell_redis::Redis;
use retell_servers::{Kind, shared};

use crate::kit::{block_on, blocking};

#[retell::activity]
async fn step(_cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    Ok(number + 1)
}

#[retell::workflow]
async fn steps(cx: WorkflowContext, count: u32) -> WorkflowResult<u32> {
    let mut number = 0;
    while number < count {
        number = cx.activity(step, &number).await?;
    }
    Ok(number)
}

#[test]
fn an_activity_step_is_one_request() {
    const STEPS: u32 = 100;
    block_on(async {
        let database = blocking(|| shared(Kind::Redis).unwrap().fresh_database().unwrap()).await;
        let store = Arc::new(Redis::open(database.url()).await.unwrap());
        let engine = Orchestrator::new(store.clone()).workflow(steps).activity(step).start().await.unwrap();
        let first = engine.start(steps, "warm", 1).await.unwrap();
        first.result().await.unwrap();
        let before = store.requests();
        let run = engine.start(steps, "steps", STEPS).await.unwrap();
        assert_eq!(run.result().await.unwrap(), STEPS);
        let each = (store.requests() - before) as f64 / f64::from(STEPS);
        println!("{each} requests for each step");
        assert!(each <= 1.3, "{each} requests for each step, renewals and the start included");
        engine.shutdown().await;
    });
}
