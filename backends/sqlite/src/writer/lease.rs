//! Workers: their leases, and how their deaths are seen.

use std::collections::BTreeSet;
use std::time::Duration;

use retell::backend::{LeaseAction, Renewal, Renewed, StoreError, StoreErrorKind};
use retell::vocabulary::WorkerId;
use rusqlite::{Result, params};

use super::transaction::{Memory, Transaction, Worker};
use crate::fault::file_fault;
use crate::lock::LifeSigns;

/// How many dead workers may still hold runs before the oldest one's sleepers are released.
const DEAD_HOLDERS_MAX: usize = 16;
/// How many sleepers a claim releases at most.
const SLEEPERS_RELEASED: usize = 200;
/// How many rows of dead workers, which nothing names, are kept to be refused under their IDs.
const DEAD_KEPT: i64 = 10_000;

/// The life signs, and when those of others are looked at again.
pub(crate) struct Watch {
    pub(crate) signs: LifeSigns,
    interval: i64,
    next_look: i64,
}

impl Watch {
    /// Looks at the life signs of others at most once in `interval` of the store's age.
    pub(crate) fn new(signs: LifeSigns, interval: Duration) -> Self {
        Self { signs, interval: micros(interval), next_look: i64::MIN }
    }

    /// Whether a worker that still has a lease has lost its process. Claims see it then; looks as seldom as they do.
    pub(crate) fn sees_a_death(&mut self, memory: &Memory, age: i64) -> bool {
        // A claim that is woken by this must look for itself.
        let sees = self.next_look <= age && self.gone(memory, age).next().is_some();
        if !sees {
            self.is_due(age);
        }
        sees
    }

    /// Workers that still have a lease, but no process.
    fn gone<'a>(&'a self, memory: &'a Memory, age: i64) -> impl Iterator<Item = (WorkerId, Worker)> + 'a {
        memory
            .workers
            .iter()
            .filter(move |(id, worker)| worker.expires_at > age && self.signs.is_gone(**id))
            .map(|(id, worker)| (*id, *worker))
    }

    fn is_due(&mut self, age: i64) -> bool {
        let due = age >= self.next_look;
        if due {
            self.next_look = age.saturating_add(self.interval);
        }
        due
    }
}

impl Transaction<'_> {
    /// Opens, prolongs or ends a lease.
    pub(crate) fn renew(
        &mut self,
        renewal: &Renewal,
        watch: &mut Watch,
    ) -> Result<std::result::Result<Renewed, StoreError>> {
        let alive = self.alive(renewal.worker);
        match (&renewal.action, alive) {
            (LeaseAction::Register { lease, .. } | LeaseAction::Renew { lease }, Some(row)) => {
                self.set_lease(renewal.worker, row, self.lease_end(*lease))?;
            }
            (LeaseAction::Register { identity, lease }, None) => {
                if self.is_known(renewal.worker)? {
                    return Ok(Err(lease_lost("register")));
                }
                if let Err(error) = watch.signs.show(renewal.worker) {
                    return Ok(Err(file_fault("register", error)));
                }
                self.register(renewal.worker, identity, self.lease_end(*lease))?;
            }
            (LeaseAction::Renew { .. }, None) => return Ok(Err(lease_lost("renew"))),
            (LeaseAction::Retire, Some(row)) => {
                self.set_lease(renewal.worker, row, 0)?;
                self.buried.push(renewal.worker);
                self.heard.work = true;
            }
            (LeaseAction::Retire, None) => {
                if !self.is_known(renewal.worker)? {
                    self.register(renewal.worker, "", 0)?;
                }
                self.buried.push(renewal.worker);
            }
        }
        Ok(Ok(Renewed { now: self.now }))
    }

    /// Ends the leases of workers whose processes are gone.
    pub(crate) fn look_for_the_dead(&mut self, watch: &mut Watch) -> Result<()> {
        if !watch.is_due(self.age) {
            return Ok(());
        }
        let gone: Vec<(WorkerId, Worker)> = watch.gone(self.memory, self.age).collect();
        for (id, worker) in gone {
            self.set_lease(id, worker.row, 0)?;
            self.buried.push(id);
            self.heard.work = true;
        }
        Ok(())
    }

    /// The rows of dead workers to whom open runs or activities still belong.
    pub(crate) fn dead(&mut self) -> Result<Vec<i64>> {
        let age = self.age;
        let dead: Vec<(WorkerId, i64)> = self
            .memory
            .workers
            .iter()
            .filter(|(_, worker)| worker.expires_at <= age)
            .map(|(id, worker)| (*id, worker.row))
            .collect();
        let mut holding = BTreeSet::new();
        for (id, row) in dead {
            if self.holds_something(row)? {
                holding.insert(row);
            } else {
                self.drain(id, row)?;
                self.buried.push(id);
            }
        }
        if holding.len() > DEAD_HOLDERS_MAX
            && let Some(oldest) = holding.first()
        {
            self.release_sleepers(*oldest)?;
        }
        Ok(holding.into_iter().collect())
    }

    /// Takes a portion of the sleeping runs from a dead worker. Each claim asks for each dead holder: after many
    /// crashes they must not grow without end.
    fn release_sleepers(&self, worker: i64) -> Result<()> {
        self.statement(
            "UPDATE runs SET owner = 0 WHERE id IN \
             (SELECT id FROM runs WHERE status = 0 AND rowless = 0 AND owner = ?1 LIMIT ?2)",
        )?
        .execute(params![worker, SLEEPERS_RELEASED])?;
        Ok(())
    }

    fn holds_something(&self, worker: i64) -> Result<bool> {
        self.statement(
            "SELECT EXISTS (SELECT 1 FROM runs WHERE status = 0 AND owner = ?1) \
             OR EXISTS (SELECT 1 FROM runs WHERE unsettled = 1 AND owner = ?1) \
             OR EXISTS (SELECT 1 FROM activities WHERE owner = ?1)",
        )?
        .query_row([worker], |row| row.get(0))
    }

    fn drain(&mut self, id: WorkerId, row: i64) -> Result<()> {
        self.statement("UPDATE workers SET drained = 1, expires_at = 0 WHERE id = ?1")?.execute([row])?;
        self.statement("DELETE FROM workers WHERE drained = 1 AND id <= ?1")?.execute([row - DEAD_KEPT])?;
        self.memory.workers.remove(&id);
        Ok(())
    }

    fn is_known(&self, worker: WorkerId) -> Result<bool> {
        self.statement("SELECT EXISTS (SELECT 1 FROM workers WHERE worker = ?1)")?
            .query_row([worker.0.as_bytes()], |row| row.get(0))
    }

    fn register(&mut self, worker: WorkerId, identity: &str, expires_at: i64) -> Result<()> {
        self.statement("INSERT INTO workers (worker, identity, expires_at) VALUES (?1, ?2, ?3)")?
            .execute(params![worker.0.as_bytes(), identity, expires_at])?;
        let row = self.connection.last_insert_rowid();
        self.memory.workers.insert(worker, Worker { row, expires_at });
        Ok(())
    }

    fn set_lease(&mut self, worker: WorkerId, row: i64, expires_at: i64) -> Result<()> {
        self.statement("UPDATE workers SET expires_at = ?2 WHERE id = ?1")?.execute([row, expires_at])?;
        self.memory.workers.insert(worker, Worker { row, expires_at });
        Ok(())
    }

    fn lease_end(&self, lease: Duration) -> i64 {
        self.age.saturating_add(micros(lease))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn lease_lost(operation: &str) -> StoreError {
    StoreError::new(StoreErrorKind::LeaseLost, operation)
}
