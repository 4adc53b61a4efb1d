//! Gathering jobs, applying them in one transaction, and answering once that is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use retell::backend::{Changes, Interest, StoreError};
use rusqlite::Connection;

use super::job::{Answer, Job, Message, gather};
use super::lease::Watch;
use super::member::Guard;
use super::transaction::{Heard, Memory, Transaction};
use crate::fault::{fault, file_fault, is_of_the_data};
use crate::lock::{LifeSigns, WriteLock};
use crate::time::StoreTime;

/// How often to look for what other processes do while anything happens.
const LOOK_ACTIVE: Duration = Duration::from_millis(5);
/// How often to look when nothing has happened for long.
const LOOK_IDLE: Duration = Duration::from_millis(100);
/// How often the life signs of other processes' workers are looked at.
const SIGNS_INTERVAL: Duration = Duration::from_millis(50);

/// The writer's state, owned by its thread.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) lock: WriteLock,
    pub(crate) time: StoreTime,
    pub(crate) changes: Arc<Changes>,
    /// Transactions committed.
    pub(crate) commits: Arc<AtomicU64>,
    /// How many wait for changes.
    pub(crate) waiters: Arc<AtomicUsize>,
    memory: Memory,
    watch: Watch,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        lock: WriteLock,
        signs: LifeSigns,
        time: StoreTime,
        changes: Arc<Changes>,
    ) -> Self {
        // An injected clock may stand still: then every claim looks.
        let interval = if time.is_injected() { Duration::ZERO } else { SIGNS_INTERVAL };
        let watch = Watch::new(signs, interval);
        let memory = Memory::default();
        Self {
            connection,
            lock,
            time,
            changes,
            commits: Arc::default(),
            waiters: Arc::default(),
            memory,
            watch,
        }
    }

    /// Works until all senders are gone and every job is answered.
    pub(crate) fn run(mut self, jobs: &Receiver<Message>) {
        while let Some(first) = self.next(jobs) {
            let gathered = gather(first, jobs);
            match self.transact(&gathered) {
                Ok((answers, heard)) => {
                    gathered.into_iter().zip(answers).for_each(|(job, answer)| job.answer(answer));
                    self.announce(heard);
                }
                Err(error) => gathered.into_iter().for_each(|job| job.fail(&error)),
            }
        }
    }

    /// Waits for a job. While somebody waits for changes, looks for those of other processes meanwhile: none of our
    /// own commits counts as one on this connection.
    fn next(&mut self, jobs: &Receiver<Message>) -> Option<Job> {
        let mut pause = LOOK_ACTIVE;
        loop {
            let message = if self.waiters.load(Ordering::SeqCst) == 0 {
                jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                jobs.recv_timeout(pause)
            };
            match message {
                Ok(Message::Job(job)) => return Some(job),
                Ok(Message::Look) => {
                    pause = LOOK_ACTIVE;
                    if self.waiters.load(Ordering::SeqCst) > 0 {
                        self.look();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    pause = if self.look() { LOOK_ACTIVE } else { (pause * 2).min(LOOK_IDLE) };
                }
            }
        }
    }

    /// Looks for commits and deaths of other processes; answers whether there are any.
    fn look(&mut self) -> bool {
        match self.memory.refresh(&self.connection) {
            Ok(true) => self.announce(Heard::ALL),
            Ok(false) if self.watch.sees_a_death(&self.memory, self.time.age()) => {
                self.announce(Heard { work: true, ..Heard::default() });
            }
            Ok(false) => return false,
            Err(error) => {
                tracing::warn!(%error, "cannot see what other processes commit");
                return false;
            }
        }
        true
    }

    fn announce(&self, heard: Heard) {
        if heard.work {
            self.changes.announce(Interest::Work);
        }
        if heard.closings {
            self.changes.announce(Interest::Closings);
        }
        if heard.answers {
            self.changes.announce(Interest::Answers);
        }
    }

    /// Does all jobs in one transaction. If SQLite refuses the data of one, all are done again, each guarded.
    fn transact(&mut self, jobs: &[Job]) -> Result<(Vec<Answer>, Heard), StoreError> {
        match self.attempt(jobs, Guard::None) {
            Err(Failed::Sqlite(error)) if is_of_the_data(&error) => self.attempt(jobs, Guard::Savepoints),
            done => done,
        }
        .map_err(|failed| match failed {
            Failed::Sqlite(error) => fault("write", error),
            Failed::Lock(error) => file_fault("lock for writing", error),
        })
    }

    fn attempt(&mut self, jobs: &[Job], guard: Guard) -> Result<(Vec<Answer>, Heard), Failed> {
        let right = self.lock.take().map_err(Failed::Lock)?;
        let done = attempt(
            &self.connection,
            &mut self.memory,
            &mut self.watch,
            &self.time,
            &mut |transaction, watch| jobs.iter().map(|job| transaction.perform(job, watch, guard)).collect(),
        );
        drop(right);
        if done.is_ok() {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        done.map_err(Failed::Sqlite)
    }
}

/// Why no job of a transaction was done.
enum Failed {
    Sqlite(rusqlite::Error),
    Lock(std::io::Error),
}

type Work<'a> = dyn FnMut(&mut Transaction, &mut Watch) -> rusqlite::Result<Vec<Answer>> + 'a;

fn attempt(
    connection: &Connection,
    memory: &mut Memory,
    watch: &mut Watch,
    time: &StoreTime,
    work: &mut Work,
) -> rusqlite::Result<(Vec<Answer>, Heard)> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = memory.refresh(connection).and_then(|foreign| {
        let (now, age) = (time.now(), time.age());
        let heard = if foreign { Heard::ALL } else { Heard::default() };
        let buried = Vec::new();
        let mut transaction = Transaction { connection, memory, now, age, heard, buried, kept: 0 };
        let answers = work(&mut transaction, watch)?;
        transaction.forget_old_outcomes()?;
        let (heard, buried) = (transaction.heard, transaction.buried);
        connection.prepare_cached("COMMIT")?.execute([])?;
        buried.into_iter().for_each(|worker| watch.signs.remove(worker));
        Ok((answers, heard))
    });
    if done.is_err() {
        memory.clear();
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
    }
    done
}
