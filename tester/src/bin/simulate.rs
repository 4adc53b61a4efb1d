//! Simulates schedules of the engine with random programs, as many as it is told, and stops at the first broken promise.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lexopt::prelude::{Long, Short, ValueExt};
use retell_tester::simulation::{Figures, Simulation, Violation};

const USAGE: &str = "\
Simulates schedules: engines on one store, with faults everywhere and an oracle beside them. Stops at the first broken
promise, with all that is needed to see why.

Usage: simulate [OPTIONS]

  --schedules N   how many [10000]
  --seed N        the seed of the first; the others follow [drawn from the clock, and printed]
  --threads N     how many go on at once [1]
  --calm          without faults on links and processes, and without clock jumps
  -h, --help      prints this";

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Campaign {
    schedules: u64,
    seed: u64,
    threads: u64,
    calm: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)) {
        Ok(Some(campaign)) => run(&campaign),
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Campaign>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut campaign = Campaign { schedules: 10_000, seed: 0, threads: 1, calm: false };
    let mut seed = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("schedules") => campaign.schedules = parser.value()?.parse()?,
            Long("seed") => seed = Some(parser.value()?.parse()?),
            Long("threads") => campaign.threads = parser.value()?.parse()?,
            Long("calm") => campaign.calm = true,
            other => return Err(other.unexpected()),
        }
    }
    if campaign.threads == 0 {
        return Err("somebody must do it: --threads is at least 1".into());
    }
    campaign.seed = seed.unwrap_or_else(seed_of_the_moment);
    Ok(Some(campaign))
}

fn seed_of_the_moment() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Far apart, so that two runs share no seeds.
    (u64::from(since_epoch.subsec_nanos()) ^ since_epoch.as_secs()) << 24
}

/// What the threads share.
#[derive(Default)]
struct Progress {
    next: AtomicU64,
    stop: AtomicBool,
    figures: Mutex<Figures>,
    /// With the number of its schedule.
    first: Mutex<Option<(u64, Box<Violation>)>>,
}

fn run(campaign: &Campaign) -> ExitCode {
    println!("{} schedules from seed {} on", campaign.schedules, campaign.seed);
    let (progress, began) = (Progress::default(), Instant::now());
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..campaign.threads).map(|_| scope.spawn(|| simulate(campaign, &progress))).collect();
        let mut shown = Instant::now();
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            if shown.elapsed() >= PROGRESS_EVERY {
                shown = Instant::now();
                let done = progress.next.load(Ordering::Relaxed).min(campaign.schedules);
                println!("{done} of {} after {:.0?}", campaign.schedules, began.elapsed());
            }
        }
    });
    let figures = *progress.figures.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{figures}");
    println!("{:.1?} in all", began.elapsed());
    match progress.first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => {
            println!("no promise was broken");
            ExitCode::SUCCESS
        }
        Some((number, violation)) => {
            println!("\nschedule {number}: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(campaign: &Campaign, progress: &Progress) {
    let mut own = Figures::default();
    while !progress.stop.load(Ordering::Relaxed) {
        let number = progress.next.fetch_add(1, Ordering::Relaxed);
        if number >= campaign.schedules {
            break;
        }
        let mut simulation = Simulation::new().seed(campaign.seed.wrapping_add(number));
        if campaign.calm {
            simulation = simulation.without_link_faults().without_process_faults().without_clock_jumps();
        }
        match simulation.run() {
            Ok(figures) => own.add(&figures),
            Err(violation) => {
                progress.stop.store(true, Ordering::Relaxed);
                let mut first = progress.first.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(earlier, _)| number < *earlier) {
                    *first = Some((number, violation));
                }
            }
        }
    }
    progress.figures.lock().unwrap_or_else(PoisonError::into_inner).add(&own);
}
