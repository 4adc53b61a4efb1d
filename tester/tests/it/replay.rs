//! Replay in every test: what is not replayed fails an ordinary one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use retell::prelude::*;
use retell_tester::{Tester, Trouble};

#[retell::activity]
async fn note(_cx: ActivityContext, what: String) -> Result<String, ActivityError> {
    Ok(what)
}

fn tester() -> Tester {
    Tester::new().activity(note)
}

/// The text of the failure, which must name a line of this file.
fn found<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> String {
    let tester = tester().workflow(workflow);
    let run = tester.start(workflow, "planted", ());
    let Err(Trouble::Nondeterminism(divergence)) = run.try_result() else { panic!("it replays") };
    let text = divergence.to_string();
    assert!(text.contains("tests/it/replay.rs:"), "{text}");
    text
}

#[retell::workflow]
async fn reads_the_clock(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(note, &format!("{:?}", SystemTime::now())).await?;
    Ok(())
}

#[test]
fn the_wall_clock_is_found() {
    let text = found(reads_the_clock);
    assert!(text.contains("ActivityScheduled"), "{text}");
}

#[retell::workflow]
async fn sleeps_for_a_random_time(cx: WorkflowContext) -> WorkflowResult<()> {
    let lots = std::collections::hash_map::RandomState::new();
    let millis = std::hash::BuildHasher::hash_one(&lots, 7) % 1_000_000;
    cx.sleep(Duration::from_millis(millis + 1)).await?;
    Ok(())
}

#[test]
fn randomness_is_found() {
    let text = found(sleeps_for_a_random_time);
    assert!(text.contains("TimerStarted"), "{text}");
}

#[retell::workflow]
async fn walks_a_hash_map(cx: WorkflowContext) -> WorkflowResult<()> {
    let stock: HashMap<&str, u32> = [("apples", 1), ("pears", 2), ("plums", 3)].into();
    for name in stock.keys() {
        cx.activity(note, &(*name).to_owned()).await?;
    }
    Ok(())
}

#[test]
fn the_order_of_a_hash_map_is_found() {
    let text = found(walks_a_hash_map);
    assert!(text.contains("ActivityScheduled"), "{text}");
}

/// Two entries have but two orders: each replay has an even chance of finding nothing.
#[retell::workflow]
async fn walks_a_small_hash_set(cx: WorkflowContext) -> WorkflowResult<()> {
    let both: HashSet<&str> = ["apples", "pears"].into();
    for name in both {
        cx.activity(note, &name.to_owned()).await?;
    }
    Ok(())
}

#[test]
fn the_order_of_a_small_hash_set_is_found_mostly() {
    let runs = 20;
    let found = (0..runs)
        .filter(|_| {
            let tester = tester().workflow(walks_a_small_hash_set);
            tester.start(walks_a_small_hash_set, "small", ()).try_result().is_err()
        })
        .count();
    assert!(found >= runs * 9 / 10, "{found} of {runs}");
}

#[retell::workflow]
async fn counts_globally(cx: WorkflowContext) -> WorkflowResult<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    cx.activity(note, &COUNT.fetch_add(1, Ordering::Relaxed).to_string()).await?;
    Ok(())
}

#[test]
fn global_state_is_found() {
    found(counts_globally);
}

#[retell::workflow]
async fn asks_whether_it_replays(cx: WorkflowContext) -> WorkflowResult<()> {
    if cx.is_replaying() {
        cx.sleep(Duration::from_secs(1)).await?;
    }
    cx.activity(note, &"note".to_owned()).await?;
    Ok(())
}

#[test]
fn a_decision_on_replaying_is_found() {
    found(asks_whether_it_replays);
}

/// It would be found only when the run ends, or its worker dies.
#[retell::workflow]
async fn reads_the_clock_and_waits(cx: WorkflowContext) -> WorkflowResult<()> {
    let now = SystemTime::now();
    cx.signal::<()>("go").await?;
    cx.activity(note, &format!("{now:?}")).await?;
    Ok(())
}

#[test]
fn what_was_read_long_before_it_is_used_is_found() {
    let tester = tester().workflow(reads_the_clock_and_waits);
    let run = tester.start(reads_the_clock_and_waits, "waits", ());
    run.signal("go", &()).unwrap();
    assert!(matches!(run.try_result(), Err(Trouble::Nondeterminism(_))));
}

#[test]
fn the_check_is_switched_off_by_name() {
    let tester = tester().workflow(reads_the_clock).without_replay_check();
    tester.start(reads_the_clock, "unchecked", ()).result().unwrap();
}
