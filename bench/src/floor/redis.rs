//! The floor of Redis: the commands of a commit down one pipeline, whose end waits for the sync of them all.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline};

use super::together::{Batch, Connection, ids};
use crate::Failure;

pub(super) struct Floor(MultiplexedConnection);

impl Connection for Floor {
    async fn prepare(_url: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn connect(url: &str) -> Result<Self, Failure> {
        // A slow disk is measured, not given up.
        let patient = AsyncConnectionConfig::new().set_response_timeout(None);
        let client = Client::open(url)?;
        Ok(Self(client.get_multiplexed_async_connection_with_config(&patient).await?))
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), Failure> {
        let mut pipeline = Pipeline::new();
        for run in &batch.starts {
            let (run_id, workflow_id) = ids(*run);
            pipeline.cmd("SET").arg(workflow_id).arg(&run_id).ignore();
            pipeline.cmd("HSET").arg(format!("run/{run}")).arg("head").arg(2).arg("id").arg(run_id).ignore();
        }
        for (run, _) in &batch.records {
            pipeline.cmd("RPUSH").arg(format!("records/{run}")).arg(&batch.bytes).ignore();
        }
        for run in &batch.closings {
            pipeline.cmd("HSET").arg(format!("run/{run}")).arg("head").arg(9).arg("status").arg(1).ignore();
        }
        pipeline.query_async::<()>(&mut self.0).await?;
        Ok(())
    }
}
