//! Runs as they stand, and their queued activities.

use std::sync::Arc;

use retell::backend::{QueuedActivity, RunInfo, RunStatus};
use retell::vocabulary::{
    ActivityName, Attempt, EventId, Namespace, RunId, RunKey, TaskQueue, WorkerId, WorkflowId, WorkflowName,
    WorkflowType, WorkflowVersion,
};
use retell::write::{Target, TaskFailure, TaskFailureKind};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::column;
use crate::fault::is_of_the_data;
use crate::writer::run::{OPEN, close_status};

/// What every read of a run selects, for [`read_info`].
macro_rules! select_info {
    ($rest:expr) => {
        concat!(
            "SELECT runs.workflow_id, runs.run_id, workflow_kinds.name, workflow_kinds.version, \
             workflow_kinds.task_queue, priority, fairness_key, attributes, status, started_at, closed_at, head, \
             inbox_last, taken_in, wake_at, workers.worker, failure, outcome, continued_as \
             FROM runs JOIN workflow_kinds ON workflow_kinds.id = runs.kind \
             LEFT JOIN workers ON workers.id = runs.owner ",
            $rest
        )
    };
}
pub(super) use select_info;

/// Describes what each target means.
pub(crate) fn describe(connection: &Connection, targets: &[Target]) -> Result<Vec<Option<RunInfo>>> {
    targets.iter().map(|target| describe_one(connection, target)).collect()
}

fn describe_one(connection: &Connection, target: &Target) -> Result<Option<RunInfo>> {
    let Some(namespace) = super::namespace_row(connection, &target.namespace)? else {
        return Ok(None);
    };
    let read = |row: &Row| read_info(row, &target.namespace);
    let workflow_id = target.workflow_id.as_str();
    match target.run_id {
        Some(run_id) => connection
            .prepare_cached(select_info!(
                "WHERE runs.run_id = ?1 AND runs.namespace = ?2 AND runs.workflow_id = ?3"
            ))?
            .query_row(params![run_id.0.as_bytes(), namespace, workflow_id], read),
        None => connection
            .prepare_cached(select_info!(
                "WHERE runs.namespace = ?1 AND runs.workflow_id = ?2 ORDER BY runs.id DESC LIMIT 1"
            ))?
            .query_row(params![namespace, workflow_id], read),
    }
    .optional()
}

/// Reads a row of [`select_info`]. Damage in what only decorates a run does not hide the run.
pub(super) fn read_info(row: &Row, namespace: &Namespace) -> Result<RunInfo> {
    let status = row.get(8)?;
    let (inbox_last, taken_in): (u64, u64) = (row.get(12)?, row.get(13)?);
    Ok(RunInfo {
        run: RunKey {
            namespace: namespace.clone(),
            workflow_id: column::text(row, 0, |text| WorkflowId::new(text))?,
            run_id: RunId(column::uuid(row, 1)?),
        },
        workflow: WorkflowType {
            name: column::text(row, 2, |text| WorkflowName::new(text))?,
            version: WorkflowVersion(row.get(3)?),
        },
        task_queue: column::text(row, 4, |text| TaskQueue::new(text))?,
        priority: row.get(5)?,
        fairness_key: row.get::<_, Option<String>>(6)?.map(Arc::from),
        attributes: column::unpacked(row, 7).unwrap_or_default().unwrap_or_default(),
        status: close_status(status)?.map_or(RunStatus::Running, RunStatus::Closed),
        started_at: column::time(row, 9)?,
        closed_at: column::optional_time(row, 10)?,
        head: EventId(row.get(11)?),
        inbox: if status == OPEN { inbox_last.saturating_sub(taken_in) } else { 0 },
        wake_at: column::optional_time(row, 14)?,
        owner: column::optional_uuid(row, 15)?.map(WorkerId),
        failure: failure(row, 16)?,
        outcome: row.get::<_, Option<Vec<u8>>>(17)?.map(Into::into),
        continued_as: column::optional_uuid(row, 18)?.map(RunId),
    })
}

fn failure(row: &Row, index: usize) -> Result<Option<TaskFailure>> {
    match column::unpacked(row, index) {
        Err(error) if is_of_the_data(&error) => Ok(Some(TaskFailure {
            kind: TaskFailureKind::History,
            message: format!("the stored failure is damaged: {error}"),
            count: 1,
            at: column::time(row, 9)?,
        })),
        read => read,
    }
}

/// The queued activities of a run, by the event that scheduled them.
pub(crate) fn queued(connection: &Connection, run: &RunKey) -> Result<Vec<QueuedActivity>> {
    let Some(run) = super::run_row(connection, run)? else {
        return Ok(Vec::new());
    };
    connection
        .prepare_cached(
            "SELECT scheduled, activity_kinds.name, attempt, visible_at, workers.worker, last_failure \
             FROM activities JOIN activity_kinds ON activity_kinds.id = activities.kind \
             LEFT JOIN workers ON workers.id = activities.owner WHERE run = ?1 ORDER BY scheduled",
        )?
        .query_map([run], |row| {
            Ok(QueuedActivity {
                scheduled: EventId(row.get(0)?),
                activity: column::text(row, 1, |text| ActivityName::new(text))?,
                attempt: Attempt(row.get(2)?),
                visible_at: column::time(row, 3)?,
                worker: column::optional_uuid(row, 4)?.map(WorkerId),
                last_failure: column::unpacked(row, 5)?,
            })
        })?
        .collect()
}
