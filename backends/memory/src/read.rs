//! Reads, none of which changes anything.

use std::cmp::{Ordering, Reverse};

use retell::backend::{
    AttributeMatch, ListRequest, Page, PageToken, QueuedActivity, RunInfo, RunStatus, StatusFilter,
    StoreStats,
};
use retell::history::Record;
use retell::vocabulary::{AttributeValue, EventId, Namespace, RunId, RunKey, Timestamp};
use retell::write::Target;

use crate::run::Run;
use crate::state::State;

/// The most runs on a page.
const PAGE_SIZE_MAX: usize = 1_000;

impl State {
    pub(crate) fn history(&self, run: &RunKey, after: EventId, bytes_max: usize) -> Vec<Record> {
        let Some(run) = self.runs.get(run) else {
            return Vec::new();
        };
        let from = run.records.partition_point(|(_, record)| record.last() <= after);
        let mut bytes = 0;
        let fits = |(index, (_, record)): &(usize, &(_, Record))| {
            bytes += record.bytes.len();
            *index == 0 || bytes <= bytes_max
        };
        run.records[from..]
            .iter()
            .enumerate()
            .take_while(fits)
            .map(|(_, (_, record))| record.clone())
            .collect()
    }

    pub(crate) fn describe(&self, target: &Target) -> Option<RunInfo> {
        let key = self.find(target)?;
        let run = &self.runs[&key];
        Some(info(&key, run))
    }

    pub(crate) fn list(&self, request: &ListRequest) -> Page {
        let after = request.after.map(|page| (page.started_at, page.run_id));
        let mut found: Vec<(&RunKey, &Run)> = self
            .runs
            .iter()
            .filter(|(key, run)| matches(request, key, run))
            .filter(|(key, run)| after.is_none_or(|after| age(key, run) < after))
            .collect();
        found.sort_by_key(|(key, run)| Reverse(age(key, run)));
        let page_size = request.page_size.clamp(1, PAGE_SIZE_MAX);
        let more = found.len() > page_size;
        found.truncate(page_size);
        let last = found.last().filter(|_| more);
        let next = last.map(|(key, run)| PageToken { started_at: run.started_at, run_id: key.run_id });
        Page { runs: found.into_iter().map(|(key, run)| info(key, run)).collect(), next }
    }

    pub(crate) fn queued(&self, run: &RunKey) -> Vec<QueuedActivity> {
        self.tasks_of(run)
            .map(|(scheduled, task)| QueuedActivity {
                scheduled,
                activity: task.new.activity.clone(),
                attempt: task.attempt,
                visible_at: task.visible_at,
                worker: task.worker,
                last_failure: task.last_failure.clone(),
                details: task.details.clone(),
                cancel_requested: task.cancel_requested,
                deferred: task.deferred,
            })
            .collect()
    }

    pub(crate) fn closed_before(&self, namespace: &Namespace, before: Timestamp, max: usize) -> Vec<RunKey> {
        let ended = self.runs.iter().filter_map(|(key, run)| Some((run.closed_at?, key)));
        let mut found: Vec<(Timestamp, &RunKey)> = ended
            .filter(|(closed_at, key)| *closed_at < before && key.namespace == *namespace)
            .filter(|(_, key)| !self.unsettled.contains(*key))
            .collect();
        found.sort_by_key(|(closed_at, _)| *closed_at);
        found.into_iter().take(max).map(|(_, key)| key.clone()).collect()
    }

    pub(crate) fn stats(&self, namespace: &Namespace) -> StoreStats {
        let mut stats = StoreStats::default();
        for (_, run) in self.runs.iter().filter(|(key, _)| key.namespace == *namespace) {
            let open = run.status == RunStatus::Running;
            stats.open += u64::from(open);
            stats.closed += u64::from(!open);
            stats.parked += u64::from(open && run.failure.is_some());
            stats.messages += run.inbox.messages.len() as u64;
        }
        stats.queued = self.tasks.keys().filter(|(run, _)| run.namespace == *namespace).count() as u64;
        stats
    }
}

/// What a list is ordered by, newest first.
fn age(key: &RunKey, run: &Run) -> (Timestamp, RunId) {
    (run.started_at, key.run_id)
}

fn matches(request: &ListRequest, key: &RunKey, run: &Run) -> bool {
    let open = run.status == RunStatus::Running;
    let status = match request.status {
        StatusFilter::Any => true,
        StatusFilter::Open => open,
        StatusFilter::Parked => open && run.failure.is_some(),
        StatusFilter::Paused => open && run.paused,
        StatusFilter::Closed => !open,
        StatusFilter::ClosedAs(status) => run.status == RunStatus::Closed(status),
    };
    status
        && key.namespace == request.namespace
        && request.workflow_id.as_ref().is_none_or(|workflow_id| *workflow_id == key.workflow_id)
        && request.workflow.as_ref().is_none_or(|workflow| *workflow == run.workflow.name)
        && request.attributes.iter().all(|filter| meets(run.attributes.get(&filter.name), &filter.value))
}

/// Whether a value is there, is of the type that is asked for, and compares as it should.
fn meets(value: Option<&AttributeValue>, wanted: &AttributeMatch) -> bool {
    let order = |wanted: &AttributeValue| match (value?, wanted) {
        (AttributeValue::Text(value), AttributeValue::Text(wanted)) => Some(value.cmp(wanted)),
        (AttributeValue::Integer(value), AttributeValue::Integer(wanted)) => Some(value.cmp(wanted)),
        (AttributeValue::Float(value), AttributeValue::Float(wanted)) => value.partial_cmp(wanted),
        (AttributeValue::Bool(value), AttributeValue::Bool(wanted)) => Some(value.cmp(wanted)),
        (AttributeValue::Time(value), AttributeValue::Time(wanted)) => Some(value.cmp(wanted)),
        _ => None,
    };
    match wanted {
        AttributeMatch::Is(wanted) => order(wanted).is_some_and(Ordering::is_eq),
        AttributeMatch::AtLeast(wanted) => order(wanted).is_some_and(Ordering::is_ge),
        AttributeMatch::AtMost(wanted) => order(wanted).is_some_and(Ordering::is_le),
    }
}

fn info(key: &RunKey, run: &Run) -> RunInfo {
    RunInfo {
        run: key.clone(),
        workflow: run.workflow.clone(),
        task_queue: run.task_queue.clone(),
        priority: run.priority,
        fairness_key: run.fairness_key.clone(),
        attributes: run.attributes.clone(),
        memo: run.memo.clone(),
        status: run.status,
        started_at: run.started_at,
        closed_at: run.closed_at,
        head: run.head(),
        inbox: run.inbox.messages.len() as u64,
        wake_at: run.wake_at,
        owner: run.owner,
        failure: run.failure.clone(),
        outcome: run.outcome.clone(),
        continued_as: run.continued_as,
        published: run.published.clone(),
        paused: run.paused,
    }
}
