//! The store: a driver, and all that its handles share.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use retell::backend::{
    AnswerKey, Answered, Backend, Changes, Claim, Claimed, Interest, LeaseAction, ListRequest, Mark, Page,
    QueuedActivity, Renewal, Renewed, RunInfo, StoreError, StoreErrorKind, StoreStats,
};
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunKey, Timestamp, WorkerId};
use retell::write::{Batch, Outcome, Target, Write};

use crate::batch::Context;
use crate::claim::{self, Asked, Taken};
use crate::fault::{Fault, FaultKind};
use crate::gather::Gathered;
use crate::joined::{self, Home};
use crate::lane::Lanes;
use crate::lease::Leased;
use crate::names::Names;
use crate::plan::Heard;
use crate::pulse::{self, Watch};
use crate::read::HistoryPage;
use crate::remembered::Remembered;
use crate::session::{Driver, Session};
use crate::time::Source;
use crate::{lease, read, schema, sweep};

/// The most lanes that a store has unless said otherwise, and the fewest: as many as there are cores, for what fills the
/// lanes has no more threads. With fewer, more writes share a transaction; with one, nobody plans while the server syncs.
const LANES_MAX: usize = 4;
const LANES_MIN: usize = 2;
/// The least time between two sweeps of a process.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// When workers ask again that found others at what they wanted.
const CONTENDED_AGAIN: Duration = Duration::from_millis(3);
/// The most connections for writing that are kept beside those of the lanes.
const SPARE_MAX: usize = 2;

/// How a store works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many batches are committed side by side, each on a connection of its own; at least 1.
    pub lanes: usize,
    /// Where time comes from.
    pub source: Source,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(LANES_MAX, usize::from);
        Self { lanes: cores.clamp(LANES_MIN, LANES_MAX), source: Source::Server }
    }
}

/// A store on a driver: what `retell-postgres` and `retell-mysql` are beneath.
#[derive(Debug)]
pub struct Store<D: Driver> {
    shared: Arc<Shared<D>>,
    lanes: Lanes,
    watch: Arc<Watch>,
    reads: Reads,
    /// The last answer to a claim of each of this process's workers, and its number.
    told: Mutex<HashMap<WorkerId, (u64, Claimed)>>,
    /// The number that each of them asked under last.
    asked: Mutex<HashMap<WorkerId, u64>>,
    swept: Mutex<Option<Instant>>,
}

/// Does something on a connection for writing that is no lane's; once more on another one if that is gone.
macro_rules! writing {
    ($shared:expr, |$session:ident| $act:expr) => {{
        let mut $session = $shared.writer().await?;
        let mut done = $act.await;
        if is_lost(&done) {
            $session = $shared.driver.writer().await?;
            done = $act.await;
        }
        $shared.keep($session, &done);
        done
    }};
}

/// Reads something; once more on another connection if that is gone.
macro_rules! reading {
    ($shared:expr, |$session:ident, $cx:ident| $read:expr) => {{
        let $cx = $shared.context(None);
        let mut $session = $shared.driver.reader().await?;
        let mut done = $read.await;
        if is_lost(&done) {
            $session = $shared.driver.reader().await?;
            done = $read.await;
        }
        done
    }};
}

/// Reads something of so many runs. Many are read on a connection for writing, which is set to find rows by indexes: on
/// another one a server may well read whole tables instead.
macro_rules! reading_many {
    ($shared:expr, $count:expr, |$session:ident, $cx:ident| $read:expr) => {{
        if $count > 1 {
            let $cx = $shared.context(None);
            writing!($shared, |$session| $read)
        } else {
            reading!($shared, |$session, $cx| $read)
        }
    }};
}

/// What is read of one run at a time, and of many together.
#[derive(Debug)]
struct Reads {
    histories: Gathered<HistoryPage, Vec<Record>>,
    queues: Gathered<RunKey, Vec<QueuedActivity>>,
    infos: Gathered<Target, Option<RunInfo>>,
}

impl Reads {
    fn open<D: Driver>(shared: &Arc<Shared<D>>) -> Self {
        let [of_histories, of_queues, of_infos] = [shared.clone(), shared.clone(), shared.clone()];
        Self {
            histories: Gathered::open(move |pages: Vec<HistoryPage>| {
                let shared = of_histories.clone();
                async move {
                    reading_many!(shared, pages.len(), |session, cx| read::histories(
                        &mut session,
                        cx,
                        &pages
                    ))
                }
                .boxed()
            }),
            queues: Gathered::open(move |runs: Vec<RunKey>| {
                let shared = of_queues.clone();
                async move {
                    reading_many!(shared, runs.len(), |session, cx| read::queued(&mut session, cx, &runs))
                }
                .boxed()
            }),
            infos: Gathered::open(move |targets: Vec<Target>| {
                let shared = of_infos.clone();
                async move {
                    reading_many!(shared, targets.len(), |session, cx| read::describe(
                        &mut session,
                        cx,
                        &targets
                    ))
                }
                .boxed()
            }),
        }
    }
}

/// What a store's tasks share.
pub(crate) struct Shared<D: Driver> {
    pub(crate) driver: D,
    names: Names,
    source: Source,
    remembered: Remembered,
    changes: Changes,
    commits: AtomicU64,
    /// Connections for claims and leases, and for names beside transactions of the user's own.
    spare: Mutex<Vec<D::Session>>,
    pub(crate) home: Home,
}

impl<D: Driver> Shared<D> {
    pub(crate) fn context(&self, pulse: Option<i64>) -> Context<'_> {
        let Self { names, source, remembered, .. } = self;
        Context { dialect: self.driver.dialect(), names, source, remembered, pulse }
    }

    /// Wakes those in this process who wait for what changed.
    pub(crate) fn announce(&self, heard: Heard) {
        let Heard { work, closings, answers } = heard;
        let interests =
            [(work, Interest::Work), (closings, Interest::Closings), (answers, Interest::Answers)];
        for (_, interest) in interests.into_iter().filter(|(changed, _)| *changed) {
            self.changes.announce(interest);
        }
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    fn spare(&self) -> MutexGuard<'_, Vec<D::Session>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection for writing that is no lane's.
    pub(crate) async fn writer(&self) -> Result<D::Session, Fault> {
        let kept = self.spare().pop();
        match kept {
            Some(session) => Ok(session),
            None => self.driver.writer().await,
        }
    }

    /// Keeps a connection for writing, unless it is gone.
    pub(crate) fn keep<T>(&self, session: D::Session, done: &Result<T, Fault>) {
        let mut spare = self.spare();
        if spare.len() < SPARE_MAX && !is_lost(done) {
            spare.push(session);
        }
    }
}

impl<D: Driver> std::fmt::Debug for Shared<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("driver", &self.driver).finish_non_exhaustive()
    }
}

fn is_lost<T>(done: &Result<T, Fault>) -> bool {
    done.as_ref().is_err_and(|fault| fault.kind == FaultKind::Lost)
}

impl<D: Driver> Store<D> {
    /// Brings the schema up to this program's version, and begins to work. Called inside a tokio runtime.
    ///
    /// # Errors
    /// [`StoreErrorKind`] `Newer` for a schema of a newer program, `NotAStore` for one of another, `Setting` if a setting
    /// on which a promise rests is not in force, and `Unavailable`.
    pub async fn open(driver: D, settings: Settings) -> Result<Self, StoreError> {
        let operation = "open the store";
        let during = |fault: Fault| fault.during(operation);
        let shared = Arc::new(Shared {
            driver,
            names: Names::default(),
            source: settings.source,
            remembered: Remembered::default(),
            changes: Changes::default(),
            commits: AtomicU64::new(0),
            spare: Mutex::default(),
            home: Home::default(),
        });
        let dialect = shared.driver.dialect();
        let mut session = shared.driver.writer().await.map_err(during)?;
        schema::migrate(&mut session, dialect).await.map_err(during)?;
        let pulses =
            shared.names.numbers(&mut session, dialect, settings.lanes.max(1)).await.map_err(during)?;
        let seen = pulse::read(&mut session, &shared).await.map_err(during)?;
        shared.keep(session, &Ok(()));
        let lanes = Lanes::open(&shared, pulses.iter().copied());
        let reads = Reads::open(&shared);
        let watch = Arc::new(Watch::default());
        tokio::spawn(pulse::look_on(Arc::downgrade(&shared), watch.clone(), pulses, seen));
        Ok(Self {
            shared,
            lanes,
            watch,
            reads,
            told: Mutex::default(),
            asked: Mutex::default(),
            swept: Mutex::default(),
        })
    }

    /// The driver.
    pub fn driver(&self) -> &D {
        &self.shared.driver
    }

    /// How many transactions of writes this handle has committed. A figure for measurements: batches that wait together
    /// share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Applies writes inside a transaction that the caller has open, on whatever connection.
    ///
    /// # Errors
    /// [`StoreError`] whatever goes wrong: the transaction is then to be rolled back. `ForeignTransaction` if it is none of this
    /// store's database, `Conflict` if another one stood in its way.
    pub async fn apply_in(
        &self,
        session: &mut impl Session,
        batch: &[Write],
    ) -> Result<Vec<Outcome>, StoreError> {
        joined::apply_in(&self.shared, session, batch).await
    }

    fn told(&self) -> MutexGuard<'_, HashMap<WorkerId, (u64, Claimed)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that must come to its end though the caller may stop waiting: a transaction.
    async fn to_its_end<T: Send + 'static>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match tokio::spawn(work).await {
            Ok(done) => done.map_err(|fault| fault.during(operation)),
            Err(_) => Err(StoreError::new(StoreErrorKind::Closed, operation)),
        }
    }

    async fn read<T>(
        &self,
        operation: &str,
        read: impl AsyncFnOnce(&Shared<D>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        read(&self.shared).await.map_err(|fault| fault.during(operation))
    }

    /// Has workers ask again once those who are at what they wanted are done with it.
    fn announce_soon(&self) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            tokio::time::sleep(CONTENDED_AGAIN).await;
            shared.announce(Heard { work: true, ..Heard::default() });
        });
    }

    /// Sweeps beside all else, if it is time.
    fn sweep_sometimes(&self) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_some_and(|swept| swept.elapsed() < SWEEP_EVERY) {
            return;
        }
        *swept = Some(Instant::now());
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let sweeping =
                async { writing!(shared, |session| sweep::sweep(&mut session, shared.context(None))) };
            if let Err(fault) = sweeping.await {
                tracing::debug!(error = %fault.source, "the store was not swept this time");
            }
        });
    }
}

impl<D: Driver> Drop for Store<D> {
    fn drop(&mut self) {
        self.watch.close();
    }
}

#[async_trait]
impl<D: Driver> Backend for Store<D> {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        self.lanes.apply(batch).await
    }

    async fn claim(&self, asked: &Claim) -> Result<Claimed, StoreError> {
        let (worker, number) = (asked.worker, asked.number);
        if let Some((_, first)) = self.told().get(&worker).filter(|(last, _)| *last == number) {
            return Ok(first.clone());
        }
        let before = self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(worker, number);
        let again = if before == Some(number) { Asked::Again } else { Asked::First };
        let (shared, asked) = (self.shared.clone(), asked.clone());
        let work = async move {
            let mut session = shared.writer().await?;
            let mut done = claim::claim(&mut session, shared.context(None), &asked, again).await;
            if is_lost(&done) {
                session = shared.driver.writer().await?;
                done = claim::claim(&mut session, shared.context(None), &asked, Asked::Again).await;
            }
            shared.keep(session, &done);
            done
        };
        let Taken { claimed, contended } = self.to_its_end("claim", work).await?;
        if contended {
            self.announce_soon();
        }
        if number > 0 {
            self.told().insert(worker, (number, claimed.clone()));
        }
        Ok(claimed)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let retires = renewal.action == LeaseAction::Retire;
        if retires {
            self.told().remove(&renewal.worker);
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&renewal.worker);
        }
        let (shared, asked) = (self.shared.clone(), renewal.clone());
        let work = async move {
            writing!(shared, |session| lease::renew(&mut session, shared.context(None), &asked))
        };
        let (worker, leased) = (renewal.worker, self.to_its_end("renew", work).await);
        let row = leased.as_ref().ok().and_then(|leased| leased.row);
        let is_lost = leased.as_ref().is_err_and(|error| error.kind == StoreErrorKind::LeaseLost);
        match row {
            Some(row) => self.watch.shown.add(worker, row),
            None if retires || is_lost => self.watch.shown.remove(worker),
            None => {}
        }
        // Also when nothing is new: while nobody waits for changes, a lost connection is noticed here.
        self.watch.nudge();
        let Leased { renewed, .. } = leased?;
        if retires {
            self.shared.announce(Heard { work: true, ..Heard::default() });
        }
        self.sweep_sometimes();
        Ok(renewed)
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let page = HistoryPage { run: run.clone(), after, bytes_max };
        self.reads.histories.read(page).await.map_err(|fault| fault.during("history"))
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        if let [target] = targets {
            let info = self.reads.infos.read(target.clone()).await;
            return info.map(|info| vec![info]).map_err(|fault| fault.during("describe"));
        }
        self.read("describe", async |shared| {
            reading_many!(shared, targets.len(), |session, cx| read::describe(&mut session, cx, targets))
        })
        .await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        self.read("list", async |shared| {
            reading!(shared, |session, cx| read::list(&mut session, cx, request))
        })
        .await
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        self.reads.queues.read(run.clone()).await.map_err(|fault| fault.during("queued"))
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        self.read("answers", async |shared| {
            reading!(shared, |session, cx| read::answers(&mut session, cx, asked))
        })
        .await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        self.read("stats", async |shared| {
            reading!(shared, |session, cx| read::stats(&mut session, cx, namespace))
        })
        .await
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        let asked = (before, max);
        self.read("closed before", async |shared| {
            reading!(shared, |session, cx| read::closed_before(&mut session, cx, namespace, asked))
        })
        .await
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        let _waiting = self.watch.wait();
        self.shared.changes.wait(interest, seen).await
    }

    fn nudge(&self) {
        self.watch.nudge();
    }
}
