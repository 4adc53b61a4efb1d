//! The answers that runs gave to requests.

use retell::backend::{AnswerKey, Answered};
use retell::vocabulary::{RunId, RunKey, WorkflowId};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::column;

/// The last answer to each request.
pub(crate) fn answers(connection: &Connection, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>> {
    let mut statement = connection.prepare_cached(
        "SELECT runs.workflow_id, runs.run_id, answers.body FROM answers \
         JOIN namespaces ON namespaces.id = answers.namespace JOIN runs ON runs.id = answers.run \
         WHERE namespaces.name = ?1 AND answers.request_id = ?2",
    )?;
    let find = |key: &AnswerKey| {
        let named = params![key.namespace.as_str(), key.request_id.0.as_bytes()];
        statement.query_row(named, |row| read(row, key)).optional()
    };
    asked.iter().map(find).collect()
}

fn read(row: &Row, key: &AnswerKey) -> Result<Answered> {
    let run = RunKey {
        namespace: key.namespace.clone(),
        workflow_id: column::text(row, 0, |text| WorkflowId::new(text))?,
        run_id: RunId(column::uuid(row, 1)?),
    };
    Ok(Answered { run, body: row.get::<_, Vec<u8>>(2)?.into() })
}
