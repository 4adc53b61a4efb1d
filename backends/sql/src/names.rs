//! Short numbers for long names: namespaces, the kinds of code that rows are bound to, runs; and where numbers come from.
//!
//! A number that was given stays given, so what is remembered here stays true whoever else writes; only a run's number
//! goes with the run. Names are written outside of the transactions that use them: they take no lock with them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use retell::vocabulary::{
    ActivityName, Namespace, RunKey, SemanticsVersion, TaskQueue, WorkflowType, WorkflowVersion,
};
use retell::write::Start;

use crate::dialect::{Dialect, How, Query, Rows};
use crate::fault::{Fault, FaultKind};
use crate::session::Session;
use crate::table;
use crate::value::{Cell, Row};

/// The most runs whose numbers are remembered; beyond that all are forgotten and found again.
const RUNS_REMEMBERED_MAX: usize = 200_000;
/// How many numbers a process takes at once. What it does not use is lost; there are enough.
const BLOCK: i64 = 4_096;

/// What a run is bound to, and claims select by.
pub(crate) type WorkflowKind = (i64, TaskQueue, WorkflowType, SemanticsVersion);
/// What a queued activity is bound to.
pub(crate) type ActivityKind = (i64, TaskQueue, ActivityName);

/// What a process remembers of the store.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Mutex<Known>,
    numbers: tokio::sync::Mutex<std::ops::Range<i64>>,
}

#[derive(Debug, Default)]
struct Known {
    namespaces: HashMap<Namespace, i64>,
    namespace_names: HashMap<i64, Namespace>,
    workflows: HashMap<WorkflowKind, i64>,
    activities: HashMap<ActivityKind, i64>,
    runs: HashMap<RunKey, i64>,
}

/// The kinds of a queue's work, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct QueueKinds {
    pub(crate) workflows: Vec<(i64, WorkflowType, SemanticsVersion)>,
    pub(crate) activities: Vec<(i64, ActivityName)>,
}

impl Names {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn namespace(&self, namespace: &Namespace) -> Option<i64> {
        self.known().namespaces.get(namespace).copied()
    }

    pub(crate) fn workflow(&self, start: &Start) -> Option<i64> {
        let known = self.known();
        let namespace = known.namespaces.get(&start.run.namespace)?;
        known.workflows.get(&workflow_kind(*namespace, start)).copied()
    }

    pub(crate) fn activity(&self, namespace: i64, queue: &TaskQueue, name: &ActivityName) -> Option<i64> {
        self.known().activities.get(&(namespace, queue.clone(), name.clone())).copied()
    }

    pub(crate) fn run(&self, run: &RunKey) -> Option<i64> {
        self.known().runs.get(run).copied()
    }

    pub(crate) fn remember_runs<'r>(&self, runs: impl IntoIterator<Item = (&'r RunKey, i64)>) {
        let mut known = self.known();
        if known.runs.len() >= RUNS_REMEMBERED_MAX {
            known.runs.clear();
        }
        known.runs.extend(runs.into_iter().map(|(run, row)| (run.clone(), row)));
    }

    pub(crate) fn forget_run(&self, run: &RunKey) {
        self.known().runs.remove(run);
    }

    /// Numbers that nobody else has. In a transaction of its own.
    pub(crate) async fn numbers(
        &self,
        session: &mut impl Session,
        dialect: &'static dyn Dialect,
        count: usize,
    ) -> Result<Vec<i64>, Fault> {
        let mut block = self.numbers.lock().await;
        let mut numbers: Vec<i64> = block.by_ref().take(count).collect();
        if numbers.len() < count {
            let wanted = BLOCK.max(count as i64);
            session.script("BEGIN").await?;
            let next = Query::new(dialect, "SELECT next FROM numbers WHERE id = 1 FOR UPDATE").done();
            let rows = session.rows(next).await?;
            let first = rows
                .first()
                .ok_or_else(|| Fault::damaged("the table `numbers` is empty".to_owned()))?
                .int(0)?;
            let mut taken = Query::new(dialect, "UPDATE numbers SET next = ");
            session.execute(taken.int(first + wanted).push(" WHERE id = 1").done()).await?;
            session.script("COMMIT").await?;
            *block = first..first + wanted;
            let missing = count - numbers.len();
            numbers.extend(block.by_ref().take(missing));
        }
        Ok(numbers)
    }

    /// Finds the namespaces that are known to the store.
    pub(crate) async fn find_namespaces(
        &self,
        session: &mut impl Session,
        dialect: &'static dyn Dialect,
        named: impl IntoIterator<Item = &Namespace>,
    ) -> Result<(), Fault> {
        let unknown: HashSet<&Namespace> =
            named.into_iter().filter(|namespace| self.namespace(namespace).is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let keys = unknown.iter().map(|namespace| vec![Cell::from(namespace.as_str())]).collect();
        let mut query = Query::new(dialect, "SELECT id, name FROM namespaces WHERE ");
        query.any_of(&[("name", crate::value::Type::Text)], keys);
        let rows = session.rows(query.done()).await?;
        let mut known = self.known();
        for row in rows {
            let (id, name) = (row.int(0)?, row.id(1, |text| Namespace::new(text))?);
            known.namespace_names.insert(id, name.clone());
            known.namespaces.insert(name, id);
        }
        Ok(())
    }

    /// The name of a namespace that some row names.
    pub(crate) async fn namespace_name(
        &self,
        session: &mut impl Session,
        dialect: &'static dyn Dialect,
        id: i64,
    ) -> Result<Namespace, Fault> {
        if let Some(name) = self.known().namespace_names.get(&id) {
            return Ok(name.clone());
        }
        let mut query = Query::new(dialect, "SELECT name FROM namespaces WHERE id = ");
        let rows = session.rows(query.int(id).done()).await?;
        let row = rows.first().ok_or_else(|| Fault::damaged(format!("there is no namespace {id}")))?;
        let name = row.id(0, |text| Namespace::new(text))?;
        self.known().namespace_names.insert(id, name.clone());
        Ok(name)
    }

    /// Finds the namespaces, and gives numbers to those that have none.
    pub(crate) async fn make_namespaces(
        &self,
        session: &mut impl Session,
        dialect: &'static dyn Dialect,
        named: &HashSet<&Namespace>,
    ) -> Result<(), Fault> {
        self.find_namespaces(session, dialect, named.iter().copied()).await?;
        let unknown: Vec<&&Namespace> =
            named.iter().filter(|namespace| self.namespace(namespace).is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let numbers = self.numbers(session, dialect, unknown.len()).await?;
        let rows = unknown.iter().zip(numbers);
        let rows = rows.map(|(namespace, id)| vec![namespace.as_str().into(), id.into()]).collect();
        insert_missing(session, dialect, &table::NAMESPACES, rows).await?;
        self.find_namespaces(session, dialect, named.iter().copied()).await
    }

    /// Gives numbers to the kinds of code that these starts and queued activities are bound to.
    pub(crate) async fn make_kinds(
        &self,
        session: &mut impl Session,
        dialect: &'static dyn Dialect,
        starts: &[&Start],
        activities: &[(&Namespace, &TaskQueue, &ActivityName)],
    ) -> Result<(), Fault> {
        let workflows: HashSet<WorkflowKind> = starts
            .iter()
            .filter_map(|start| Some(workflow_kind(self.namespace(&start.run.namespace)?, start)))
            .filter(|kind| !self.known().workflows.contains_key(kind))
            .collect();
        let activities: HashSet<ActivityKind> = activities
            .iter()
            .filter_map(|(namespace, queue, name)| {
                Some((self.namespace(namespace)?, (*queue).clone(), (*name).clone()))
            })
            .filter(|kind| !self.known().activities.contains_key(kind))
            .collect();
        if workflows.is_empty() && activities.is_empty() {
            return Ok(());
        }
        let mut numbers =
            self.numbers(session, dialect, workflows.len() + activities.len()).await?.into_iter();
        let rows =
            workflows.iter().zip(numbers.by_ref()).map(|((namespace, queue, workflow, semantics), id)| {
                vec![
                    Cell::Int(*namespace),
                    queue.as_str().into(),
                    workflow.name.as_str().into(),
                    i64::from(workflow.version.0).into(),
                    i64::from(semantics.0).into(),
                    id.into(),
                ]
            });
        let rows = rows.collect();
        insert_missing(session, dialect, &table::WORKFLOW_KINDS, rows).await?;
        let rows = activities.iter().zip(numbers).map(|((namespace, queue, name), id)| {
            vec![Cell::Int(*namespace), queue.as_str().into(), name.as_str().into(), id.into()]
        });
        let rows = rows.collect();
        insert_missing(session, dialect, &table::ACTIVITY_KINDS, rows).await?;
        let queues: HashSet<(i64, TaskQueue)> = workflows
            .into_iter()
            .map(|(namespace, queue, ..)| (namespace, queue))
            .chain(activities.into_iter().map(|(namespace, queue, _)| (namespace, queue)))
            .collect();
        for (namespace, queue) in queues {
            self.queue_kinds(session, dialect, namespace, &queue).await?;
        }
        Ok(())
    }

    /// Reads the kinds of a queue's work.
    pub(crate) async fn queue_kinds(
        &self,
        session: &mut impl Session,
        dialect: &'static dyn Dialect,
        namespace: i64,
        queue: &TaskQueue,
    ) -> Result<QueueKinds, Fault> {
        let mut query =
            Query::new(dialect, "SELECT id, name, version, semantics FROM workflow_kinds WHERE namespace = ");
        query.int(namespace).push(" AND task_queue = ").text(queue.as_str());
        query.push(" UNION ALL SELECT id, name, -1, 0 FROM activity_kinds WHERE namespace = ");
        query.int(namespace).push(" AND task_queue = ").text(queue.as_str());
        let mut kinds = QueueKinds::default();
        for row in session.rows(query.done()).await? {
            // What nobody can name waits unserved, and keeps nothing else from its turn.
            if let Err(fault) = kinds.read(&row) {
                tracing::error!(error = %fault.source, "a kind of work is left out because its row is damaged");
            }
        }
        let mut known = self.known();
        for (id, workflow, semantics) in &kinds.workflows {
            known.workflows.insert((namespace, queue.clone(), workflow.clone(), *semantics), *id);
        }
        for (id, name) in &kinds.activities {
            known.activities.insert((namespace, queue.clone(), name.clone()), *id);
        }
        Ok(kinds)
    }
}

impl QueueKinds {
    fn read(&mut self, row: &Row) -> Result<(), Fault> {
        let id = row.int(0)?;
        if row.int(2)? < 0 {
            self.activities.push((id, row.id(1, |text| ActivityName::new(text))?));
            return Ok(());
        }
        let workflow = WorkflowType {
            name: row.id(1, |text| retell::vocabulary::WorkflowName::new(text))?,
            version: WorkflowVersion(count(row, 2)?),
        };
        self.workflows.push((id, workflow, SemanticsVersion(count(row, 3)?)));
        Ok(())
    }
}

pub(crate) fn count(row: &Row, index: usize) -> Result<u32, Fault> {
    let number = row.int(index)?;
    u32::try_from(number).map_err(|error| Fault::new(FaultKind::Damaged, error))
}

fn workflow_kind(namespace: i64, start: &Start) -> WorkflowKind {
    (namespace, start.task_queue.clone(), start.workflow.clone(), start.semantics)
}

async fn insert_missing(
    session: &mut impl Session,
    dialect: &'static dyn Dialect,
    table: &table::Table,
    rows: Vec<Vec<Cell>>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = Rows { how: How::InsertMissing, rows, ..table.rows() };
    for statement in dialect.change(rows) {
        session.execute(statement).await?;
    }
    Ok(())
}
