//! The threads that run workflow code, and the worker as a whole: its start, its shutdown, its end.
//!
//! Workflow code runs on threads of its own (or where a host polls it), outside the runtime, so that its budget is not ours to spend and code
//! that reaches for a runtime fails at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::activities::{EndedActivity, EndedSideEffect};
use super::admission;
use super::context::{Context, Life};
use super::exchange::{Effects, Input};
use super::first_task::{FirstTask, PendingStart};
use super::queries::Question;
use super::running::Running;
use super::shard::Shard;
use super::{claimer, committer, ended, heartbeats, lease, loader, look, timekeeper};
use crate::activity::block_on;
use crate::backend::StoreError;
use crate::host::{Home, Role, TaskHandle};
use crate::vocabulary::{FencingToken, RunId, Timestamp};

/// The most inputs that a shard takes before it acts on them.
const BURST_MAX: usize = 512;
/// How often a shutdown looks whether what ran has ended.
const SHUTDOWN_STEP: Duration = Duration::from_millis(5);

/// Starts a thread for the shard of an index; says whether it could.
type Respawn = Box<dyn Fn(usize, UnboundedReceiver<Input>) -> bool + Send + Sync>;

/// The ways into the shards, and what they tell about themselves.
pub(crate) struct Shards {
    inputs: Vec<RwLock<UnboundedSender<Input>>>,
    /// How often the thread of each shard was replaced.
    replaced: Vec<AtomicUsize>,
    /// What starts a thread for a shard in place of one that is blocked; none if the engine is hosted.
    respawn: OnceLock<Respawn>,
    /// How many runs each shard holds, and how many of them are not parked.
    held: Vec<[AtomicUsize; 2]>,
    /// When each shard's next timer is due, in microseconds; the greatest value for never.
    due: Vec<AtomicI64>,
    pub(super) due_earlier: Notify,
    /// How many inputs were sent, less those whose effects are in the world.
    unsettled: AtomicUsize,
    /// How many batches are under way.
    pub(super) carrying: AtomicUsize,
}

impl Shards {
    fn new(inputs: Vec<UnboundedSender<Input>>) -> Self {
        let held = inputs.iter().map(|_| Default::default()).collect();
        let due = inputs.iter().map(|_| AtomicI64::new(i64::MAX)).collect();
        Self {
            replaced: inputs.iter().map(|_| AtomicUsize::new(0)).collect(),
            inputs: inputs.into_iter().map(RwLock::new).collect(),
            respawn: OnceLock::new(),
            held,
            due,
            due_earlier: Notify::new(),
            unsettled: AtomicUsize::new(0),
            carrying: AtomicUsize::new(0),
        }
    }

    pub(super) fn send(&self, shard: usize, input: Input) {
        self.unsettled.fetch_add(1, Ordering::AcqRel);
        let inputs = self.inputs[shard].read().unwrap_or_else(PoisonError::into_inner);
        if inputs.send(input).is_err() {
            // A shard that has stopped holds nothing that the input could concern.
            self.unsettled.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(super) fn send_to(&self, run_id: RunId, input: Input) {
        self.send(self.shard_of(run_id), input);
    }

    fn shard_of(&self, run_id: RunId) -> usize {
        usize::try_from(run_id.0.as_u128() % self.inputs.len() as u128).unwrap_or(0)
    }

    /// Gives the shards of these runs, which block their threads, new threads that know nothing; whether there were any.
    /// What the old ones held is to be taken up again under a new lease, and what they still do counts for nothing.
    pub(super) fn replace_threads_of(&self, blocked: &[RunId]) -> bool {
        let Some(respawn) = self.respawn.get() else { return false };
        let mut any = false;
        for shard in blocked.iter().map(|run_id| self.shard_of(*run_id)) {
            let (inputs, outputs) = unbounded_channel();
            let before = self.replaced[shard].fetch_add(1, Ordering::AcqRel);
            if respawn(shard, outputs) {
                *self.inputs[shard].write().unwrap_or_else(PoisonError::into_inner) = inputs;
                any = true;
            } else {
                self.replaced[shard].store(before, Ordering::Release);
            }
        }
        any
    }

    pub(super) fn send_all(&self, input: impl Fn() -> Input) {
        (0..self.inputs.len()).for_each(|shard| self.send(shard, input()));
    }

    pub(crate) fn start(&self, pending: Arc<PendingStart>) {
        self.send_to(pending.first_task.run.run_id, Input::Start(pending));
    }

    pub(crate) fn begin(&self, first_task: FirstTask) {
        self.send_to(first_task.run.run_id, Input::Begin(Box::new(first_task)));
    }

    /// Asks a run, if it is live here.
    pub(crate) fn ask(&self, question: Question) {
        self.send_to(question.run_id, Input::Question(question));
    }

    /// Tells that a run was ended from outside.
    pub(crate) fn terminated(&self, run_id: RunId) {
        self.send_to(run_id, Input::Terminated(run_id));
    }

    pub(super) fn activity_ended(&self, ended: Box<EndedActivity>) {
        self.send_to(ended.info.run.run_id, Input::Activity(ended));
    }

    /// A grouped step has failed, and waits for its next attempt.
    pub(super) fn waits(&self, run_id: RunId, token: FencingToken) {
        self.send_to(run_id, Input::Waits(run_id, token));
    }

    pub(super) fn side_effect_ended(&self, ended: EndedSideEffect) {
        self.send_to(ended.run_id, Input::SideEffect(ended));
    }

    /// How many runs are held in all.
    pub(crate) fn held(&self) -> usize {
        self.held.iter().map(|[held, _]| held.load(Ordering::Acquire)).sum()
    }

    /// Whether nothing is held, and nothing is on its way to a shard or to the store.
    fn at_rest(&self) -> bool {
        let under_way = [&self.unsettled, &self.carrying];
        self.held() == 0 && under_way.iter().all(|count| count.load(Ordering::Acquire) == 0)
    }

    /// How many of them are not parked.
    pub(super) fn busy(&self) -> usize {
        self.held.iter().map(|[_, busy]| busy.load(Ordering::Acquire)).sum()
    }

    /// When the next timer of any shard is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let due = self.due.iter().map(|due| due.load(Ordering::Acquire)).min()?;
        (due < i64::MAX).then(|| Timestamp::from_micros(due))
    }

    /// Tells the shards whose timers are due.
    pub(super) fn tick(&self, now: Timestamp) {
        for (shard, due) in self.due.iter().enumerate() {
            if due.load(Ordering::Acquire) <= now.as_micros() {
                // The shard says anew when it is next due.
                due.store(i64::MAX, Ordering::Release);
                self.send(shard, Input::Tick);
            }
        }
    }

    fn note(&self, index: usize, shard: &Shard) {
        let [held, busy] = &self.held[index];
        held.store(shard.held(), Ordering::Release);
        busy.store(shard.busy(), Ordering::Release);
        let due = shard.next_due().map_or(i64::MAX, Timestamp::as_micros);
        if self.due[index].swap(due, Ordering::AcqRel) > due {
            self.due_earlier.notify_one();
        }
    }
}

/// How a machine tells its shard that something foreign woke its code.
#[derive(Clone)]
pub(super) struct Alarms(Weak<Shards>);

impl Alarms {
    pub(super) fn of(&self, run_id: RunId, token: FencingToken) -> Arc<dyn Fn() + Send + Sync> {
        let shards = self.0.clone();
        Arc::new(move || {
            if let Some(shards) = shards.upgrade() {
                shards.send_to(run_id, Input::Alarm(run_id, token));
            }
        })
    }
}

/// A worker that runs: its threads and its tasks. Dropping it stops all of them where they are.
pub(crate) struct Worker {
    pub(crate) cx: Arc<Context>,
    pub(crate) shards: Arc<Shards>,
    running: Arc<Running>,
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<TaskHandle>,
}

impl Worker {
    /// Registers the worker and starts its parts on the current runtime.
    ///
    /// # Errors
    /// The store's, if it does not let the worker register.
    pub(crate) async fn start(cx: Arc<Context>) -> Result<Self, StoreError> {
        lease::register(&cx, &cx.life()).await?;
        let count = cx.options.workflow_threads.max(1);
        let (inputs, outputs): (Vec<_>, Vec<_>) = (0..count).map(|_| unbounded_channel()).unzip();
        let shards = Arc::new(Shards::new(inputs));
        let running = cx.running.clone();
        running.begin_life(cx.life().worker);
        let shell = |index: usize| Shell {
            index,
            replaced: 0,
            cx: cx.clone(),
            shards: shards.clone(),
            running: running.clone(),
            runtime: matches!(cx.home, Home::Runtime).then(Handle::current),
        };
        let mut tasks = Vec::new();
        let mut threads = Vec::new();
        for (index, inputs) in outputs.into_iter().enumerate() {
            let drive = shell(index).drive(inputs, Alarms(Arc::downgrade(&shards)));
            match &cx.home {
                Home::Runtime => threads.push(on_its_own_thread(index, drive)?),
                hosted => tasks.push(hosted.spawn(Role::WorkflowTask, drive)),
            }
        }
        if matches!(cx.home, Home::Runtime) {
            let respawn = respawn(&cx, &shards, &running);
            let _ = shards.respawn.set(respawn);
        }
        let parts: [BoxFuture<'static, ()>; 5] = [
            Box::pin(lease::keep(cx.clone(), shards.clone(), running.clone())),
            Box::pin(claimer::claim_on(cx.clone(), shards.clone())),
            Box::pin(ended::watch(cx.clone(), shards.clone(), running.clone())),
            Box::pin(timekeeper::keep(cx.clone(), shards.clone())),
            Box::pin(heartbeats::carry(cx.clone(), shards.clone())),
        ];
        tasks.extend(parts.map(|part| cx.home.spawn(Role::Engine, part)));
        let admit = |_| cx.home.spawn(Role::Engine, admission::admit(cx.clone(), shards.clone()));
        tasks.extend((0..admission::tasks(&cx.home)).map(admit));
        Ok(Self { cx, shards, running, threads, tasks })
    }

    /// Stops a task when the worker stops.
    pub(crate) fn attend(&mut self, task: TaskHandle) {
        self.tasks.push(task);
    }

    /// Takes no new work, lets what runs end for as long as the grace lasts, gives everything back and retires.
    pub(crate) async fn shut_down(mut self) {
        self.cx.draining.store(true, Ordering::Release);
        self.shards.send_all(|| Input::Drain);
        let deadline = self.cx.clock.elapsed() + self.cx.options.shutdown_grace;
        while self.running.count() > 0 || !self.shards.at_rest() {
            if self.cx.clock.elapsed() >= deadline || self.cx.store_fault().is_some() {
                break;
            }
            self.cx.clock.sleep(SHUTDOWN_STEP).await;
        }
        self.stop();
        // What could not be given back is found by the next claim of another worker.
        lease::retire(&self.cx).await;
        let blocked = !self.cx.blocked().is_empty();
        // A thread whose workflow blocks it may never end; which one it is makes no difference any more.
        for thread in self.threads.drain(..).filter(|_| !blocked) {
            // A thread that panicked has said so; there is nothing left to wait for.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn stop(&mut self) {
        self.cx.draining.store(true, Ordering::Release);
        self.cx.stop();
        self.tasks.drain(..).for_each(|task| task.abort());
        self.running.end_life();
        self.shards.send_all(|| Input::Stop);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Workflow code gets a thread that no runtime has entered.
fn on_its_own_thread(
    index: usize,
    drive: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let thread = std::thread::Builder::new().name(format!("retell-workflow-{index}"));
    thread.spawn(move || block_on(drive)).map_err(|error| {
        StoreError::new(crate::backend::StoreErrorKind::Unavailable, "start a thread").because(error)
    })
}

/// How a thread is replaced: another drives a new shard of the same index.
fn respawn(cx: &Arc<Context>, shards: &Arc<Shards>, running: &Arc<Running>) -> Respawn {
    let (cx, shards, running) = (cx.clone(), Arc::downgrade(shards), running.clone());
    let runtime = Handle::current();
    Box::new(move |index, inputs| {
        let Some(shards) = shards.upgrade() else { return false };
        let alarms = Alarms(Arc::downgrade(&shards));
        let replaced = shards.replaced[index].load(Ordering::Acquire);
        let (cx, running, runtime) = (cx.clone(), running.clone(), Some(runtime.clone()));
        let shell = Shell { index, replaced, cx, shards, running, runtime };
        on_its_own_thread(index, shell.drive(inputs, alarms)).is_ok()
    })
}

/// What carries a shard's effects into the world.
struct Shell {
    index: usize,
    /// How often the thread had been replaced when this one began.
    replaced: usize,
    cx: Arc<Context>,
    shards: Arc<Shards>,
    running: Arc<Running>,
    /// What is entered to spawn; none if the engine is hosted.
    runtime: Option<Handle>,
}

impl Shell {
    async fn drive(self, mut inputs: UnboundedReceiver<Input>, alarms: Alarms) {
        let mut shard = Shard::new(self.cx.clone(), alarms.clone());
        while let Some(first) = inputs.recv().await {
            let now = self.cx.now();
            let mut taken = 0;
            let burst = || -> Option<Effects> {
                let mut next = Some(first);
                while let Some(input) = next {
                    if matches!(input, Input::Stop) {
                        return None;
                    }
                    taken += 1;
                    shard.handle(input, now);
                    next = if taken < BURST_MAX { inputs.try_recv().ok() } else { None };
                }
                Some(shard.advance(now))
            };
            let done = catch_unwind(AssertUnwindSafe(burst));
            if self.shards.replaced[self.index].load(Ordering::Acquire) != self.replaced {
                // Another thread has the shard; nothing here means anything any more.
                while inputs.try_recv().is_ok() {
                    taken += 1;
                }
                self.shards.unsettled.fetch_sub(taken, Ordering::AcqRel);
                return;
            }
            match done {
                Ok(Some(effects)) => {
                    self.shards.note(self.index, &shard);
                    self.carry(shard.life(), effects);
                }
                Ok(None) => return,
                Err(_) => shard = self.recover(alarms.clone()),
            }
            self.shards.unsettled.fetch_sub(taken, Ordering::AcqRel);
        }
    }

    /// A fault of the engine itself: what the shard knew is worth nothing. All runs are given up with the lease, and
    /// are taken up again under a new one.
    fn recover(&self, alarms: Alarms) -> Shard {
        tracing::error!(
            shard = self.index,
            "the engine panicked; its runs are taken up again under a new lease"
        );
        self.cx.life().end();
        self.cx.lease_lost.notify_one();
        Shard::new(self.cx.clone(), alarms)
    }

    fn carry(&self, life: &Arc<Life>, effects: Effects) {
        let Effects { orders, loads, looks, jobs, stops } = effects;
        stops.into_iter().for_each(|stop| self.running.stop(stop));
        let _entered = self.runtime.as_ref().map(Handle::enter);
        if !orders.is_empty() {
            committer::carry_out(self.cx.clone(), life.clone(), self.shards.clone(), self.index, orders);
        }
        for load in loads {
            self.cx.home.spawn(Role::Engine, loader::load(self.cx.clone(), self.shards.clone(), load));
        }
        for look in looks {
            let (cx, shards, running) = (self.cx.clone(), self.shards.clone(), self.running.clone());
            self.cx.home.spawn(Role::Engine, look::look(cx, shards, running, look));
        }
        admission::start(&self.cx, life, &self.shards, jobs);
    }
}
