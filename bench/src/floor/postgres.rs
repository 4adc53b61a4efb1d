//! The floor of PostgreSQL: one prepared statement for each commit, its rows as arrays.

use sqlx::{Connection as _, Executor, PgConnection};

use super::together::{Batch, Connection, ids};
use crate::Failure;

const SCHEMA: &str = "
    CREATE TABLE runs (
        id bigint PRIMARY KEY, run_id bytea NOT NULL, workflow_id text COLLATE \"C\" NOT NULL UNIQUE,
        head bigint NOT NULL, status smallint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 80);
    CREATE TABLE records (
        run bigint NOT NULL, first bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (run, first)
    );";

const COMMIT: &str = "
    WITH started AS (
        INSERT INTO runs (id, run_id, workflow_id, head) SELECT *, 2 FROM unnest($1::bigint[], $2::bytea[], $3::text[])
    ), closed AS (
        UPDATE runs SET status = 1, head = 9 WHERE id = ANY($4::bigint[])
    )
    INSERT INTO records (run, first, bytes) SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bytea[])";

pub(super) struct Floor(PgConnection);

impl Connection for Floor {
    async fn prepare(url: &str) -> Result<(), Failure> {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(sqlx::raw_sql(SCHEMA)).await?;
        Ok(())
    }

    async fn connect(url: &str) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(url).await?;
        // The statistics of an empty table mislead.
        let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off";
        connection.execute(sqlx::raw_sql(settings)).await?;
        Ok(Self(connection))
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), Failure> {
        let Batch { starts, records, closings, bytes } = batch;
        let numbers = |runs: &[u64]| runs.iter().map(|run| *run as i64).collect::<Vec<_>>();
        let (run_ids, workflow_ids): (Vec<_>, Vec<_>) = starts.iter().map(|run| ids(*run)).unzip();
        let (runs, firsts): (Vec<_>, Vec<_>) =
            records.iter().map(|(run, first)| (*run as i64, *first as i64)).unzip();
        sqlx::query(COMMIT)
            .bind(numbers(starts))
            .bind(run_ids)
            .bind(workflow_ids)
            .bind(numbers(closings))
            .bind(runs)
            .bind(firsts)
            .bind(vec![bytes.as_slice(); records.len()])
            .execute(&mut self.0)
            .await?;
        Ok(())
    }
}
