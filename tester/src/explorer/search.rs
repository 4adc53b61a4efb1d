//! The search: schedules by the length of their scripts, then samples of what is beyond.
//!
//! A schedule is told by the choices that it takes, as indices; it ends with a tail of zeros, the default course, which
//! need not be told. So each schedule has one shortest telling, and telling them all by length tries each once.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use retell::vocabulary::RequestId;

use super::choice::{Choice, Cost};
use super::report::{Exploration, Violation};
use super::stage::{Broken, Happened, Stage};
use super::{Explorer, PROGRESS_EVERY, shrink};

/// How many schedules are tried before what came of them is looked at.
const BATCH: usize = 256;

/// Which choice is taken at each rest, as far as it is not the first.
pub(super) type Path = Vec<usize>;

/// What came of a schedule.
pub(super) struct Walked {
    /// The choices that were taken, with their indices.
    pub(super) taken: Vec<(usize, Choice)>,
    /// What could have happened at each rest.
    offered: Vec<Vec<Choice>>,
    /// What each step has done; one in which something broke is missing.
    happened: Vec<Happened>,
    pub(super) broken: Option<Broken>,
    /// The histories and calls, if something is broken.
    pub(super) told: String,
    mingled: bool,
}

/// Who says what happens next.
pub(super) trait Guide {
    /// The index of the choice to take at this step; anything too large is the default.
    fn choose(&mut self, step: usize, offered: &[Choice]) -> usize;
}

impl Guide for &Path {
    fn choose(&mut self, step: usize, offered: &[Choice]) -> usize {
        self.get(step).copied().filter(|index| *index < offered.len()).unwrap_or(0)
    }
}

/// Draws lots.
struct Lots(fastrand::Rng);

impl Guide for Lots {
    fn choose(&mut self, _step: usize, offered: &[Choice]) -> usize {
        // Crashes and the like are many and rare: half of the lots are for what needs nothing of the kind.
        let plain = offered.iter().filter(|choice| choice.cost() == Cost::Nothing).count();
        let bound = if plain > 0 && self.0.bool() { plain } else { offered.len() };
        self.0.usize(..bound.max(1))
    }
}

/// Runs one schedule.
pub(super) fn walk(explorer: &Explorer, mut guide: impl Guide) -> Walked {
    let mut walked = Walked {
        taken: Vec::new(),
        offered: Vec::new(),
        happened: Vec::new(),
        broken: None,
        told: String::new(),
        mingled: false,
    };
    let mut stage = match Stage::set(explorer) {
        Ok(stage) => stage,
        Err(broken) => {
            walked.broken = Some(broken);
            return walked;
        }
    };
    let ended = loop {
        let offered = stage.choices();
        if offered.is_empty() {
            break stage.end();
        }
        let index = guide.choose(walked.taken.len(), &offered);
        let choice = offered[index].clone();
        walked.offered.push(offered);
        let happened = stage.take(&choice);
        walked.taken.push((index, choice));
        match happened {
            Ok(happened) => walked.happened.push(happened),
            Err(broken) => break Err(broken),
        }
    };
    if let Err(broken) = ended {
        walked.told = stage.told();
        walked.broken = Some(broken);
    }
    walked.mingled = stage.mingled;
    walked
}

/// Tries all schedules, the shortest scripts first, as far as the limits allow; then samples.
pub(super) fn explore(explorer: &Explorer) -> Result<Exploration, Box<Violation>> {
    let mut all_orders = explorer.limits.all_orders;
    loop {
        match tell_all(explorer, all_orders)? {
            Told::Done(exploration) => return Ok(exploration),
            Told::Mingled => all_orders = true,
        }
    }
}

enum Told {
    Done(Exploration),
    /// Workflows speak to each other, so that their order matters.
    Mingled,
}

fn tell_all(explorer: &Explorer, all_orders: bool) -> Result<Told, Box<Violation>> {
    let mut waiting: BTreeMap<usize, VecDeque<Path>> = BTreeMap::new();
    waiting.entry(0).or_default().push_back(Vec::new());
    let mut progress = Progress::new();
    let mut done = Exploration { schedules: 0, script_max: 0, steps_max: 0, samples: 0, seed: None };
    loop {
        let left = explorer.limits.schedules_max.saturating_sub(done.schedules);
        let paths = next(&mut waiting, left.min(BATCH));
        if paths.is_empty() && waiting.is_empty() {
            return Ok(Told::Done(done));
        }
        if paths.is_empty() {
            return sample(explorer, done, progress).map(Told::Done);
        }
        for (path, walked) in paths.iter().zip(walk_all(explorer, &paths)) {
            done.note(path.len(), walked.taken.len());
            progress.show(&done, waiting.values().map(VecDeque::len).sum());
            let script = walked_script(&walked, path.len());
            if let Some(mut violation) = Violation::of(explorer, script, &walked, None) {
                violation.schedules = done.schedules;
                return Err(violation);
            }
            if walked.mingled && !all_orders {
                return Ok(Told::Mingled);
            }
            for child in children(path, &walked, all_orders) {
                waiting.entry(child.len()).or_default().push_back(child);
            }
        }
    }
}

/// Takes so many of the shortest scripts out, all of one length.
fn next(waiting: &mut BTreeMap<usize, VecDeque<Path>>, count: usize) -> Vec<Path> {
    let Some(mut shortest) = waiting.first_entry() else { return Vec::new() };
    let count = count.min(shortest.get().len());
    let paths = shortest.get_mut().drain(..count).collect();
    if shortest.get().is_empty() {
        shortest.remove();
    }
    paths
}

/// Runs schedules on all cores; what came of each, in their order.
fn walk_all(explorer: &Explorer, paths: &[Path]) -> Vec<Walked> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(paths.len());
    if threads < 2 {
        return paths.iter().map(|path| walk(explorer, path)).collect();
    }
    let (next, walked) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(index) else { return };
            let came = walk(explorer, path);
            walked.lock().unwrap_or_else(PoisonError::into_inner).insert(index, came);
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    walked.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// The schedules that are told by this one's script and one deviation more.
fn children(path: &Path, walked: &Walked, all_orders: bool) -> Vec<Path> {
    let mut children = interrupted(path, walked);
    for step in path.len()..walked.taken.len() {
        if !all_orders && step > path.len() && is_swapped(walked, step - 1) {
            // What follows is told by the schedule with these two the other way round.
            break;
        }
        for index in 1..walked.offered[step].len() {
            if matches!(walked.offered[step][index], Choice::Overtaken(..) | Choice::Unstored(..)) {
                continue;
            }
            if !all_orders && step > 0 && swaps(walked, step, index) {
                continue;
            }
            let mut child = path.clone();
            child.resize(step, 0);
            child.push(index);
            children.push(child);
        }
    }
    children
}

/// The schedules that differ from this one in what happens before a commit of one step is stored: a message overtakes one
/// that closes a run, or the worker dies before one that is not the first. What overtakes another commit comes after it
/// all the same, and what dies before the first has died before the step, which other schedules tell.
fn interrupted(path: &Path, walked: &Walked) -> Vec<Path> {
    let mut children = Vec::new();
    for step in path.len().saturating_sub(1)..walked.happened.len() {
        let Happened { closes, commits } = walked.happened[step];
        let (_, taken) = &walked.taken[step];
        for (index, offered) in walked.offered[step].iter().enumerate() {
            let differs = match offered {
                Choice::Overtaken(choice, _) => closes && **choice == *taken,
                Choice::Unstored(choice, commit) => *commit as u64 <= commits && **choice == *taken,
                _ => false,
            };
            if differs {
                let mut child = path.clone();
                child.resize(step, 0);
                child.push(index);
                children.push(child);
            }
        }
    }
    children
}

/// Whether the choice taken at a step and the one before it stand in the order that is not told.
fn is_swapped(walked: &Walked, step: usize) -> bool {
    step > 0 && swaps(walked, step, walked.taken[step].0)
}

/// Whether taking this choice at this step only swaps it with the one before: they concern different workflow IDs, and
/// it could have gone first, with a smaller index.
fn swaps(walked: &Walked, step: usize, index: usize) -> bool {
    let (before_index, before) = &walked.taken[step - 1];
    let choice = &walked.offered[step][index];
    let (Some(one), Some(other)) = (before.concerns(), choice.concerns()) else { return false };
    one != other
        && walked.offered[step - 1]
            .iter()
            .position(|offered| offered == choice)
            .is_some_and(|at| at < *before_index)
}

fn sample(
    explorer: &Explorer,
    mut done: Exploration,
    mut progress: Progress,
) -> Result<Exploration, Box<Violation>> {
    let seed = explorer.limits.seed.unwrap_or_else(|| RequestId::fresh().0.as_u64_pair().1);
    done.seed = Some(seed);
    let mut seeds = fastrand::Rng::with_seed(seed);
    for _ in 0..explorer.limits.samples {
        let walked = walk(explorer, Lots(seeds.fork()));
        done.samples += 1;
        progress.show(&done, 0);
        if let Some(broken) = &walked.broken {
            let path: Path = walked.taken.iter().map(|(index, _)| *index).collect();
            let (path, walked) = shrink::shrink(explorer, path, &broken.what);
            let script = walked_script(&walked, path.len());
            if let Some(mut violation) = Violation::of(explorer, script, &walked, Some(seed)) {
                violation.schedules = done.schedules + done.samples;
                return Err(violation);
            }
        }
    }
    Ok(done)
}

/// The names of the choices up to the last one that matters.
fn walked_script(walked: &Walked, length: usize) -> Vec<String> {
    walked.taken.iter().take(length).map(|(_, choice)| choice.to_string()).collect()
}

/// Follows a script by the names of its steps.
pub(super) fn follow(explorer: &Explorer, script: &[&str]) -> Result<(), Box<Violation>> {
    let walked = walk(explorer, Script(script.iter().map(|step| (*step).to_owned()).collect()));
    let names = script.iter().map(|step| (*step).to_owned()).collect();
    Violation::of(explorer, names, &walked, None).map_or(Ok(()), Err)
}

/// Takes the steps of a script; one that is not possible is passed over.
struct Script(VecDeque<String>);

impl Guide for Script {
    fn choose(&mut self, _step: usize, offered: &[Choice]) -> usize {
        while let Some(wanted) = self.0.pop_front() {
            if let Some(index) = offered.iter().position(|choice| choice.to_string() == wanted) {
                return index;
            }
            let possible: Vec<String> = offered.iter().map(Choice::to_string).collect();
            eprintln!("{wanted:?} is not possible here and is passed over; possible are {possible:?}");
        }
        0
    }
}

/// Shown when it takes long.
struct Progress {
    began: Instant,
    shown: Instant,
}

impl Progress {
    fn new() -> Self {
        let now = Instant::now();
        Self { began: now, shown: now }
    }

    fn show(&mut self, done: &Exploration, waiting: usize) {
        if self.shown.elapsed() >= PROGRESS_EVERY {
            self.shown = Instant::now();
            let waits = if waiting > 0 { format!(", {waiting} or more wait") } else { String::new() };
            eprintln!("explored {done} in {:.0?}{waits}", self.began.elapsed());
        }
    }
}
