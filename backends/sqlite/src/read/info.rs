//! Runs as they stand, and their queued activities.

use std::sync::Arc;

use retell::backend::{QueuedActivity, RunInfo, RunStatus};
use retell::vocabulary::{
    ActivityName, Attempt, EventId, Namespace, RunId, RunKey, TaskQueue, WorkerId, WorkflowId, WorkflowName,
    WorkflowType, WorkflowVersion,
};
use retell::write::{Target, TaskFailure, TaskFailureKind};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, params};

use crate::column;
use crate::writer::run::{OPEN, close_status};

/// What every read of a run selects, for [`read_info`].
macro_rules! select_info {
    ($rest:expr) => {
        concat!(
            "SELECT runs.workflow_id, runs.run_id, workflow_kinds.name, workflow_kinds.version, \
             workflow_kinds.task_queue, priority, fairness_key, attributes, status, started_at, closed_at, head, \
             inbox_last, taken_in, wake_at, workers.worker, failure, outcome, continued_as, published, memo, paused \
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

/// Reads a row of [`select_info`]. Only damage to its key hides a run: other damage is shown as its failure.
pub(super) fn read_info(row: &Row, namespace: &Namespace) -> Result<RunInfo> {
    let mut damage = Damage::default();
    let status = damage.or_default(row.get(8));
    let inbox_last: u64 = damage.or_default(row.get(12));
    let taken_in = damage.or_default(row.get(13));
    let info = RunInfo {
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
        priority: damage.or_default(row.get(5)),
        fairness_key: damage.or_default(row.get::<_, Option<String>>(6)).map(Arc::from),
        attributes: damage.or_default(column::unpacked(row, 7)).unwrap_or_default(),
        status: damage.or_default(close_status(status)).map_or(RunStatus::Running, RunStatus::Closed),
        started_at: damage.or_default(column::time(row, 9)),
        closed_at: damage.or_default(column::optional_time(row, 10)),
        head: EventId(damage.or_default(row.get(11))),
        inbox: if status == OPEN { inbox_last.saturating_sub(taken_in) } else { 0 },
        wake_at: damage.or_default(column::optional_time(row, 14)),
        owner: damage.or_default(column::optional_uuid(row, 15)).map(WorkerId),
        failure: damage.or_default(column::unpacked(row, 16)),
        outcome: damage.or_default(row.get::<_, Option<Vec<u8>>>(17)).map(Into::into),
        continued_as: damage.or_default(column::optional_uuid(row, 18)).map(RunId),
        published: damage.or_default(column::unpacked(row, 19)),
        memo: damage.or_default(column::unpacked(row, 20)).unwrap_or_default(),
        paused: damage.or_default(row.get(21)),
    };
    Ok(damage.shown_in(info))
}

/// The first damage that was met in a row.
#[derive(Default)]
struct Damage(Option<Error>);

impl Damage {
    fn or_default<T: Default>(&mut self, read: Result<T>) -> T {
        read.unwrap_or_else(|error| {
            self.0.get_or_insert(error);
            T::default()
        })
    }

    fn shown_in(self, mut info: RunInfo) -> RunInfo {
        if let Some(error) = self.0 {
            let message = format!("the row of this run is damaged: {error}");
            let at = info.started_at;
            info.failure = Some(TaskFailure { kind: TaskFailureKind::History, message, count: 1, at });
        }
        info
    }
}

/// The queued activities of a run, by the event that scheduled them.
pub(crate) fn queued(connection: &Connection, run: &RunKey) -> Result<Vec<QueuedActivity>> {
    let Some(run) = super::run_row(connection, run)? else {
        return Ok(Vec::new());
    };
    connection
        .prepare_cached(
            "SELECT scheduled, activity_kinds.name, attempt, visible_at, workers.worker, last_failure, \
             details, cancel_requested, deferred \
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
                details: column::unpacked(row, 6)?,
                cancel_requested: row.get(7)?,
                deferred: row.get(8)?,
            })
        })?
        .collect()
}
