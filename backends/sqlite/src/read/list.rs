//! Lists of runs, a page at a time.

use retell::backend::{ListRequest, Page, PageToken, StatusFilter};
use retell::vocabulary::RunId;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};

use super::info::{read_info, select_info};
use crate::attribute;
use crate::column::number;
use crate::fault::is_of_the_data;
use crate::writer::run::status_number;

/// The most runs on a page.
const PAGE_SIZE_MAX: usize = 1_000;

/// Lists runs, newest start first. A run whose row is damaged is left out and hides no other.
pub(crate) fn list(connection: &Connection, request: &ListRequest) -> Result<Page> {
    let Some(namespace) = super::namespace_row(connection, &request.namespace)? else {
        return Ok(Page::default());
    };
    let status = match request.status {
        StatusFilter::ClosedAs(status) => status_number(status)?,
        StatusFilter::Any
        | StatusFilter::Open
        | StatusFilter::Parked
        | StatusFilter::Paused
        | StatusFilter::Closed => 0,
    };
    let page_size = request.page_size.clamp(1, PAGE_SIZE_MAX);
    let (started_at, run_id) = match request.after {
        Some(after) => (after.started_at.as_micros(), after.run_id),
        None => (i64::MAX, RunId(uuid::Uuid::max())),
    };
    let mut values = vec![
        Value::Integer(namespace),
        Value::Integer(started_at),
        Value::Blob(run_id.0.as_bytes().to_vec()),
        optional(request.workflow_id.as_ref().map(|workflow_id| workflow_id.as_str())),
        optional(request.workflow.as_ref().map(|workflow| workflow.as_str())),
        Value::Integer(status),
        Value::Integer(number(page_size + 1)),
    ];
    let mut by_attributes = String::new();
    for filter in &request.attributes {
        let (condition, parameters) = attribute::condition(filter, values.len() + 1)?;
        by_attributes.push_str(" AND ");
        by_attributes.push_str(&condition);
        values.extend(parameters);
    }
    let mut statement = connection.prepare_cached(&select_page(request, &by_attributes))?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut page, mut seen, mut last) = (Page::default(), 0, None);
    while let Some(row) = rows.next()? {
        if seen == page_size {
            page.next = last;
            break;
        }
        seen += 1;
        match read_info(row, &request.namespace) {
            Ok(info) => {
                last = Some(PageToken { started_at: info.started_at, run_id: info.run.run_id });
                page.runs.push(info);
            }
            Err(error) if is_of_the_data(&error) => tracing::error!(%error, "a run's row is damaged"),
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.to_owned()))
}

/// The statement for a request: its text decides which index is read.
fn select_page(request: &ListRequest, by_attributes: &str) -> String {
    let by_status = match request.status {
        StatusFilter::Any => "?6 IS NOT NULL",
        StatusFilter::Open => "status = 0 AND ?6 IS NOT NULL",
        StatusFilter::Parked => "status = 0 AND failure IS NOT NULL AND ?6 IS NOT NULL",
        StatusFilter::Paused => "status = 0 AND paused = 1 AND ?6 IS NOT NULL",
        StatusFilter::Closed => "status > 0 AND ?6 IS NOT NULL",
        StatusFilter::ClosedAs(_) => "status = ?6",
    };
    // Plus signs keep SQLite from the index by start where the one by workflow ID leads to fewer runs: in the condition
    // and in the order.
    let (by_id, plus, order) = match (&request.workflow_id, request.attributes.is_empty()) {
        (Some(_), _) => ("runs.workflow_id = ?4", "+", "+"),
        (None, false) => ("?4 IS NULL", "+", ""),
        (None, true) => ("?4 IS NULL", "", ""),
    };
    let rest = format!(
        "WHERE runs.namespace = ?1 AND ({plus}runs.started_at, {plus}runs.run_id) < (?2, ?3) AND {by_id} \
         AND (?5 IS NULL OR workflow_kinds.name = ?5) AND {by_status}{by_attributes} \
         ORDER BY {order}runs.started_at DESC, {order}runs.run_id DESC LIMIT ?7"
    );
    format!("{}{rest}", select_info!(""))
}

#[cfg(test)]
mod tests {
    use retell::backend::{AttributeFilter, AttributeMatch};
    use retell::vocabulary::{AttributeValue, Namespace, WorkflowId};
    use retell::write::CloseStatus;
    use tempfile::TempDir;

    use super::*;
    use crate::connection::{Role, open};
    use crate::options::Options;

    /// How a reader finds the first page, with all its settings.
    fn check(change: impl FnOnce(&mut ListRequest), leads: &str) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("retell.db");
        drop(crate::Sqlite::open(&path).unwrap());
        let connection = open(&Options::new(&path), Role::Reader).unwrap();
        let mut request = ListRequest {
            namespace: Namespace::new("tenant").unwrap(),
            workflow_id: None,
            workflow: None,
            status: StatusFilter::Any,
            attributes: Vec::new(),
            page_size: 10,
            after: None,
        };
        change(&mut request);
        let conditions = request.attributes.iter().map(|filter| attribute::condition(filter, 8).unwrap().0);
        let by_attributes: String = conditions.map(|condition| format!(" AND {condition}")).collect();
        let text = format!("EXPLAIN QUERY PLAN {}", select_page(&request, &by_attributes));
        let mut plan = connection.prepare(&text).unwrap();
        let values = vec![Value::Integer(1); plan.parameter_count()];
        let steps = plan.query_map(params_from_iter(values), |step| step.get::<_, String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        assert!(steps.iter().any(|step| step.contains(leads)), "{steps:#?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN runs")), "{steps:#?}");
    }

    #[test]
    fn indexes_lead_to_each_page_whatever_is_bound() {
        check(|_| {}, "runs USING INDEX runs_by_start (");
        check(|request| request.status = StatusFilter::Open, "runs USING INDEX runs_open_by_start (");
        check(|request| request.status = StatusFilter::Parked, "runs USING INDEX runs_parked (");
        check(|request| request.status = StatusFilter::Paused, "runs USING INDEX runs_paused (");
        let closed = StatusFilter::ClosedAs(CloseStatus::Completed);
        check(|request| request.status = closed, "runs USING INDEX runs_by_start (");
        let by_id = "runs USING INDEX runs_by_workflow_id (";
        check(|request| request.workflow_id = Some(WorkflowId::new("order").unwrap()), by_id);
    }

    #[test]
    fn an_index_leads_to_runs_of_an_attribute() {
        let text = AttributeValue::Text("late".into());
        for value in [AttributeMatch::Is(text.clone()), AttributeMatch::AtLeast(text)] {
            let filter = AttributeFilter { name: "state".into(), value };
            let leads =
                "attributes USING COVERING INDEX attributes_by_value (namespace=? AND name=? AND type=?";
            check(|request| request.attributes.push(filter), leads);
        }
    }
}
