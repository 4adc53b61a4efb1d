//! The tasks of a run and their wakers: which are polled, and in which order.
//!
//! Woken tasks go in the order of waking, the main body last. Only what was woken is polled.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use futures::future::BoxFuture;

use super::foreign::{Foreign, Lookout};
use super::presence::{self, Doing, MachineId};

/// A task of the set. The first one inserted is the main body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaskId(u32);

impl TaskId {
    pub(super) const MAIN: Self = Self(0);
}

/// Drop it inside of the machine ([`Doing::Dropping`]): its futures are the user's.
pub(super) struct Tasks {
    agenda: Arc<Agenda>,
    tasks: Vec<Option<Task>>,
    vacant: Vec<TaskId>,
}

struct Task {
    future: BoxFuture<'static, ()>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Who was woken and not polled since.
struct Agenda {
    machine: MachineId,
    lookout: Arc<Lookout>,
    main: AtomicBool,
    /// Whether the run has ended without its main body.
    stopped: AtomicBool,
    others: Mutex<VecDeque<Turn>>,
}

/// Whose turn it is to be polled.
enum Turn {
    Woken(TaskId),
    /// A task that the code has just made.
    New(BoxFuture<'static, ()>),
}

/// The way in for tasks that the code itself makes.
pub(super) struct Spawner(Arc<Agenda>);

impl Spawner {
    /// Adds a task behind those that are woken already.
    pub(super) fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.0.others().push_back(Turn::New(future));
    }

    /// Lets nobody be polled any more.
    pub(super) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
    }
}

/// What the waker of a task rings.
struct Bell {
    agenda: Arc<Agenda>,
    task: TaskId,
    rung: AtomicBool,
    alive: AtomicBool,
}

impl Tasks {
    pub(super) fn new(machine: MachineId, lookout: Arc<Lookout>) -> Self {
        let (main, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
        let agenda = Agenda { machine, lookout, main, stopped, others: Mutex::new(VecDeque::new()) };
        Self { agenda: Arc::new(agenda), tasks: Vec::new(), vacant: Vec::new() }
    }

    /// The way in for tasks that the code itself makes.
    pub(super) fn spawner(&self) -> Spawner {
        Spawner(self.agenda.clone())
    }

    /// Adds a task; it is polled once without being woken.
    pub(super) fn insert(&mut self, future: BoxFuture<'static, ()>) -> TaskId {
        let task = self.place(future);
        self.agenda.add(task);
        task
    }

    fn place(&mut self, future: BoxFuture<'static, ()>) -> TaskId {
        let task = self.vacant.pop().unwrap_or_else(|| {
            self.tasks.push(None);
            TaskId(u32::try_from(self.tasks.len() - 1).expect("fewer than 2^32 tasks fit into memory"))
        });
        let bell = Arc::new(Bell {
            agenda: self.agenda.clone(),
            task,
            rung: AtomicBool::new(true),
            alive: AtomicBool::new(true),
        });
        self.tasks[task.0 as usize] = Some(Task { future, waker: bell.clone().into(), bell });
        task
    }

    /// Polls what was woken until all rests, or until the main body has ended. The thread is inside of the machine.
    pub(super) fn poll_until_rest(&mut self) {
        while let Some(turn) = self.agenda.next() {
            let id = match turn {
                Turn::Woken(id) => id,
                Turn::New(future) => self.place(future),
            };
            let Some(task) = &mut self.tasks[id.0 as usize] else { continue };
            task.bell.rung.store(false, Ordering::Release);
            if task.future.as_mut().poll(&mut Context::from_waker(&task.waker)).is_pending() {
                continue;
            }
            task.bell.alive.store(false, Ordering::Release);
            let ended = self.tasks[id.0 as usize].take();
            let _inside = presence::enter(self.agenda.machine, Doing::Dropping);
            drop(ended);
            if id == TaskId::MAIN {
                break;
            }
            self.vacant.push(id);
        }
    }

    /// Whether the main body was launched and has not ended.
    pub(super) fn main_is_alive(&self) -> bool {
        self.tasks.first().is_some_and(Option::is_some)
    }

    /// Drops all futures, the main body last. None of their wakers means anything from now on.
    pub(super) fn clear(&mut self) {
        let _inside = presence::enter(self.agenda.machine, Doing::Dropping);
        for task in self.tasks.iter().flatten() {
            task.bell.alive.store(false, Ordering::Release);
        }
        self.vacant.clear();
        // What was made and never polled: dropped unlocked, for it is the user's.
        let turns = std::mem::take(&mut *self.agenda.others());
        drop(turns);
        while let Some(task) = self.tasks.pop() {
            drop(task);
        }
    }

    /// How many bytes the futures take, what they have put on the heap aside.
    pub(super) fn bytes(&self) -> usize {
        self.tasks.iter().flatten().map(|task| size_of_val(&*task.future) + size_of::<Bell>()).sum()
    }
}

impl Agenda {
    fn add(&self, task: TaskId) {
        if task == TaskId::MAIN {
            self.main.store(true, Ordering::Release);
        } else {
            self.others().push_back(Turn::Woken(task));
        }
    }

    fn next(&self) -> Option<Turn> {
        if self.stopped.load(Ordering::Acquire) {
            return None;
        }
        let other = self.others().pop_front();
        other.or_else(|| self.main.swap(false, Ordering::AcqRel).then_some(Turn::Woken(TaskId::MAIN)))
    }

    fn others(&self) -> MutexGuard<'_, VecDeque<Turn>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.alive.load(Ordering::Acquire) {
            return;
        }
        if presence::doing(self.agenda.machine).is_none() {
            self.agenda.lookout.note(Foreign::Woken);
        } else if !self.rung.swap(true, Ordering::AcqRel) {
            self.agenda.add(self.task);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    /// What was polled, in order, and each task's waker.
    #[derive(Default)]
    struct Log {
        polled: Vec<&'static str>,
        wakers: Vec<(&'static str, Waker)>,
    }

    struct Bench {
        machine: MachineId,
        lookout: Arc<Lookout>,
        tasks: Tasks,
        log: Arc<Mutex<Log>>,
    }

    impl Bench {
        fn new() -> Self {
            let (machine, lookout) = (MachineId::fresh(), Arc::new(Lookout::new(None)));
            let tasks = Tasks::new(machine, lookout.clone());
            Self { machine, lookout, tasks, log: Arc::default() }
        }

        /// A task that logs each poll and ends at poll number `polls`.
        fn insert(&mut self, name: &'static str, polls: usize) -> TaskId {
            let log = self.log.clone();
            let mut left = polls;
            self.tasks.insert(Box::pin(std::future::poll_fn(move |cx| {
                let mut log = log.lock().unwrap();
                log.polled.push(name);
                log.wakers.push((name, cx.waker().clone()));
                left -= 1;
                if left == 0 { Poll::Ready(()) } else { Poll::Pending }
            })))
        }

        fn waker(&self, name: &str) -> Waker {
            let log = self.log.lock().unwrap();
            log.wakers.iter().rfind(|(task, _)| *task == name).unwrap().1.clone()
        }

        fn poll(&mut self) -> Vec<&'static str> {
            let _inside = presence::enter(self.machine, Doing::Polling);
            self.tasks.poll_until_rest();
            std::mem::take(&mut self.log.lock().unwrap().polled)
        }

        fn wake(&self, names: &[&str]) {
            let _inside = presence::enter(self.machine, Doing::Applying);
            names.iter().for_each(|name| self.waker(name).wake());
        }
    }

    #[test]
    fn woken_tasks_are_polled_in_the_order_of_waking_and_the_main_body_last() {
        let mut bench = Bench::new();
        for name in ["main", "a", "b", "c"] {
            bench.insert(name, 9);
        }
        assert_eq!(bench.poll(), ["a", "b", "c", "main"]);
        bench.wake(&["main", "c", "a", "c"]);
        assert_eq!(bench.poll(), ["c", "a", "main"]);
        assert_eq!(bench.poll(), [""; 0]);
    }

    #[test]
    fn a_task_that_has_ended_makes_room_and_its_waker_means_nothing() {
        let mut bench = Bench::new();
        bench.insert("main", 9);
        let ended = bench.insert("a", 1);
        bench.poll();
        let stale = bench.waker("a");
        assert_eq!(bench.insert("b", 9), ended);
        bench.poll();
        stale.wake();
        assert!(bench.lookout.found(None).is_none(), "a waker whose future is gone is ignored");
        assert_eq!(bench.poll(), [""; 0]);
    }

    #[test]
    fn nothing_is_polled_once_the_main_body_has_ended() {
        let mut bench = Bench::new();
        bench.insert("main", 1);
        bench.insert("a", 9);
        bench.poll();
        assert!(!bench.tasks.main_is_alive());
        bench.tasks.clear();
        bench.wake(&["a"]);
        assert_eq!(bench.poll(), [""; 0]);
    }
}
