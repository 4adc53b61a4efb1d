//! What runs show of themselves while they sleep, and after.

use std::time::Duration;

use retell::client::ReadError;
use retell::prelude::*;
use retell_tester::Tester;

#[retell::activity]
async fn step(_cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

#[retell::workflow]
async fn steps(cx: WorkflowContext, count: u32) -> WorkflowResult<u32> {
    for number in 0..count {
        cx.publish("about to begin a step")?;
        cx.publish(&format!("{number} of {count}"))?;
        cx.activity(step, &number).await?;
        cx.sleep(Duration::from_secs(60)).await?;
    }
    cx.publish(&count)?;
    Ok(count)
}

#[test]
fn the_last_that_was_published_is_read_without_waking_the_run() {
    let tester = Tester::new().workflow(steps).activity(step);
    let run = tester.start(steps, "steps", 3);
    for number in 0..3 {
        tester.rest();
        let commits = tester.commits();
        assert_eq!(run.published::<String>().unwrap(), Some(format!("{number} of 3")));
        assert_eq!(tester.commits(), commits);
        tester.crash();
        assert_eq!(run.published::<String>().unwrap(), Some(format!("{number} of 3")));
        tester.advance(Duration::from_secs(60));
    }
    assert_eq!(run.result().unwrap(), 3);
    assert_eq!(run.published().unwrap(), Some(3_u32));
    assert!(matches!(run.published::<String>(), Err(ReadError::Payload(_))));
}

#[test]
fn a_commit_that_is_lost_takes_what_it_published_along() {
    let tester = Tester::new().workflow(steps).activity(step);
    let run = tester.start(steps, "steps", 1);
    tester.crash_before_commit(0);
    assert_eq!(run.result().unwrap(), 1);
    assert_eq!(run.published().unwrap(), Some(1_u32));
}

#[test]
fn what_does_not_publish_shows_nothing() {
    let tester = Tester::new().workflow(steps).activity(step);
    let run = tester.start(steps, "steps", 0);
    assert_eq!(run.result().unwrap(), 0);
    assert_eq!(run.published().unwrap(), Some(0_u32));
    #[retell::workflow]
    async fn silent(_cx: WorkflowContext) -> WorkflowResult<()> {
        Ok(())
    }
    let tester = Tester::new().workflow(silent);
    let run = tester.start(silent, "silent", ());
    run.result().unwrap();
    assert_eq!(run.published::<u32>().unwrap(), None);
}
