//! Runs whose history grows long: when their code is told to go on as a new one.

use retell::prelude::*;
use retell::workflow::{SUGGESTED_BYTES, SUGGESTED_EVENTS, WorkflowInfo};
use retell_tester::Tester;

/// Side effects of so many bytes each until it is suggested to continue as new; how long history was before the last of
/// them, and after it.
#[retell::workflow]
async fn grows(cx: WorkflowContext, bytes: usize) -> WorkflowResult<[(u64, u64); 2]> {
    let length = |info: &WorkflowInfo| (info.history_length.0, info.history_bytes);
    let mut info = cx.info();
    loop {
        let before = length(&info);
        cx.side_effect(move || "x".repeat(bytes)).await?;
        info = cx.info();
        if info.continue_as_new_suggested {
            return Ok([before, length(&info)]);
        }
    }
}

#[test]
fn ten_thousand_events_are_enough_at_replay_too() {
    let tester = Tester::new().workflow(grows);
    let run = tester.start(grows, "events", 1);
    let [before, after] = run.result().unwrap();
    assert!(before.0 < SUGGESTED_EVENTS && SUGGESTED_EVENTS <= after.0, "{before:?} {after:?}");
    assert!(after.1 < SUGGESTED_BYTES);
    retell_tester::replay(grows, run.recorded());
}

#[test]
fn so_are_few_events_of_many_bytes() {
    let tester = Tester::new().workflow(grows);
    let run = tester.start(grows, "bytes", 4 * 1_024 * 1_024);
    let [before, after] = run.result().unwrap();
    assert!(before.1 < SUGGESTED_BYTES && SUGGESTED_BYTES <= after.1, "{before:?} {after:?}");
    assert!(after.0 < 20, "{after:?}");
    retell_tester::replay(grows, run.recorded());
}
