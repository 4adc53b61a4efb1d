//! The executor: all tasks of all hosted engines, polled one at a time on the thread that drives it.
//!
//! Knows no time and no store. Which of the woken tasks goes next is its [`Order`]; with the same order, the same
//! tasks take the same course.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures::future::BoxFuture;

/// Which of the woken tasks is polled next.
#[derive(Debug)]
pub(crate) enum Order {
    /// The one that was spawned first.
    Oldest,
    /// Any, as these numbers say.
    Random(fastrand::Rng),
}

/// A task's number, in the order of spawning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(u64);

/// The number that stands for whoever drives the executor and waits for a future of its own.
const DRIVER: TaskId = TaskId(0);

/// Which process a task belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProcessId(pub(crate) u32);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.0)
    }
}

/// Tasks and the order in which they are polled.
pub(crate) struct Executor {
    tasks: BTreeMap<TaskId, Task>,
    spawner: Arc<Spawner>,
    order: Order,
    /// How many polls there were.
    polls: u64,
}

struct Task {
    process: ProcessId,
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

/// The side of an executor that tasks and wakers see: what came while one of them was polled.
#[derive(Default)]
pub(crate) struct Spawner {
    mail: Mutex<Mail>,
    woken: Condvar,
}

#[derive(Default)]
struct Mail {
    last: u64,
    ready: BTreeSet<TaskId>,
    spawned: Vec<(TaskId, Task)>,
    aborted: Vec<TaskId>,
    /// Whether the driver waits for another thread to wake something.
    awaited: bool,
}

struct TaskWaker {
    task: TaskId,
    spawner: Arc<Spawner>,
}

impl Executor {
    pub(crate) fn new(order: Order) -> Self {
        Self { tasks: BTreeMap::new(), spawner: Arc::default(), order, polls: 0 }
    }

    pub(crate) fn spawner(&self) -> &Arc<Spawner> {
        &self.spawner
    }

    /// How many polls there were since the beginning.
    pub(crate) fn polls(&self) -> u64 {
        self.polls
    }

    /// A waker for a future that the driver polls itself; it is woken now.
    pub(crate) fn driver(&self) -> Waker {
        self.spawner.lock().ready.insert(DRIVER);
        Waker::from(Arc::new(TaskWaker { task: DRIVER, spawner: self.spawner.clone() }))
    }

    /// Whether the driver's own future has been woken since this was last asked.
    pub(crate) fn take_driver_wake(&self) -> bool {
        self.spawner.lock().ready.remove(&DRIVER)
    }

    /// Polls one woken task of a process that `may_run`; `false` if there is none.
    pub(crate) fn step(&mut self, may_run: impl Fn(ProcessId) -> bool) -> bool {
        self.take_in_mail();
        let Some(id) = self.next(may_run) else { return false };
        let Some(task) = self.tasks.get_mut(&id) else { return true };
        self.polls += 1;
        if task.future.as_mut().poll(&mut Context::from_waker(&task.waker)).is_ready() {
            self.tasks.remove(&id);
        }
        true
    }

    fn next(&mut self, may_run: impl Fn(ProcessId) -> bool) -> Option<TaskId> {
        let mut mail = self.spawner.lock();
        let tasks = &self.tasks;
        mail.ready.retain(|id| *id == DRIVER || tasks.contains_key(id));
        let runnable = |id: &&TaskId| tasks.get(*id).is_some_and(|task| may_run(task.process));
        let id = match &mut self.order {
            Order::Oldest => mail.ready.iter().find(runnable).copied()?,
            Order::Random(lots) => {
                let count = mail.ready.iter().filter(runnable).count();
                let index = if count > 1 { lots.usize(..count) } else { 0 };
                mail.ready.iter().filter(runnable).nth(index).copied()?
            }
        };
        mail.ready.remove(&id);
        Some(id)
    }

    /// Drops all tasks of a process, where they stand.
    pub(crate) fn kill(&mut self, process: ProcessId) {
        self.take_in_mail();
        let (killed, others) =
            std::mem::take(&mut self.tasks).into_iter().partition(|(_, task)| task.process == process);
        self.tasks = others;
        let killed: BTreeMap<TaskId, Task> = killed;
        drop(killed);
        // What they spawned while they were dropped goes with them.
        self.spawner.lock().spawned.retain(|(_, task)| task.process != process);
    }

    /// Waits until a task or the driver is woken from another thread, at most so long. `false` if none was.
    pub(crate) fn wait(&self, longest: Duration) -> bool {
        let mut mail = self.spawner.lock();
        mail.awaited = true;
        let asleep = |mail: &mut Mail| mail.ready.is_empty() && mail.spawned.is_empty();
        let waited = self.spawner.woken.wait_timeout_while(mail, longest, asleep);
        let (mut mail, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        mail.awaited = false;
        !timeout.timed_out()
    }

    fn take_in_mail(&mut self) {
        let (spawned, aborted) = {
            let mut mail = self.spawner.lock();
            (std::mem::take(&mut mail.spawned), std::mem::take(&mut mail.aborted))
        };
        self.tasks.extend(spawned);
        // Dropped outside of the lock: what they hold may wake and spawn.
        let dropped: Vec<_> = aborted.iter().filter_map(|id| self.tasks.remove(id)).collect();
        drop(dropped);
    }
}

impl Spawner {
    /// Takes a task in; it is polled when its turn comes.
    pub(crate) fn spawn(self: &Arc<Self>, process: ProcessId, future: BoxFuture<'static, ()>) -> TaskId {
        let mut mail = self.lock();
        mail.last += 1;
        let id = TaskId(mail.last);
        let waker = Waker::from(Arc::new(TaskWaker { task: id, spawner: self.clone() }));
        mail.spawned.push((id, Task { process, future, waker }));
        self.make_ready(mail, id);
        id
    }

    /// Drops a task before its next poll.
    pub(crate) fn abort(&self, task: TaskId) {
        self.lock().aborted.push(task);
    }

    fn make_ready(&self, mut mail: MutexGuard<'_, Mail>, task: TaskId) {
        mail.ready.insert(task);
        let awaited = mail.awaited;
        drop(mail);
        if awaited {
            self.woken.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.spawner.make_ready(self.spawner.lock(), self.task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: ProcessId = ProcessId(1);

    fn executor(order: Order, names: &[&'static str]) -> (Executor, Arc<Mutex<Vec<&'static str>>>) {
        let (executor, log) = (Executor::new(order), Arc::<Mutex<Vec<_>>>::default());
        for name in names.iter().copied() {
            let log = log.clone();
            executor.spawner().spawn(PROCESS, Box::pin(async move { log.lock().unwrap().push(name) }));
        }
        (executor, log)
    }

    fn run(mut executor: Executor) {
        while executor.step(|_| true) {}
    }

    #[test]
    fn tasks_take_the_course_that_their_seed_says() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let course = |seed| {
            let (executor, log) = executor(Order::Random(fastrand::Rng::with_seed(seed)), &names);
            run(executor);
            log.lock().unwrap().clone()
        };
        assert_eq!(course(7), course(7));
        assert!((0..20).any(|seed| course(seed) != course(7)));
        let (executor, log) = executor(Order::Oldest, &names);
        run(executor);
        assert_eq!(*log.lock().unwrap(), names);
    }

    #[test]
    fn what_is_aborted_or_killed_is_not_polled() {
        let (mut executor, log) = executor(Order::Oldest, &["a", "b"]);
        executor.spawner().abort(TaskId(1));
        assert!(executor.step(|_| true));
        assert_eq!(*log.lock().unwrap(), ["b"]);
        executor.spawner().spawn(PROCESS, Box::pin(std::future::pending()));
        executor.kill(PROCESS);
        assert!(!executor.step(|_| true));
    }

    #[test]
    fn a_paused_process_keeps_its_wake_ups() {
        let (mut executor, log) = executor(Order::Oldest, &["a"]);
        assert!(!executor.step(|process| process != PROCESS));
        assert!(executor.step(|_| true));
        assert_eq!(*log.lock().unwrap(), ["a"]);
    }
}
