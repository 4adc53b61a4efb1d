//! Lists: a page of the newest runs, of which each partition has its part.
//!
//! What is due of a page lies in all partitions about evenly. So each is asked for its share and a little more, and only
//! those are asked again that may have more of it: a page costs what is on it, however many partitions there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures::future::try_join_all;
use retell::backend::{ListRequest, Page, PageToken, RunInfo, StatusFilter, StoreError};
use retell::vocabulary::{RunId, Timestamp, WorkflowId};
use serde::Serialize;

use crate::attribute;
use crate::key::{hex, of_namespace};
use crate::link::Link;
use crate::pack::packed;
use crate::reply::Reply;
use crate::row::{OPEN, closed_codes, run_info, status_code};
use crate::script::READ;

/// The most runs on a page.
const PAGE_SIZE_MAX: usize = 1_000;

const OPERATION: &str = "list";

#[derive(Clone, Serialize)]
struct Asked<'a> {
    what: &'static str,
    ns: String,
    id: Option<&'a str>,
    name: Option<&'a str>,
    statuses: Option<BTreeMap<&'static str, bool>>,
    mark: Option<&'static str>,
    filters: Vec<attribute::Range>,
    size: usize,
    after_at: Option<String>,
    after_run: Option<String>,
}

/// What a list is ordered by, the newest first.
type Age = (Timestamp, RunId);

fn age(run: &RunInfo) -> Age {
    (run.started_at, run.run.run_id)
}

/// What is known of a partition's part of a page.
struct Part {
    partition: u16,
    /// The last run that it told of; at first, where the page before ended.
    after: Option<Age>,
    has_more: bool,
}

pub(crate) async fn list(link: &Link, request: &ListRequest) -> Result<Page, StoreError> {
    let Some(filters) = request.attributes.iter().map(attribute::range).collect() else {
        return Ok(Page::default());
    };
    let page_size = request.page_size.clamp(1, PAGE_SIZE_MAX);
    let mut parts = parts(link, request);
    let asked = Asked { size: share(page_size, parts.len()), ..asked(request, filters) };
    let mut runs: Vec<RunInfo> = Vec::new();
    loop {
        // One more tells whether there is another page.
        let last = runs.get(page_size).map(age);
        let is_missing = |part: &&mut Part| part.has_more && (last.is_none() || part.after > last);
        let calls = parts.iter_mut().filter(is_missing).map(|part| ask(link, request, &asked, part));
        let found = try_join_all(calls).await?;
        if found.is_empty() {
            break;
        }
        runs.extend(found.into_iter().flatten());
        runs.sort_by_key(|run| Reverse(age(run)));
    }
    let more = runs.len() > page_size;
    runs.truncate(page_size);
    let next = runs.last().filter(|_| more).map(|last| {
        let (started_at, run_id) = age(last);
        PageToken { started_at, run_id }
    });
    Ok(Page { runs, next })
}

fn asked(request: &ListRequest, filters: Vec<attribute::Range>) -> Asked<'_> {
    let only = |codes: &[&'static str]| Some(codes.iter().map(|code| (*code, true)).collect());
    let (statuses, mark) = match request.status {
        StatusFilter::Any => (None, None),
        StatusFilter::Open => (only(&[OPEN]), None),
        StatusFilter::Parked => (only(&[OPEN]), Some("parked")),
        StatusFilter::Paused => (only(&[OPEN]), Some("paused")),
        StatusFilter::Closed => (only(&closed_codes().collect::<Vec<_>>()), None),
        StatusFilter::ClosedAs(status) => (only(&status_code(status).into_iter().collect::<Vec<_>>()), None),
    };
    Asked {
        what: "list",
        ns: of_namespace(&request.namespace),
        id: request.workflow_id.as_ref().map(WorkflowId::as_str),
        name: request.workflow.as_ref().map(|name| name.as_str()),
        statuses,
        mark,
        filters,
        size: 0,
        after_at: None,
        after_run: None,
    }
}

/// The partitions that may have something.
fn parts(link: &Link, request: &ListRequest) -> Vec<Part> {
    let after = request.after.map(|after| (after.started_at, after.run_id));
    let part = |partition| Part { partition, after, has_more: true };
    match &request.workflow_id {
        Some(workflow_id) => vec![part(link.keys.partition(&request.namespace, workflow_id))],
        None => link.keys.all().map(part).collect(),
    }
}

/// How many runs each of so many partitions is asked for at a time.
fn share(page_size: usize, parts: usize) -> usize {
    let even = (page_size + 1).div_ceil(parts);
    if parts == 1 { even } else { even + even / 4 + 1 }
}

/// Asks a partition for its next runs.
async fn ask(
    link: &Link,
    request: &ListRequest,
    asked: &Asked<'_>,
    part: &mut Part,
) -> Result<Vec<RunInfo>, StoreError> {
    let asked_for = asked.size;
    let asked = packed(&Asked {
        after_at: part.after.map(|(started_at, _)| started_at.as_micros().to_string()),
        after_run: part.after.map(|(_, run)| hex(run.0)),
        ..asked.clone()
    });
    let rows = link.call(OPERATION, part.partition, READ, &[asked]).await?.list(OPERATION)?;
    part.has_more = rows.len() >= asked_for;
    let runs = rows.into_iter().map(|row| run_info(&request.namespace, row));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    part.after = runs.last().map(age).or(part.after);
    Ok(runs)
}
