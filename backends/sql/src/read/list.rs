//! Lists of runs, a page at a time.

use retell::backend::{ListRequest, Page, PageToken, StatusFilter};

use super::info::{SELECT_INFO, read_info};
use crate::attribute;
use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::plan::status_number;
use crate::session::Session;
use crate::value::number;

/// The most runs on a page.
const PAGE_SIZE_MAX: usize = 1_000;

/// Lists runs, newest start first. A run whose row is damaged is left out and hides no other.
pub(crate) async fn list(
    session: &mut impl Session,
    cx: Context<'_>,
    request: &ListRequest,
) -> Result<Page, Fault> {
    cx.names.find_namespaces(session, cx.dialect, [&request.namespace]).await?;
    let Some(namespace) = cx.names.namespace(&request.namespace) else {
        return Ok(Page::default());
    };
    let page_size = request.page_size.clamp(1, PAGE_SIZE_MAX);
    let mut query = select_page(cx, namespace, request)?;
    query.push(" ORDER BY runs.started_at DESC, runs.run_id DESC LIMIT ").int(number(page_size + 1));
    let rows = session.rows(query.done()).await?;
    let more = rows.len() > page_size;
    let (mut page, mut last) = (Page::default(), None);
    for row in rows.iter().take(page_size) {
        match read_info(row, &request.namespace) {
            Ok(info) => {
                last = Some(PageToken { started_at: info.started_at, run_id: info.run.run_id });
                page.runs.push(info);
            }
            Err(fault) => tracing::error!(error = %fault.source, "a run's row is damaged"),
        }
    }
    page.next = last.filter(|_| more);
    Ok(page)
}

/// The query for a request: its text decides which index is read.
fn select_page(cx: Context<'_>, namespace: i64, request: &ListRequest) -> Result<Query, Fault> {
    let mut query = Query::new(cx.dialect, SELECT_INFO);
    query.push(" WHERE runs.namespace = ").int(namespace);
    if let Some(after) = &request.after {
        let at = after.started_at.as_micros();
        query.push(" AND runs.started_at <= ").int(at);
        query.push(" AND (runs.started_at < ").int(at).push(" OR runs.run_id < ").bytes(after.run_id.0);
        query.push(")");
    }
    if let Some(workflow_id) = &request.workflow_id {
        query.push(" AND runs.workflow_id = ").text(workflow_id.as_str());
    }
    if let Some(workflow) = &request.workflow {
        query.push(" AND workflow_kinds.name = ").text(workflow.as_str());
    }
    match request.status {
        StatusFilter::Any => &mut query,
        StatusFilter::Open => query.push(" AND runs.status = 0"),
        StatusFilter::Parked => query.push(" AND runs.status = 0 AND runs.parked = 1"),
        StatusFilter::Paused => query.push(" AND runs.status = 0 AND runs.paused = 1"),
        StatusFilter::Closed => query.push(" AND runs.status > 0"),
        StatusFilter::ClosedAs(status) => query.push(" AND runs.status = ").int(status_number(status)),
    };
    for filter in &request.attributes {
        query.push(" AND ");
        attribute::condition(&mut query, filter)?;
    }
    Ok(query)
}
