//! The floor of MariaDB and MySQL: a prepared statement of many rows for each table, one transaction for each commit.

use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Executor, MySql, MySqlConnection};

use super::together::{Batch, Connection, ids};
use crate::Failure;

const SCHEMA: &str = "
    CREATE TABLE runs (
        id bigint PRIMARY KEY, run_id binary(16) NOT NULL, head bigint NOT NULL, status tinyint NOT NULL DEFAULT 0,
        workflow_id varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE
    );
    CREATE TABLE records (
        run bigint NOT NULL, first bigint NOT NULL, bytes longblob NOT NULL, PRIMARY KEY (run, first)
    );";

pub(super) struct Floor(MySqlConnection);

impl Connection for Floor {
    async fn prepare(url: &str) -> Result<(), Failure> {
        let mut connection = MySqlConnection::connect(url).await?;
        connection.execute(sqlx::raw_sql(SCHEMA)).await?;
        Ok(())
    }

    async fn connect(url: &str) -> Result<Self, Failure> {
        let mut connection = MySqlConnection::connect(url).await?;
        // As the store has it: no gaps are locked, on which connections would wait for each other.
        let isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        connection.execute(sqlx::raw_sql(isolation)).await?;
        Ok(Self(connection))
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), Failure> {
        let Batch { starts, records, closings, bytes } = batch;
        let is_one = starts.is_empty() && closings.is_empty();
        if !is_one {
            self.0.execute(sqlx::raw_sql("BEGIN")).await?;
        }
        self.many(
            "INSERT INTO runs (id, run_id, workflow_id, head) VALUES ",
            "(?, ?, ?, 2)",
            starts,
            |query, run| {
                let (run_id, workflow_id) = ids(*run);
                query.bind(*run as i64).bind(run_id).bind(workflow_id)
            },
        )
        .await?;
        self.many(
            "INSERT INTO records (run, first, bytes) VALUES ",
            "(?, ?, ?)",
            records,
            |query, (run, first)| query.bind(*run as i64).bind(*first as i64).bind(bytes.as_slice()),
        )
        .await?;
        self.many("UPDATE runs SET status = 1, head = 9 WHERE id IN (", "?", closings, |query, run| {
            query.bind(*run as i64)
        })
        .await?;
        if !is_one {
            self.0.execute(sqlx::raw_sql("COMMIT")).await?;
        }
        Ok(())
    }
}

impl Floor {
    /// Runs one statement for many rows, each with its places.
    async fn many<'q, T>(
        &mut self,
        text: &str,
        places: &str,
        rows: &'q [T],
        bind: impl Fn(Query<'q, MySql, MySqlArguments>, &'q T) -> Query<'q, MySql, MySqlArguments>,
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let close = if text.ends_with('(') { ")" } else { "" };
        let text = text.to_owned() + &vec![places; rows.len()].join(", ") + close;
        let query = rows.iter().fold(sqlx::query(AssertSqlSafe(text)), bind);
        query.execute(&mut self.0).await?;
        Ok(())
    }
}
