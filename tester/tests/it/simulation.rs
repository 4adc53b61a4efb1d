//! The engine in a world that fails: fresh seeds each time, and the seeds that once broke a promise.

use std::time::{Duration, Instant, SystemTime};

use retell::prelude::*;
use retell_tester::simulation::Simulation;

/// For how long fresh schedules are simulated.
const FRESH_FOR: Duration = Duration::from_secs(3);

/// Each broke a promise until the engine was mended; its commit says how.
const PINNED: [u64; 13] = [
    16, 1_003, 1_523, 2_001, 3_477, 14_540, 20_194, 21_056, 42_049, 103_591, 5_315_210, 20_022_886,
    90_000_689,
];

fn check(seed: u64) {
    if let Err(violation) = Simulation::new().seed(seed).run() {
        panic!("{violation}");
    }
}

#[test]
fn fresh_schedules_break_no_promise() {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let first = u64::try_from(since_epoch.as_nanos()).unwrap();
    let (began, mut seed) = (Instant::now(), first);
    while began.elapsed() < FRESH_FOR {
        check(seed);
        seed += 1;
    }
    println!("{} schedules from seed {first} on", seed - first);
}

#[test]
fn schedules_that_once_broke_a_promise_no_longer_do() {
    PINNED.into_iter().for_each(check);
}

#[test]
fn a_seed_takes_the_same_course_each_time() {
    for seed in 0..40 {
        let run = || Simulation::new().seed(seed).run().unwrap();
        assert_eq!(run(), run(), "seed {seed}");
    }
    let courses = (0..40).map(|seed| Simulation::new().seed(seed).run().unwrap().course);
    assert_eq!(courses.collect::<std::collections::BTreeSet<_>>().len(), 40);
}

#[retell::activity]
async fn double(_cx: ActivityContext, number: u64) -> Result<u64, ActivityError> {
    Ok(2 * number)
}

#[retell::workflow]
async fn nap_and_double(cx: WorkflowContext, number: u64) -> WorkflowResult<u64> {
    cx.sleep(Duration::from_secs(number)).await?;
    Ok(cx.activity(double, &number).await?)
}

/// A workflow that asks the wall clock: it cannot replay.
#[retell::workflow]
async fn asks_the_clock(cx: WorkflowContext, _input: ()) -> WorkflowResult<u64> {
    let number = u64::from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos());
    cx.sleep(Duration::from_secs(1)).await?;
    Ok(cx.activity(double, &number).await?)
}

#[test]
fn own_workflows_are_simulated() {
    let simulation = Simulation::new().workflow(nap_and_double).unwrap().activity(double).unwrap();
    let simulation = simulation.start(nap_and_double, "a", 3).start(nap_and_double, "b", 7);
    for seed in 0..100 {
        let figures = simulation.clone().seed(seed).run().unwrap_or_else(|violation| panic!("{violation}"));
        assert!(figures.runs <= 2);
    }
}

#[test]
fn a_workflow_that_does_not_replay_is_found_and_told_with_its_seed() {
    let simulation = Simulation::new().workflow(asks_the_clock).unwrap().activity(double).unwrap();
    let simulation = simulation.start(asks_the_clock, "clock", ());
    let violation = (0..20).find_map(|seed| simulation.clone().seed(seed).run().err()).expect("it is found");
    assert_eq!(violation.promise, "H13");
    let told = violation.to_string();
    assert!(
        told.contains("nondeterminism") && told.contains("--seed") && told.contains("TimerStarted"),
        "{told}"
    );
}
