//! The driver of one schedule: polls tasks, moves time, strikes processes down, and at last lets all come to rest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use retell::client::Client;
use retell::clock::Clock;
use retell::vocabulary::{RunKey, Timestamp};
use retell::{Engine, Orchestrator};

use super::code::Code;
use super::faults::FaultyWire;
use super::load;
use super::plan::Plan;
use super::program::{Interpreter, News, SIGNAL};
use super::report::{Broken, Figures};
use super::stage::{Site, Stage};
use crate::world::{Order, ProcessId, Wire, World};

/// When every schedule begins.
const BEGINS: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// The most bursts under faults.
const BURSTS_MAX: u32 = 2_000;
/// The most polls in a burst.
const BURST_POLLS_MAX: u32 = 60;
/// How long runs may take to end once nothing fails any more.
const SETTLES_WITHIN: Duration = Duration::from_secs(2 * 3_600);
/// How often open runs are sent a signal then, so that none waits in vain.
const SIGNAL_EVERY: Duration = Duration::from_secs(20);
/// After how many signals they are asked to cancel.
const SIGNALS_MAX: u32 = 90;
/// The most polls without time passing.
const POLLS_MAX: u64 = 1_000_000;

/// A process that runs or will.
struct Process {
    id: ProcessId,
    /// The engine, once it has started.
    engine: Arc<Mutex<Option<Engine>>>,
    /// Set when it could not start, or has shut down.
    gone: Arc<AtomicBool>,
    retires: bool,
    paused_until: Option<Duration>,
}

/// One schedule under way.
pub(super) struct Schedule {
    world: World,
    stage: Arc<Stage>,
    plan: Plan,
    lots: fastrand::Rng,
    code: Arc<Code>,
    processes: Vec<Process>,
    /// When processes that are down come up again.
    down_until: Vec<Duration>,
    /// A process without a worker.
    outsider: (ProcessId, Client),
}

impl Schedule {
    /// A world in which nothing has happened.
    pub(super) fn new(seed: u64, code: Arc<Code>, keep_links: bool) -> Self {
        let mut world = World::new(seed, BEGINS, |lots| Order::Random(lots.fork()));
        let mut lots = world.lots().fork();
        let plan = Plan::draw(&mut lots, &code.limits, &code.starts);
        let stage = Stage::new(world.clock().clone(), keep_links);
        let (shared, odds, forked) = (stage.clone(), plan.odds, lots.fork());
        let wire = |process| Arc::new(FaultyWire::new(shared, process, odds, forked)) as Arc<dyn Wire>;
        let (id, orchestrator) = world.orchestrator_with(wire);
        let outsider = (id, orchestrator.client());
        Self { world, stage, plan, lots, code, processes: Vec::new(), down_until: Vec::new(), outsider }
    }

    pub(super) fn stage(&self) -> &Arc<Stage> {
        &self.stage
    }

    pub(super) fn describe(&self) -> String {
        self.plan.describe()
    }

    /// Goes through all of it.
    pub(super) fn run(&mut self) -> Result<Figures, Broken> {
        self.stage.enter();
        for _ in 0..self.plan.processes {
            self.boot();
        }
        self.trouble()?;
        self.settle()?;
        self.stage.oracle().ends(self.world.store().as_ref(), &self.code.definitions)?;
        let oracle = self.stage.oracle();
        let mut figures = oracle.figures;
        figures.schedules = 1;
        figures.polls = self.world.polls();
        figures.virtual_seconds = self.world.clock().elapsed().as_secs();
        figures.course = oracle.course() ^ figures.polls.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Ok(figures)
    }

    fn check(&self) -> Result<(), Broken> {
        self.stage.oracle().broken().cloned().map_or(Ok(()), Err)
    }

    fn elapsed(&self) -> Duration {
        self.world.clock().elapsed()
    }

    /// Faults and load.
    fn trouble(&mut self) -> Result<(), Broken> {
        for burst in 0..BURSTS_MAX {
            self.check()?;
            if self.plan.deeds.is_empty() && burst >= self.plan.bursts {
                break;
            }
            self.strike();
            if self.lots.u32(..8) == 0
                && let Some(deed) = self.plan.deeds.pop()
            {
                let (process, client) = self.somebody();
                let task = load::perform(deed, client, self.stage.clone());
                self.world.spawn(process, task);
            }
            let polls = self.lots.u32(1..=BURST_POLLS_MAX);
            let rests = (0..polls).any(|_| !self.world.step());
            if rests || self.happens(self.plan.early_time) {
                self.pass_time();
            }
        }
        Ok(())
    }

    /// Everything goes well from here on: all runs must end.
    fn settle(&mut self) -> Result<(), Broken> {
        self.stage.calm_down();
        let end = self.elapsed() + SETTLES_WITHIN;
        let (mut signal_at, mut signals) = (self.elapsed() + SIGNAL_EVERY, 0);
        let mut closed_at = None;
        loop {
            self.bring_up(true);
            self.rest()?;
            let open: Vec<RunKey> = self.stage.oracle().open().cloned().collect();
            let now = self.elapsed();
            let unsettled = self.stage.oracle().has_unsettled();
            if open.is_empty() && !unsettled {
                // Those who wait for results hear of them.
                let until = *closed_at.get_or_insert(now + Duration::from_secs(5));
                if now >= until && self.plan.deeds.is_empty() {
                    return Ok(());
                }
            } else {
                closed_at = None;
            }
            if now >= end {
                let what = format!("{} are still open {SETTLES_WITHIN:?} after the last fault", open.len());
                let what = if unsettled { format!("{what}, others are unsettled") } else { what };
                return Err(Broken::new("H6", format!("{what}: {open:?}")));
            }
            if now >= signal_at && !open.is_empty() {
                signal_at = now + SIGNAL_EVERY;
                signals += 1;
                open.iter().for_each(|run| self.urge(run, signals));
            }
            let next = self.world.until_next().unwrap_or(Duration::from_secs(1));
            self.world.advance(next.min(Duration::from_secs(5)));
        }
    }

    /// Sends an open run what it may be waiting for.
    fn urge(&mut self, run: &RunKey, number: u32) {
        let (process, client) = self.outsider.clone();
        let id = run.workflow_id.as_str().to_owned();
        if number > SIGNALS_MAX {
            return self.world.spawn(process, Box::pin(load::cancel(id, client)));
        }
        if !self.code.starts.is_empty() {
            return;
        }
        self.world.spawn(
            process,
            Box::pin(async move {
                if let Ok(run) = client.handle(Interpreter, id) {
                    // It may have ended by now.
                    let _ = run.signal(SIGNAL, &News { sender: u32::MAX, number }).await;
                }
            }),
        );
    }

    fn rest(&mut self) -> Result<(), Broken> {
        let limit = self.world.polls() + POLLS_MAX;
        while self.world.step() {
            if self.world.polls() > limit {
                return Err(Broken::new("engine", "it does not come to rest"));
            }
        }
        self.check()
    }

    /// Lets time pass: to the next thing that is due, or not quite.
    fn pass_time(&mut self) {
        let next = self.world.until_next().unwrap_or(Duration::from_secs(1)).min(Duration::from_secs(10));
        let by = if self.lots.u32(..8) == 0 { next.mul_f64(self.lots.f64()) } else { next };
        self.world.advance(by);
        self.bring_up(false);
    }

    /// Wakes who has paused long enough, and starts who has been down long enough; all of them if `at_once`.
    fn bring_up(&mut self, at_once: bool) {
        let now = self.elapsed();
        for process in &mut self.processes {
            if process.paused_until.is_some_and(|until| at_once || until <= now) {
                process.paused_until = None;
                self.world.resume(process.id);
            }
        }
        let gone: Vec<ProcessId> = (self.processes.iter())
            .filter(|process| process.gone.load(Ordering::Relaxed))
            .map(|process| process.id)
            .collect();
        for process in gone {
            self.bury(process);
        }
        let up = self.down_until.extract_if(.., |until| at_once || *until <= now).count();
        (0..up).for_each(|_| self.boot());
    }

    /// What befalls the world now.
    fn strike(&mut self) {
        let blows = self.plan.blows;
        if self.happens(blows.kills)
            && let Some(process) = self.any_process()
        {
            let id = self.processes[process].id;
            self.stage.oracle().figures.kills += 1;
            self.stage.note(|| format!("{id} is killed"));
            self.bury(id);
        }
        if self.happens(blows.pauses)
            && let Some(process) = self.any_process()
        {
            let until = self.elapsed() + Duration::from_millis(self.lots.u64(1..20_000));
            let process = &mut self.processes[process];
            if process.paused_until.replace(until).is_none() {
                self.stage.oracle().figures.pauses += 1;
                self.stage.note(|| format!("{} is paused until {until:?}", process.id));
                self.world.pause(process.id);
            }
        }
        if self.happens(blows.shutdowns)
            && let Some(process) = self.any_process()
        {
            self.shut_down(process);
        }
        if self.happens(blows.clock_jumps) {
            self.jump();
        }
    }

    fn jump(&mut self) {
        let most = if self.lots.u32(..5) == 0 { 600_000_000 } else { 30_000_000 };
        let micros = self.lots.i64(-most..most);
        let now = self.world.clock().now();
        self.stage.oracle().jumped = true;
        self.stage.oracle().figures.clock_jumps += 1;
        self.stage.note(|| format!("the wall clock jumps by {micros} us"));
        self.world.clock().set_wall(Timestamp::from_micros(now.as_micros() + micros));
        self.stage.judge(|_, _| Ok(()));
    }

    fn shut_down(&mut self, index: usize) {
        let process = &mut self.processes[index];
        let Some(engine) = process.engine.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        process.retires = true;
        let (id, gone) = (process.id, process.gone.clone());
        self.stage.oracle().figures.shutdowns += 1;
        self.stage.note(|| format!("{id} shuts down"));
        self.world.spawn(
            id,
            Box::pin(async move {
                engine.shutdown().await;
                gone.store(true, Ordering::Relaxed);
            }),
        );
    }

    fn happens(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.lots.u32(..1_000) < per_mille
    }

    fn any_process(&mut self) -> Option<usize> {
        (!self.processes.is_empty()).then(|| self.lots.usize(..self.processes.len()))
    }

    /// A process with a client: one with a worker, or the one without.
    fn somebody(&mut self) -> (ProcessId, Client) {
        let chosen = self.any_process().filter(|_| self.lots.u32(..4) > 0).and_then(|index| {
            let process = &self.processes[index];
            let engine = process.engine.lock().unwrap_or_else(PoisonError::into_inner);
            engine.as_ref().map(|engine| (process.id, engine.client().clone()))
        });
        chosen.unwrap_or_else(|| self.outsider.clone())
    }

    /// Starts a process.
    fn boot(&mut self) {
        let (stage, odds, lots) = (self.stage.clone(), self.plan.odds, self.lots.fork());
        let wire = |process| Arc::new(FaultyWire::new(stage, process, odds, lots)) as Arc<dyn Wire>;
        let (id, orchestrator) = self.world.orchestrator_with(wire);
        let site = Site { stage: self.stage.clone(), process: id };
        let orchestrator = self.code.register(orchestrator.options(self.plan.options.clone()), &site);
        let (engine, gone) = (Arc::<Mutex<Option<Engine>>>::default(), Arc::<AtomicBool>::default());
        let task = start(orchestrator, engine.clone(), gone.clone());
        self.world.spawn(id, Box::pin(task));
        self.processes.push(Process { id, engine, gone, retires: false, paused_until: None });
    }

    /// Takes a process away, dead or at its end, and sees to it that another comes.
    fn bury(&mut self, id: ProcessId) {
        let Some(index) = self.processes.iter().position(|process| process.id == id) else { return };
        let process = self.processes.swap_remove(index);
        let engine = process.engine.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.world.kill(id, engine);
        let after = self.lots.u64(..if process.retires { 3_000 } else { 15_000 });
        self.down_until.push(self.elapsed() + Duration::from_millis(after));
    }
}

async fn start(orchestrator: Orchestrator, engine: Arc<Mutex<Option<Engine>>>, gone: Arc<AtomicBool>) {
    match orchestrator.start().await {
        Ok(started) => *engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(started),
        Err(_) => gone.store(true, Ordering::Relaxed),
    }
}
