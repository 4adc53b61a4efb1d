//! The stage: what all of a schedule share, and what one process brings along.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use retell::activity::{ActivityContext, ActivityDefinition, ActivityInfo, ActivityRun};
use retell::clock::{Clock, ManualClock};
use retell::vocabulary::{Failure, Payload, RunId};

use super::oracle::{Now, Oracle};
use super::report::Broken;
use crate::world::ProcessId;

/// How many of the last things on the links are kept.
const LINKS_MAX: usize = 400;
/// How many of them from the time after the last fault.
const CALM_LINKS_MAX: usize = 150;

thread_local! {
    /// The stage of the schedule that goes on on this thread: a side effect's closure is given nothing to find it by.
    static ON_STAGE: RefCell<Option<Arc<Stage>>> = const { RefCell::new(None) };
}

/// Calls this with the stage of the schedule that goes on on this thread.
pub(super) fn on_stage(act: impl FnOnce(&Stage)) {
    let stage = ON_STAGE.with_borrow(Clone::clone);
    if let Some(stage) = stage {
        act(&stage);
    }
}

/// What all of a schedule share. Used from one thread.
pub(super) struct Stage {
    pub(super) clock: ManualClock,
    oracle: Mutex<Oracle>,
    /// How often a run has panicked at a place of its program.
    stumbled: Mutex<HashMap<(RunId, u64), u32>>,
    /// Set when faults have ceased.
    calm: AtomicBool,
    /// How many lines may still be kept after that: a world in which nothing happens any more says nothing new.
    lines_left: AtomicUsize,
    /// The last things on the links, if somebody is to read them.
    links: Option<Mutex<VecDeque<String>>>,
}

impl Stage {
    pub(super) fn new(clock: ManualClock, keep_links: bool) -> Arc<Self> {
        let links = keep_links.then(Mutex::default);
        Arc::new(Self {
            clock,
            oracle: Mutex::default(),
            stumbled: Mutex::default(),
            calm: AtomicBool::new(false),
            lines_left: AtomicUsize::new(CALM_LINKS_MAX),
            links,
        })
    }

    /// Makes this the stage of what goes on on this thread.
    pub(super) fn enter(self: &Arc<Self>) {
        ON_STAGE.set(Some(self.clone()));
    }

    pub(super) fn oracle(&self) -> MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the oracle about something that happens now.
    pub(super) fn judge(&self, ask: impl FnOnce(&mut Oracle, Now) -> Result<(), Broken>) {
        let now = self.now();
        let mut oracle = self.oracle();
        oracle.clock_stands_at(now);
        let verdict = ask(&mut oracle, now);
        oracle.judge(verdict);
    }

    pub(super) fn now(&self) -> Now {
        Now { wall: self.clock.now(), elapsed: self.clock.elapsed() }
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// From now on nothing fails.
    pub(super) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Whether a run panics once more at this place: so many times, and never after the last fault.
    pub(super) fn stumbles(&self, run_id: RunId, label: u64, times: u32) -> bool {
        let mut stumbled = self.stumbled.lock().unwrap_or_else(PoisonError::into_inner);
        let count = stumbled.entry((run_id, label)).or_default();
        let stumbles = *count < times && !self.is_calm();
        *count += u32::from(stumbles);
        stumbles
    }

    /// Keeps a line about the links, if somebody is to read it.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let Some(links) = &self.links else { return };
        if self.is_calm() {
            let left = self.lines_left.load(Ordering::Relaxed);
            if left == 0 {
                return;
            }
            self.lines_left.store(left - 1, Ordering::Relaxed);
        }
        let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() == LINKS_MAX {
            links.pop_front();
        }
        links.push_back(format!("{:>9.3}s {}", self.clock.elapsed().as_secs_f64(), line()));
    }

    /// The lines that were kept.
    pub(super) fn links(&self) -> Vec<String> {
        let links = self.links.as_ref().map(|links| links.lock().unwrap_or_else(PoisonError::into_inner));
        links.map(|links| links.iter().cloned().collect()).unwrap_or_default()
    }
}

/// Where the bodies of one process run.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) stage: Arc<Stage>,
    pub(super) process: ProcessId,
}

impl Site {
    /// The activity, with each of its attempts told to the oracle. One that blocks does so where it is polled.
    pub(super) fn watched(self, definition: ActivityDefinition) -> ActivityDefinition {
        let name = definition.name().clone();
        ActivityDefinition::untyped(name, move |cx: ActivityContext, input| {
            let (site, definition) = (self.clone(), definition.clone());
            async move {
                let body = site.begin(cx.info());
                let result = match definition.start(cx, &input) {
                    ActivityRun::Async(future) => future.await,
                    ActivityRun::Blocking(call) => call(),
                };
                body.end(&result);
                result
            }
            .boxed()
        })
    }

    /// Tells the oracle that a body begins.
    pub(super) fn begin(&self, info: &ActivityInfo) -> BodyWatch {
        self.stage.note(|| {
            format!("{} body of attempt {} of {} {}", self.process, info.attempt, info.run, info.scheduled)
        });
        self.stage.judge(|oracle, now| oracle.begins(self.process, info, now));
        BodyWatch { site: self.clone(), info: info.clone() }
    }
}

/// Tells the oracle how a body ends: by its end, or by being dropped before.
pub(super) struct BodyWatch {
    site: Site,
    info: ActivityInfo,
}

impl BodyWatch {
    pub(super) fn end(&self, result: &Result<Payload, Failure>) {
        let stage = &self.site.stage;
        let now = stage.now();
        stage.oracle().body_ended(&self.info, result, now);
    }
}

impl Drop for BodyWatch {
    fn drop(&mut self) {
        self.site.stage.oracle().body_dropped(self.site.process, &self.info);
    }
}
