//! Virtual time: it jumps, stands still for real code, and goes by hand.

use std::time::{Duration, Instant};

use retell::prelude::*;
use retell_tester::{Tester, Trouble};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[retell::workflow]
async fn sleeps(cx: WorkflowContext, days: u64) -> WorkflowResult<Timestamp> {
    for _ in 0..days {
        cx.sleep(DAY).await?;
    }
    Ok(cx.now())
}

#[test]
fn a_year_passes_in_milliseconds() {
    let tester = Tester::new().workflow(sleeps);
    let began = tester.now();
    let run = tester.start(sleeps, "year", 365);
    let real = Instant::now();
    assert_eq!(run.result().unwrap(), began + 365 * DAY);
    println!("a year of 365 timers took {:?}", real.elapsed());
    assert_eq!(tester.now(), began + 365 * DAY);
}

#[test]
fn a_world_begins_when_it_is_told_to() {
    let beginning = "1999-12-31T23:59:59Z".parse().unwrap();
    let tester = Tester::new().starting_at(beginning).workflow(sleeps);
    assert_eq!(tester.start(sleeps, "now", 0).result().unwrap(), beginning);
}

#[test]
fn time_that_goes_by_hand_waits_for_it() {
    let tester = Tester::new().with_time_by_hand().workflow(sleeps);
    let run = tester.start(sleeps, "days", 2);
    let Err(Trouble::Still(text)) = run.try_result() else { panic!("time stands still") };
    assert!(text.contains("unless time is moved by hand: something is due in 86400s"), "{text}");
    tester.advance(DAY + DAY / 2);
    assert_eq!(run.closed(), None);
    assert_eq!(run.history().iter().filter(|event| event.kind.name() == "TimerFired").count(), 1);
    tester.advance(DAY / 2);
    assert!(run.closed().is_some());
}

#[retell::activity]
async fn takes_real_time(_cx: ActivityContext) -> Result<(), ActivityError> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

#[retell::activity]
fn blocks_for_real(_cx: ActivityContext) -> Result<(), ActivityError> {
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

#[retell::workflow]
async fn races_real_code(cx: WorkflowContext) -> WorkflowResult<bool> {
    let body = async {
        cx.activity(takes_real_time, &()).await?;
        cx.activity(blocks_for_real, &()).await
    };
    Ok(retell::select! {
        done = body => { done?; true }
        timer = cx.sleep(Duration::from_millis(1)) => { timer?; false }
    })
}

#[test]
fn time_stands_still_while_real_code_runs() {
    let tester = Tester::new().workflow(races_real_code).activity(takes_real_time).activity(blocks_for_real);
    assert!(tester.start(races_real_code, "race", ()).result().unwrap());
}

#[tokio::test]
async fn a_test_may_itself_run_on_a_runtime() {
    let tester = Tester::new().workflow(races_real_code).activity(takes_real_time).activity(blocks_for_real);
    assert!(tester.start(races_real_code, "race", ()).result().unwrap());
}

#[retell::workflow]
async fn reaches_for_the_runtime(_cx: WorkflowContext) -> WorkflowResult<()> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(())
}

#[tokio::test]
async fn workflow_code_finds_no_runtime_even_there() {
    let tester = Tester::new().workflow(reaches_for_the_runtime);
    let run = tester.start(reaches_for_the_runtime, "runtime", ());
    let trouble = run.try_result().unwrap_err();
    assert!(trouble.to_string().contains("tokio was used inside of the workflow"), "{trouble}");
}

#[retell::workflow]
async fn waits(cx: WorkflowContext) -> WorkflowResult<()> {
    retell::join!(cx.activity(takes_real_time, &()), cx.signal::<()>("go")).0?;
    Ok(())
}

#[test]
fn what_can_never_happen_is_told() {
    let tester = Tester::new().workflow(waits);
    let trouble = tester.start(waits, "waits", ()).try_result().unwrap_err().to_string();
    let wanted = r#"waits for activity "takes_real_time", which is neither registered nor faked"#;
    assert!(trouble.contains(wanted), "{trouble}");
    let tester = Tester::new().workflow(waits);
    tester.fake(takes_real_time).returns(());
    let trouble = tester.start(waits, "waits", ()).try_result().unwrap_err().to_string();
    assert!(trouble.contains("for a signal, perhaps, that nobody sends"), "{trouble}");
}
