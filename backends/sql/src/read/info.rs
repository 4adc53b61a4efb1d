//! Runs as they stand.

use std::collections::HashMap;
use std::sync::Arc;

use retell::backend::{RunInfo, RunStatus};
use retell::vocabulary::{
    EventId, Namespace, RunId, RunKey, TaskQueue, WorkerId, WorkflowId, WorkflowName, WorkflowType,
    WorkflowVersion,
};
use retell::write::{Target, TaskFailure, TaskFailureKind};

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::plan::{OPEN, status_of};
use crate::session::Session;
use crate::value::Type::{Bytes, Int, Text};
use crate::value::{Cell, Row};

/// What every read of a run selects, for [`read_info`].
pub(super) const SELECT_INFO: &str = "SELECT runs.workflow_id, runs.run_id, workflow_kinds.name, workflow_kinds.version, \
     workflow_kinds.task_queue, run_details.priority, run_details.fairness_key, run_details.attributes, runs.status, \
     runs.started_at, runs.closed_at, runs.head, runs.inbox_last, runs.taken_in, runs.wake_at, workers.worker, \
     run_details.failure, run_details.outcome, run_details.continued_as, run_details.published, run_details.memo, \
     runs.paused, runs.namespace FROM runs JOIN workflow_kinds ON workflow_kinds.id = runs.kind \
     LEFT JOIN run_details ON run_details.run = runs.id LEFT JOIN workers ON workers.id = runs.owner";

/// Describes what each target means.
pub(crate) async fn describe(
    session: &mut impl Session,
    cx: Context<'_>,
    targets: &[Target],
) -> Result<Vec<Option<RunInfo>>, Fault> {
    cx.names.find_namespaces(session, cx.dialect, targets.iter().map(|target| &target.namespace)).await?;
    let namespaces: HashMap<i64, &Namespace> = targets
        .iter()
        .filter_map(|target| Some((cx.names.namespace(&target.namespace)?, &target.namespace)))
        .collect();
    let (mut runs, mut ids) = (Vec::new(), Vec::new());
    for target in targets {
        let Some(namespace) = cx.names.namespace(&target.namespace) else { continue };
        match target.run_id {
            Some(run_id) => runs.push(vec![run_id.0.into()]),
            None => ids.push(vec![Cell::Int(namespace), target.workflow_id.as_str().into()]),
        }
    }
    let mut by_run: HashMap<RunKey, RunInfo> = HashMap::new();
    let mut latest: HashMap<(Namespace, WorkflowId), RunInfo> = HashMap::new();
    if !runs.is_empty() {
        let mut query = Query::new(cx.dialect, SELECT_INFO);
        query.push(" WHERE ").any_of(&[("runs.run_id", Bytes)], runs);
        for info in read(session, query, &namespaces).await? {
            by_run.insert(info.run.clone(), info);
        }
    }
    if !ids.is_empty() {
        let mut query = Query::new(cx.dialect, SELECT_INFO);
        query.push(" JOIN ids ON ids.latest = runs.id WHERE ");
        query.any_of(&[("ids.namespace", Int), ("ids.workflow_id", Text)], ids);
        for info in read(session, query, &namespaces).await? {
            latest.insert((info.run.namespace.clone(), info.run.workflow_id.clone()), info);
        }
    }
    let find = |target: &Target| {
        let Target { namespace, workflow_id, run_id } = target.clone();
        match run_id {
            Some(run_id) => by_run.get(&RunKey { namespace, workflow_id, run_id }).cloned(),
            None => latest.get(&(namespace, workflow_id)).cloned(),
        }
    };
    Ok(targets.iter().map(find).collect())
}

async fn read(
    session: &mut impl Session,
    mut query: Query,
    namespaces: &HashMap<i64, &Namespace>,
) -> Result<Vec<RunInfo>, Fault> {
    let rows = session.rows(query.done()).await?;
    let mut infos = Vec::new();
    for row in &rows {
        if let Some(namespace) = namespaces.get(&row.int(22)?) {
            match read_info(row, namespace) {
                Ok(info) => infos.push(info),
                Err(fault) => tracing::error!(error = %fault.source, "a run's row is damaged"),
            }
        }
    }
    Ok(infos)
}

/// Reads a row of [`SELECT_INFO`]. Only damage to its key hides a run: other damage is shown as its failure.
pub(super) fn read_info(row: &Row, namespace: &Namespace) -> Result<RunInfo, Fault> {
    let mut damage = Damage::default();
    let status = row.int(8)?;
    let inbox_last: u64 = damage.or_default(row.count(12));
    let taken_in = damage.or_default(row.count(13));
    let fairness_key = damage.or_default(row.maybe_bytes(6));
    let info = RunInfo {
        run: RunKey {
            namespace: namespace.clone(),
            workflow_id: row.id(0, |text| WorkflowId::new(text))?,
            run_id: RunId(row.uuid(1)?),
        },
        workflow: WorkflowType {
            name: row.id(2, |text| WorkflowName::new(text))?,
            version: WorkflowVersion(crate::names::count(row, 3)?),
        },
        task_queue: row.id(4, |text| TaskQueue::new(text))?,
        priority: i32::try_from(damage.or_default(row.int(5))).unwrap_or_default(),
        fairness_key: fairness_key.map(|key| Arc::from(String::from_utf8_lossy(&key).as_ref())),
        attributes: damage.or_default(row.unpacked(7)).unwrap_or_default(),
        status: status_of(status).unwrap_or(RunStatus::Running),
        started_at: damage.or_default(row.time(9)),
        closed_at: damage.or_default(row.maybe_time(10)),
        head: EventId(damage.or_default(row.count(11))),
        inbox: if status == OPEN { inbox_last.saturating_sub(taken_in) } else { 0 },
        wake_at: damage.or_default(row.maybe_time(14)),
        owner: damage.or_default(row.maybe_uuid(15)).map(WorkerId),
        failure: damage.or_default(row.unpacked(16)),
        outcome: damage.or_default(row.maybe_bytes(17)),
        continued_as: damage.or_default(row.maybe_uuid(18)).map(RunId),
        published: damage.or_default(row.unpacked(19)),
        memo: damage.or_default(row.unpacked(20)).unwrap_or_default(),
        paused: damage.or_default(row.flag(21)),
    };
    Ok(damage.shown_in(info))
}

/// The first damage that was met in a row.
#[derive(Default)]
struct Damage(Option<Fault>);

impl Damage {
    fn or_default<T: Default>(&mut self, read: Result<T, Fault>) -> T {
        read.unwrap_or_else(|fault| {
            self.0.get_or_insert(fault);
            T::default()
        })
    }

    fn shown_in(self, mut info: RunInfo) -> RunInfo {
        if let Some(fault) = self.0 {
            let message = format!("the row of this run is damaged: {}", fault.source);
            let at = info.started_at;
            info.failure = Some(TaskFailure { kind: TaskFailureKind::History, message, count: 1, at });
        }
        info
    }
}
