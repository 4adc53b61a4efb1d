//! What members of a transaction work with, and what the writer remembers between transactions.

use std::collections::HashMap;

use retell::vocabulary::{Namespace, RunId, RunKey, Timestamp, WorkerId};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Result, params};

/// The most runs whose row numbers are remembered; beyond that all are forgotten and found again.
const RUNS_REMEMBERED_MAX: usize = 200_000;

/// An open write transaction.
pub(crate) struct Transaction<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) memory: &'a mut Memory,
    /// Wall time, the same for all members.
    pub(crate) now: Timestamp,
    /// The store's age, the same for all members.
    pub(crate) age: i64,
    pub(crate) heard: Heard,
    /// Workers that need no life sign any more once it is committed. Not before: a claim that ends with a rollback, or
    /// with a kill, has ended no lease, and the missing file of a dead worker would say nothing.
    pub(crate) buried: Vec<WorkerId>,
    /// How many outcomes of requests it has kept.
    pub(crate) kept: usize,
}

/// What a transaction is announced as once it is committed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Heard {
    /// Something may be claimed or read.
    pub(crate) work: bool,
    /// A run has closed.
    pub(crate) closings: bool,
    /// A request was answered.
    pub(crate) answers: bool,
}

impl Heard {
    /// Anything may have changed.
    pub(crate) const ALL: Self = Self { work: true, closings: true, answers: true };
}

/// What the writer remembers of the database. Row numbers are never given twice and stay true whoever else writes;
/// workers are read again after a commit of another process; all of it is forgotten after a rollback.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    namespaces: HashMap<Namespace, i64>,
    runs: HashMap<RunId, (i64, RunKey)>,
    /// Workers to whom open runs or activities may belong.
    pub(crate) workers: HashMap<WorkerId, Worker>,
    data_version: Option<i64>,
}

/// A worker's row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worker {
    pub(crate) row: i64,
    /// At which age its lease ends.
    pub(crate) expires_at: i64,
}

impl Memory {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets a run that is removed.
    pub(crate) fn forget(&mut self, run: &RunKey) {
        self.runs.remove(&run.run_id);
    }

    /// Reads again what another process may have changed; answers whether one has. Called at the start of each
    /// transaction.
    pub(crate) fn refresh(&mut self, connection: &Connection) -> Result<bool> {
        let version =
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0))?;
        if self.data_version == Some(version) {
            return Ok(false);
        }
        self.workers.clear();
        let mut statement =
            connection.prepare_cached("SELECT id, worker, expires_at FROM workers WHERE drained = 0")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let worker = WorkerId(crate::column::uuid(row, 1)?);
            self.workers.insert(worker, Worker { row: row.get(0)?, expires_at: row.get(2)? });
        }
        self.data_version = Some(version);
        Ok(true)
    }
}

impl Transaction<'_> {
    /// A statement that is prepared once for each connection.
    pub(crate) fn statement(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// The row number of a namespace, if it has one.
    pub(crate) fn namespace(&mut self, namespace: &Namespace) -> Result<Option<i64>> {
        if let Some(row) = self.memory.namespaces.get(namespace) {
            return Ok(Some(*row));
        }
        let mut statement = self.connection.prepare_cached("SELECT id FROM namespaces WHERE name = ?1")?;
        let row = statement.query_row([namespace.as_str()], |row| row.get(0)).optional()?;
        if let Some(row) = row {
            self.memory.namespaces.insert(namespace.clone(), row);
        }
        Ok(row)
    }

    /// The row number of a namespace, which gets one if it has none.
    pub(crate) fn namespace_or_new(&mut self, namespace: &Namespace) -> Result<i64> {
        if let Some(row) = self.namespace(namespace)? {
            return Ok(row);
        }
        self.statement("INSERT INTO namespaces (name) VALUES (?1)")?.execute([namespace.as_str()])?;
        let row = self.connection.last_insert_rowid();
        self.memory.namespaces.insert(namespace.clone(), row);
        Ok(row)
    }

    /// The row number of a run.
    pub(crate) fn run_row(&mut self, run: &RunKey) -> Result<Option<i64>> {
        if let Some((row, known)) = self.memory.runs.get(&run.run_id)
            && known == run
        {
            return Ok(Some(*row));
        }
        let Some(namespace) = self.namespace(&run.namespace)? else {
            return Ok(None);
        };
        let row = self
            .statement("SELECT id FROM runs WHERE run_id = ?1 AND namespace = ?2 AND workflow_id = ?3")?
            .query_row(params![run.run_id.0.as_bytes(), namespace, run.workflow_id.as_str()], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(row) = row {
            self.remember(run, row);
        }
        Ok(row)
    }

    /// Remembers the row number of a run.
    pub(crate) fn remember(&mut self, run: &RunKey, row: i64) {
        if self.memory.runs.len() >= RUNS_REMEMBERED_MAX {
            self.memory.runs.clear();
        }
        self.memory.runs.insert(run.run_id, (row, run.clone()));
    }

    /// The row of a worker whose lease has not run out.
    pub(crate) fn alive(&self, worker: WorkerId) -> Option<i64> {
        let worker = self.memory.workers.get(&worker)?;
        (worker.expires_at > self.age).then_some(worker.row)
    }
}
