//! Lists of runs, a page at a time.

use retell::backend::{ListRequest, Page, PageToken, StatusFilter};
use retell::vocabulary::RunId;
use rusqlite::{Connection, Result, params};

use super::info::{read_info, select_info};
use crate::fault::is_of_the_data;
use crate::writer::run::status_number;

/// The most runs on a page.
const PAGE_SIZE_MAX: usize = 1_000;

/// One statement for each filter on where runs stand, so that each reads its own index; `?6` is the close status.
macro_rules! select_page {
    ($status:literal) => {
        select_info!(concat!(
            "WHERE runs.namespace = ?1 AND (runs.started_at, runs.run_id) < (?2, ?3) AND ",
            $status,
            " AND (?4 IS NULL OR runs.workflow_id = ?4) AND (?5 IS NULL OR workflow_kinds.name = ?5) \
             AND ?6 IS NOT NULL ORDER BY runs.started_at DESC, runs.run_id DESC LIMIT ?7"
        ))
    };
}

/// Lists runs, newest start first. A run whose row is damaged is left out and hides no other.
pub(crate) fn list(connection: &Connection, request: &ListRequest) -> Result<Page> {
    let Some(namespace) = super::namespace_row(connection, &request.namespace)? else {
        return Ok(Page::default());
    };
    let (sql, status) = match request.status {
        StatusFilter::Any => (select_page!("true"), 0),
        StatusFilter::Open => (select_page!("status = 0"), 0),
        StatusFilter::Parked => (select_page!("status = 0 AND failure IS NOT NULL"), 0),
        StatusFilter::Closed => (select_page!("status > 0"), 0),
        StatusFilter::ClosedAs(status) => (select_page!("status = ?6"), status_number(status)?),
    };
    let page_size = request.page_size.clamp(1, PAGE_SIZE_MAX);
    let (started_at, run_id) = match request.after {
        Some(after) => (after.started_at.as_micros(), after.run_id),
        None => (i64::MAX, RunId(uuid::Uuid::max())),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![
        namespace,
        started_at,
        run_id.0.as_bytes(),
        request.workflow_id.as_ref().map(|workflow_id| workflow_id.as_str()),
        request.workflow.as_ref().map(|workflow| workflow.as_str()),
        status,
        page_size + 1,
    ])?;
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
