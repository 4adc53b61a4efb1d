//! The SQLite store of Retell: durable workflows in one file, without a server.
//!
//! One thread writes: what waits while a transaction is committed goes together into the next one. A few threads read
//! beside it. Several processes may open one file; they take turns. The file must not lie on a network file system,
//! and no second SQLite library may be linked into the program.
//!
//! Your own tables may lie in the same file, and a transaction of yours can hold what is said to runs:
//! [`Sqlite::begin`].
//!
//! Beside `orders.db` lie SQLite's own `-wal` and `-shm`, `orders.db-turn` and `orders.db-write`, on which writing
//! processes queue, and `orders.db-worker-*`, one for each living worker. Imports the seam and nothing above.

mod attribute;
mod column;
mod connection;
mod fault;
mod lock;
mod options;
mod read;
mod schema;
mod time;
mod transaction;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::channel::oneshot;
use retell::backend::{
    AnswerKey, Answered, Backend, Changes, Claim, Claimed, Interest, LeaseAction, ListRequest, Mark, Page,
    QueuedActivity, Renewal, Renewed, RunInfo, StoreError, StoreErrorKind, StoreStats,
};
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunKey, Timestamp, WorkerId};
use retell::write::{Batch, Outcome, Target};
use rusqlite::Connection;

pub use options::{Options, Synchronous};
/// The library that the store is built on: its connections and transactions are those that a store can share.
pub use rusqlite;
pub use transaction::Transaction;

use crate::connection::Role;
use crate::fault::{fault, file_fault};
use crate::lock::{LifeSigns, WriteLock};
use crate::read::Readers;
use crate::time::StoreTime;
use crate::writer::{Job, Message, Writer};

/// The wait before a file that is locked is opened again.
const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// A store in an SQLite file.
///
/// Dropping it waits for what is being written. Workers that were not retired count as dead from then on.
pub struct Sqlite {
    options: Options,
    time: StoreTime,
    jobs: Option<Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    readers: Readers,
    waiters: Arc<AtomicUsize>,
    changes: Arc<Changes>,
    commits: Arc<AtomicU64>,
    /// The last answer to a claim of each of this process's workers, and its number.
    answers: Mutex<HashMap<WorkerId, (u64, Claimed)>>,
}

impl Sqlite {
    /// Opens a database, or makes it: durable at each commit, with the defaults of [`Options`].
    ///
    /// # Errors
    /// [`StoreErrorKind`] `NotAStore` for a file of another program, `Newer` for one of a newer program, `Setting` if
    /// the file cannot be opened in write-ahead mode, `Full`, `Damaged`, and `Unavailable` if the file is locked or
    /// cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options(path).open()
    }

    /// Ways to open a database otherwise than by the defaults.
    #[must_use]
    pub fn options(path: impl AsRef<Path>) -> Options {
        Options::new(path.as_ref())
    }

    /// How many transactions this handle has committed. A figure for measurements: batches that wait together share
    /// one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Opens the file, again and again while it is locked: SQLite does not wait where two that look at a file and turn
    /// its write-ahead mode on could wait for each other, as the first processes on a new file do.
    fn start(options: &Options) -> Result<Self, StoreError> {
        let began = Instant::now();
        loop {
            match Self::start_once(options) {
                Err(error) if fault::is_locked(&error) && began.elapsed() < options.busy_wait => {
                    std::thread::sleep(OPEN_AGAIN_AFTER);
                }
                started => return started,
            }
        }
    }

    fn start_once(options: &Options) -> Result<Self, StoreError> {
        let operation = connection::operation(options);
        connection::inspect(options)?;
        let lock = WriteLock::open(&options.path).map_err(|error| file_fault(&operation, error))?;
        let mut connection = {
            let _writing = lock.take().map_err(|error| file_fault(&operation, error))?;
            connection::open(options, Role::Writer)?
        };
        let time = {
            let _writing = lock.take().map_err(|error| file_fault(&operation, error))?;
            schema::migrate(&mut connection, options, &operation)?;
            begin_time(options, &mut connection).map_err(|error| fault(&operation, error))?
        };
        let readers = (0..options.readers).map(|_| connection::open(options, Role::Reader));
        let readers = Readers::start(readers.collect::<Result<_, _>>()?)?;
        let changes = Arc::new(Changes::default());
        let signs = LifeSigns::new(&options.path);
        let writer = Writer::new(connection, lock, signs, time.clone(), changes.clone());
        let (commits, waiters) = (writer.commits.clone(), writer.waiters.clone());
        let (jobs, waiting) = mpsc::channel();
        let writer = std::thread::Builder::new()
            .name("retell-sqlite-write".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(|error| file_fault("start the writing thread", error))?;
        Ok(Self {
            options: options.clone(),
            time,
            jobs: Some(jobs),
            writer: Some(writer),
            readers,
            waiters,
            changes,
            commits,
            answers: Mutex::default(),
        })
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<WorkerId, (u64, Claimed)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) -> Waiting<'_> {
        if self.waiters.fetch_add(1, Ordering::SeqCst) == 0 {
            self.look();
        }
        Waiting(&self.waiters)
    }

    /// Has the writer look for what other connections have committed.
    fn look(&self) {
        if let Some(jobs) = &self.jobs {
            // A writer that is gone sees nothing any more.
            let _ = jobs.send(Message::Look);
        }
    }

    /// Has the writer do a job, and waits for its answer without blocking the caller's thread.
    async fn write<T>(
        &self,
        operation: &'static str,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Closed, operation);
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(closed)?;
        jobs.send(Message::Job(job(reply))).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// Somebody waits for a change, until it is dropped: so long the writer looks for other processes' commits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn begin_time(options: &Options, connection: &mut Connection) -> rusqlite::Result<StoreTime> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let time = StoreTime::begin(options.source.clone(), &transaction)?;
    transaction.commit()?;
    Ok(time)
}

/// Waits until a thread of the store's has ended, unless it is this one: what a thread answers may be all that still knew
/// of the store, and is dropped there if its runtime is gone.
fn wait_for(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() {
        // One that panicked has said so on its own thread.
        let _ = thread.join();
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            wait_for(writer);
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.options.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        self.write("apply", |reply| Job::Apply(batch, reply)).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let (worker, number) = (claim.worker, claim.number);
        if let Some((_, first)) = self.answers().get(&worker).filter(|(last, _)| *last == number) {
            return Ok(first.clone());
        }
        let claim = Box::new(claim.clone());
        let claimed: Claimed = self.write("claim", |reply| Job::Claim(claim, reply)).await?;
        if number > 0 {
            self.answers().insert(worker, (number, claimed.clone()));
        }
        Ok(claimed)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let renewal = renewal.clone();
        if renewal.action == LeaseAction::Retire {
            self.answers().remove(&renewal.worker);
        }
        self.write("renew", |reply| Job::Renew(renewal, reply)).await
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let run = run.clone();
        self.readers
            .read("history", move |connection| read::history(connection, &run, after, bytes_max))
            .await
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        let targets = targets.to_vec();
        self.readers.read("describe", move |connection| read::describe(connection, &targets)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        let request = request.clone();
        self.readers.read("list", move |connection| read::list(connection, &request)).await
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        let run = run.clone();
        self.readers.read("queued", move |connection| read::queued(connection, &run)).await
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        let asked = asked.to_vec();
        self.readers.read("answers", move |connection| read::answers(connection, &asked)).await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        let namespace = namespace.clone();
        self.readers.read("stats", move |connection| read::stats(connection, &namespace)).await
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        let namespace = namespace.clone();
        let read = move |connection: &Connection| read::closed_before(connection, &namespace, before, max);
        self.readers.read("closed before", read).await
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        let _waiting = self.wait();
        self.changes.wait(interest, seen).await
    }

    fn nudge(&self) {
        self.look();
    }
}
