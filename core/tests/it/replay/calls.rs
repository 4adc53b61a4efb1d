//! One call at a time: what is asked for, what is given.

use super::kit::*;

#[test]
fn an_activity_is_scheduled_and_its_result_returned() {
    workflow!(W, |cx| Ok(cx.activity(Ship, &"a".to_owned()).await?));
    let mut run = Run::start::<W>(&());
    assert_eq!(run.told(), ["WorkflowStarted", "scheduled Ship a"]);
    run.complete(2, "done");
    assert_eq!(run.result(), "done");
    run.replays_as::<W>();
}
