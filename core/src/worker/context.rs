//! What all parts of a worker share.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use tokio::sync::{Notify, watch};

use super::answers::Answers;
use super::closings::Closings;
use super::heartbeats::Pulses;
use super::options::WorkerOptions;
use super::polls::{BlockedTask, Polls};
use super::registry::Registry;
use super::running::Running;
use super::slots::Slots;
use crate::activity::ActivityDefinition;
use crate::backend::{Backend, StoreError};
use crate::clock::Clock;
use crate::history::{CodecError, PayloadCodec};
use crate::host::Home;
use crate::vocabulary::{ActivityName, Failure, Namespace, TaskQueue, Timestamp, WorkerId, WorkflowType};

/// What all parts of a worker share. Nothing in it is held across an await.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: Home,
    pub(crate) codec: Arc<dyn PayloadCodec>,
    pub(crate) namespace: Namespace,
    pub(crate) task_queue: TaskQueue,
    pub(crate) registry: Registry,
    pub(crate) options: WorkerOptions,
    pub(crate) closings: Arc<Closings>,
    pub(crate) answers: Arc<Answers>,
    /// What the workflow threads are busy with.
    pub(super) polls: Polls,
    /// The bodies that run here.
    pub(super) running: Arc<Running>,
    /// What they say of themselves.
    pub(super) pulses: Arc<Pulses>,
    /// Slots for async activities, and for blocking ones.
    pub(super) slots: [Arc<Slots>; 2],
    /// Told when a slot is free and a job stands in line for it.
    pub(super) slot_freed: Arc<Notify>,
    /// Asks the claimer to claim again, although the store has not changed.
    pub(super) nudge: Arc<Notify>,
    /// Told when the lease turns out to be lost.
    pub(super) lease_lost: Notify,
    /// Set when no new work is taken any more.
    pub(super) draining: AtomicBool,
    /// True when the worker has ended.
    stopped: watch::Sender<bool>,
    /// The store's time less this process's, in microseconds.
    store_ahead_micros: AtomicI64,
    store_fault: Mutex<Option<StoreError>>,
    life: Mutex<Arc<Life>>,
}

/// One lease of a worker, from its registration until it is lost.
#[derive(Debug)]
pub(super) struct Life {
    /// The worker's ID in this life.
    pub(super) worker: WorkerId,
    /// When the lease runs out, in microseconds of the clock's elapsed time; 0 before it has begun, and when it is over.
    deadline_micros: AtomicU64,
}

impl Life {
    /// A life under a new ID, whose lease has not begun.
    pub(super) fn fresh(home: &Home) -> Arc<Self> {
        Arc::new(Self { worker: WorkerId(home.fresh_id()), deadline_micros: AtomicU64::new(0) })
    }

    /// Begins the lease.
    pub(super) fn begin(&self, until: Duration) {
        self.deadline_micros.store(micros(until), Ordering::Release);
    }

    /// Moves the end of the lease; `false` if it is over. It stays over once anybody has found it so: what was not begun
    /// for that reason would never begin.
    pub(super) fn prolong(&self, until: Duration) -> bool {
        let later = |deadline: u64| (deadline > 0).then(|| deadline.max(micros(until)));
        self.deadline_micros.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).is_ok()
    }

    /// Ends the lease.
    pub(super) fn end(&self) {
        self.deadline_micros.store(0, Ordering::Release);
    }

    /// How long the lease still holds at this elapsed time.
    pub(super) fn left_at(&self, elapsed: Duration) -> Duration {
        Duration::from_micros(self.deadline_micros.load(Ordering::Acquire)).saturating_sub(elapsed)
    }

    /// Whether the lease still holds at this elapsed time. If it does not, it never will again.
    pub(super) fn holds_at(&self, elapsed: Duration) -> bool {
        let over = |deadline: u64| (elapsed.as_micros() >= u128::from(deadline)).then_some(0);
        self.deadline_micros.fetch_update(Ordering::AcqRel, Ordering::Acquire, over).is_err()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The seams and names that a context is made of.
#[derive(Debug)]
pub(crate) struct Seams {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: Home,
    pub(crate) codec: Arc<dyn PayloadCodec>,
    pub(crate) closings: Arc<Closings>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) namespace: Namespace,
    pub(crate) task_queue: TaskQueue,
}

impl Context {
    pub(crate) fn new(seams: Seams, registry: Registry, options: WorkerOptions) -> Self {
        let nudge = Arc::new(Notify::new());
        let slot_freed = Arc::new(Notify::new());
        let slots = [options.activity_slots, options.blocking_activity_slots]
            .map(|count| Slots::new(count, slot_freed.clone(), nudge.clone()));
        let life = Life::fresh(&seams.home);
        let running = Arc::new(Running::default());
        Self {
            pulses: Pulses::new(seams.clock.clone(), running.clone()),
            running,
            backend: seams.backend,
            clock: seams.clock,
            home: seams.home,
            codec: seams.codec,
            namespace: seams.namespace,
            task_queue: seams.task_queue,
            closings: seams.closings,
            answers: seams.answers,
            registry,
            options,
            polls: Polls::default(),
            slots,
            slot_freed,
            nudge,
            lease_lost: Notify::new(),
            draining: AtomicBool::new(false),
            stopped: watch::Sender::new(false),
            store_ahead_micros: AtomicI64::new(0),
            store_fault: Mutex::new(None),
            life: Mutex::new(life),
        }
    }

    /// The store's time, as far as this process knows it.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = self.store_ahead_micros.load(Ordering::Relaxed);
        Timestamp::from_micros(self.clock.now().as_micros().saturating_add(ahead))
    }

    /// Resolves when the store's time, as far as this process knows it, has reached `due`.
    pub(super) fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let ahead = self.store_ahead_micros.load(Ordering::Relaxed);
        self.clock.sleep_until(Timestamp::from_micros(due.as_micros().saturating_sub(ahead)))
    }

    /// Learns the store's time from its answer to a question that was asked at `asked` by this process's clock.
    ///
    /// The clocks agree as far as the answer lies between question and now.
    pub(super) fn learn_time(&self, asked: Timestamp, store: Timestamp) {
        let here = store.clamp(asked, self.clock.now().max(asked));
        let ahead = store.as_micros().saturating_sub(here.as_micros());
        self.store_ahead_micros.store(ahead, Ordering::Relaxed);
    }

    /// The workflow tasks that have been found to block their threads.
    pub(crate) fn blocked(&self) -> Vec<BlockedTask> {
        self.polls.blocked()
    }

    /// Whether no new work is taken any more.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether the worker has stopped: nothing is tried again.
    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Ends all that tries again.
    pub(super) fn stop(&self) {
        self.draining.store(true, Ordering::Release);
        self.stopped.send_replace(true);
    }

    /// Waits before something is tried again, no longer than the worker lives.
    pub(super) async fn nap(&self, duration: Duration) {
        let mut stopped = self.stopped.subscribe();
        let stopped = std::pin::pin!(stopped.wait_for(|stopped| *stopped));
        match select(self.clock.sleep(duration), stopped).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }

    /// A failure as the store keeps it: its details have passed the codec.
    ///
    /// # Errors
    /// The codec's.
    pub(super) fn outward(&self, mut failure: Failure) -> Result<Failure, CodecError> {
        failure.details = failure.details.map(|details| self.codec.encode(details)).transpose()?;
        Ok(failure)
    }

    /// The reverse of [`outward`](Self::outward).
    ///
    /// # Errors
    /// The codec's.
    pub(super) fn inward(&self, mut failure: Failure) -> Result<Failure, CodecError> {
        failure.details = failure.details.map(|details| self.codec.decode(details)).transpose()?;
        Ok(failure)
    }

    /// The current life.
    pub(super) fn life(&self) -> Arc<Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_life(&self, life: Arc<Life>) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = life;
    }

    /// This worker, if it would run such a workflow of this queue now.
    pub(crate) fn owner_of(&self, workflow: &WorkflowType, queue: &TaskQueue) -> Option<WorkerId> {
        let life = self.life();
        let serves = *queue == self.task_queue
            && self.registry.workflows.contains_key(workflow)
            && !self.is_draining()
            && life.holds_at(self.clock.elapsed());
        serves.then_some(life.worker)
    }

    /// How many activity bodies run here, and how many calls stand in line for a slot.
    pub(crate) fn activities(&self) -> [usize; 2] {
        let [[running, waiting], [blocking, waiting_to_block]] =
            self.slots.each_ref().map(|slots| slots.counts());
        [running + blocking, waiting + waiting_to_block]
    }

    /// Which of the two sorts of slots an activity takes, if it is served here.
    pub(super) fn sort_of(&self, activity: &ActivityName) -> Option<usize> {
        let definition = self.registry.activities.get(activity)?;
        Some(usize::from(definition.blocking()))
    }

    /// Whether the calls of an activity have a row from the start, as far as this worker knows it.
    pub(super) fn is_transactional(&self, activity: &ActivityName) -> bool {
        self.registry.activities.get(activity).is_some_and(ActivityDefinition::transactional)
    }

    /// Keeps a store's fault for people to see, until the store answers again.
    pub(crate) fn store_failed(&self, error: &StoreError) {
        let mut fault = self.store_fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.is_none() {
            tracing::warn!(%error, "the store does not answer; trying again");
        }
        *fault = Some(error.clone());
    }

    /// Notes that the store answers.
    pub(crate) fn store_answered(&self) {
        let mut fault = self.store_fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.take().is_some() {
            tracing::info!("the store answers again");
        }
    }

    /// The store's fault, while it lasts.
    pub(crate) fn store_fault(&self) -> Option<StoreError> {
        self.store_fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
