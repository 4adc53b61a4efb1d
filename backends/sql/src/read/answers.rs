//! The answers that runs gave to requests.

use std::collections::HashMap;

use retell::backend::{AnswerKey, Answered};
use retell::vocabulary::{Namespace, RequestId, RunId, RunKey, WorkflowId};

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::Cell;
use crate::value::Type::{Bytes, Int};

/// The last answer to each request.
pub(crate) async fn answers(
    session: &mut impl Session,
    cx: Context<'_>,
    asked: &[AnswerKey],
) -> Result<Vec<Option<Answered>>, Fault> {
    cx.names.find_namespaces(session, cx.dialect, asked.iter().map(|key| &key.namespace)).await?;
    let mut keys = Vec::new();
    let mut namespaces: HashMap<i64, &Namespace> = HashMap::new();
    for key in asked {
        if let Some(namespace) = cx.names.namespace(&key.namespace) {
            namespaces.insert(namespace, &key.namespace);
            keys.push(vec![Cell::Int(namespace), key.request_id.0.into()]);
        }
    }
    if keys.is_empty() {
        return Ok(vec![None; asked.len()]);
    }
    let mut query = Query::new(
        cx.dialect,
        "SELECT answers.namespace, answers.request_id, runs.workflow_id, runs.run_id, answers.body FROM answers \
         JOIN runs ON runs.id = answers.run WHERE ",
    );
    query.any_of(&[("answers.namespace", Int), ("answers.request_id", Bytes)], keys);
    let mut found = HashMap::new();
    for row in session.rows(query.done()).await? {
        let Some(namespace) = namespaces.get(&row.int(0)?) else { continue };
        let run = RunKey {
            namespace: (*namespace).clone(),
            workflow_id: row.id(2, |text| WorkflowId::new(text))?,
            run_id: RunId(row.uuid(3)?),
        };
        found.insert((*namespace, RequestId(row.uuid(1)?)), Answered { run, body: row.bytes(4)? });
    }
    Ok(asked.iter().map(|key| found.get(&(&key.namespace, key.request_id)).cloned()).collect())
}
