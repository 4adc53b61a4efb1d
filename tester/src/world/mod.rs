//! The world: engines as they are, on one thread, one clock and one store, in an order that a seed determines.
//!
//! There is no second engine here. A process is an [`Engine`] on a host of its own, whose tasks the [`Executor`]
//! polls; time stands still until someone moves it. The tester, the explorer and the simulation drive this one world.

mod executor;
mod host;
mod link;
mod real;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use retell::backend::Backend;
use retell::clock::{Clock, ManualClock};
use retell::vocabulary::Timestamp;
use retell::{Engine, Orchestrator};
use retell_memory::Memory;

use executor::Executor;
use host::ProcessHost;

pub(crate) use executor::{Order, ProcessId};
pub(crate) use host::Lots;
pub(crate) use link::{Done, Link, Request, Wire};
pub(crate) use real::RealCode;

/// Where nothing lives but the engine's own housekeeping: time is never moved so far for it.
pub(crate) const HORIZON: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 1_000);
/// Longer than the horizon: what never happens unless it is made to.
pub(crate) const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 10_000);
/// The most polls between two moves of time: an engine that does not come to rest is at fault.
const POLLS_MAX: u64 = 1_000_000;
/// How long real code may run, in real time, while the world waits for it.
const REAL_CODE_MAX: Duration = Duration::from_secs(60);

/// Engines, a clock and a store.
pub(crate) struct World {
    clock: ManualClock,
    store: Arc<dyn Backend>,
    executor: Executor,
    lots: Lots,
    real: RealCode,
    began: Duration,
    /// Whose tasks are not polled.
    paused: Vec<ProcessId>,
    processes: u32,
}

/// Why a future of the driver did not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// Nothing is woken and nothing is due.
    AtRest,
    /// Real code has run for so long.
    RealCode(Vec<String>),
    /// The world does not come to rest.
    Restless,
}

impl World {
    /// An empty world at `now`, whose course this seed and this order determine.
    pub(crate) fn new(seed: u64, now: Timestamp, order: impl FnOnce(&Lots) -> Order) -> Self {
        let (clock, lots) = (ManualClock::at(now), Lots::from_seed(seed));
        Self {
            store: Arc::new(Memory::with_clock(Arc::new(clock.clone()))),
            executor: Executor::new(order(&lots)),
            began: clock.elapsed(),
            clock,
            lots,
            real: RealCode::default(),
            paused: Vec::new(),
            processes: 0,
        }
    }

    pub(crate) fn clock(&self) -> &ManualClock {
        &self.clock
    }

    pub(crate) fn lots(&self) -> &Lots {
        &self.lots
    }

    /// What counts the real code that runs, so that time stands still for it.
    pub(crate) fn real(&self) -> &RealCode {
        &self.real
    }

    /// The store itself, as nothing disturbs it. What it answers is there at the first poll.
    pub(crate) fn store(&self) -> &Arc<dyn Backend> {
        &self.store
    }

    /// How many polls there were.
    pub(crate) fn polls(&self) -> u64 {
        self.executor.polls()
    }

    /// An orchestrator for a process that has not begun: on the store over this wire, on the world's clock and executor.
    pub(crate) fn orchestrator(&mut self, wire: Arc<dyn Wire>) -> (ProcessId, Orchestrator) {
        self.processes += 1;
        let process = ProcessId(self.processes);
        let host = ProcessHost {
            process,
            spawner: self.executor.spawner().clone(),
            clock: self.clock.clone(),
            lots: self.lots.clone(),
        };
        let link = Link::new(self.store.clone(), wire);
        (process, Orchestrator::new(link).clock(self.clock.clone()).host(host))
    }

    /// As [`orchestrator`](Self::orchestrator), over a wire that knows whose it is.
    pub(crate) fn orchestrator_with(
        &mut self,
        wire: impl FnOnce(ProcessId) -> Arc<dyn Wire>,
    ) -> (ProcessId, Orchestrator) {
        let wire = wire(ProcessId(self.processes + 1));
        self.orchestrator(wire)
    }

    /// Gives a process a task beside those of its engine.
    pub(crate) fn spawn(&self, process: ProcessId, task: BoxFuture<'static, ()>) {
        self.executor.spawner().spawn(process, task);
    }

    /// Does all that can be done without time passing, and without waiting for real code.
    ///
    /// # Errors
    /// [`Stuck::Restless`] if there is no end to it.
    pub(crate) fn rest(&mut self) -> Result<(), Stuck> {
        let limit = self.executor.polls() + POLLS_MAX;
        while self.step() {
            if self.executor.polls() > limit {
                return Err(Stuck::Restless);
            }
        }
        Ok(())
    }

    /// Polls one task, if one is woken.
    pub(crate) fn step(&mut self) -> bool {
        let paused = &self.paused;
        self.executor.step(|process| !paused.contains(&process))
    }

    /// How far time must be moved for something to happen; `None` if nothing ever will by itself.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let left = (self.began + HORIZON).saturating_sub(self.clock.elapsed());
        self.clock.until_next().filter(|next| *next <= left)
    }

    /// Moves time on.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    /// Rests, and waits for real code that runs, in real time, until there is none.
    ///
    /// # Errors
    /// [`Stuck`], but never [`Stuck::AtRest`].
    pub(crate) fn rest_with_real_code(&mut self) -> Result<(), Stuck> {
        loop {
            self.rest()?;
            if self.real.is_none() {
                return Ok(());
            }
            if !self.executor.wait(REAL_CODE_MAX) {
                return Err(Stuck::RealCode(self.real.names()));
            }
        }
    }

    /// Polls a future of the driver together with the world, without time passing.
    ///
    /// # Errors
    /// [`Stuck`] if the world has come to rest and the future has not ended.
    pub(crate) fn finish<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Stuck> {
        let mut future = pin!(future);
        let waker = self.executor.driver();
        let limit = self.executor.polls() + POLLS_MAX;
        loop {
            if self.executor.take_driver_wake() {
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Ok(output);
                }
            } else if self.step() {
                if self.executor.polls() > limit {
                    return Err(Stuck::Restless);
                }
            } else if self.real.is_none() {
                return Err(Stuck::AtRest);
            } else if !self.executor.wait(REAL_CODE_MAX) {
                return Err(Stuck::RealCode(self.real.names()));
            }
        }
    }

    /// Starts the engine of a process that [`orchestrator`](Self::orchestrator) has prepared.
    ///
    /// # Errors
    /// [`Stuck`] if the store does not answer.
    ///
    /// # Panics
    /// If the engine refuses to start.
    pub(crate) fn start(&mut self, orchestrator: Orchestrator) -> Result<Engine, Stuck> {
        Ok(self.finish(orchestrator.start())?.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Kills a process: nothing of it is ever polled again.
    pub(crate) fn kill(&mut self, process: ProcessId, engine: Option<Engine>) {
        self.resume(process);
        drop(engine);
        self.executor.kill(process);
    }

    /// Pauses a process, as a stop signal or a swapped-out machine would.
    pub(crate) fn pause(&mut self, process: ProcessId) {
        self.paused.push(process);
    }

    pub(crate) fn resume(&mut self, process: ProcessId) {
        self.paused.retain(|paused| *paused != process);
    }

    /// What the store answers at once.
    ///
    /// # Panics
    /// If it does not, or if it fails: the memory store does neither.
    pub(crate) fn read<T>(answer: impl Future<Output = Result<T, retell::backend::StoreError>>) -> T {
        let answer = answer.now_or_never().expect("the memory store answers at once");
        answer.unwrap_or_else(|error| panic!("the memory store reads: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use retell::client::IdConflict;
    use retell::prelude::*;
    use retell::worker::WorkerOptions;

    use super::*;

    struct Quiet;

    impl Wire for Quiet {}

    #[retell::activity]
    async fn double(_cx: ActivityContext, number: u64) -> Result<u64, ActivityError> {
        Ok(2 * number)
    }

    #[retell::workflow]
    async fn year(cx: WorkflowContext, number: u64) -> WorkflowResult<u64> {
        for _ in 0..365 {
            cx.sleep(Duration::from_secs(24 * 3_600)).await?;
        }
        Ok(cx.activity(double, &number).await?)
    }

    fn run(order: impl FnOnce(&Lots) -> Order) -> (u64, u64, Timestamp) {
        let mut world = World::new(7, Timestamp::from_micros(0), order);
        let mut options = WorkerOptions::default();
        (options.lease, options.claim_interval, options.workflow_threads) = (NEVER, NEVER, 1);
        let (_, orchestrator) = world.orchestrator(Arc::new(Quiet));
        let engine = world.start(orchestrator.options(options).workflow(year).activity(double)).unwrap();
        let start = engine.start(year, "year", 21).id_conflict(IdConflict::Reject).into_future();
        let run = world.finish(start).unwrap().unwrap();
        loop {
            match world.finish(run.result()) {
                Ok(result) => return (result.unwrap(), world.polls(), world.clock().now()),
                Err(stuck) => {
                    assert_eq!(stuck, Stuck::AtRest);
                    let next = world.until_next().unwrap();
                    world.advance(next);
                }
            }
        }
    }

    #[test]
    fn a_year_passes_as_its_seed_says() {
        let (result, polls, now) = run(|_| Order::Oldest);
        assert_eq!(result, 42);
        assert!(now.as_micros() >= 365 * 24 * 3_600 * 1_000_000);
        assert_eq!(run(|_| Order::Oldest).1, polls);
        let began = std::time::Instant::now();
        let random = run(|lots| Order::Random(lots.fork()));
        println!("{:?}, {} polls", began.elapsed(), random.1);
        assert_eq!(random, run(|lots| Order::Random(lots.fork())));
    }
}
