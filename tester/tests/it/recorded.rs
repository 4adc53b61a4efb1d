//! Recorded histories: read, written, replayed one by one and by the folder.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use retell::replay::TaskError;
use retell::vocabulary::{EventId, RunId, WorkflowId};
use retell_tester::recorded::folder::{Listed, definition, replay_added, replay_included};
use retell_tester::recorded::{IntoRecorded, RecordedError, ReplayError};
use retell_tester::{Recorded, replay, try_replay};

use super::shop::*;

retell_tester::replay_folder!("tests/histories", [pay, announce]);

const PAY: &str = include_str!("../histories/pay.txt");
const FOLDER: &str = "tests/histories";

/// What a panic says.
fn panic_of(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("it must panic");
    panic.downcast_ref::<String>().expect("a formatted panic").clone()
}

fn diverged(result: Result<(), ReplayError>) -> retell::replay::Divergence {
    match result {
        Err(ReplayError::Diverged(divergence)) => *divergence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_history_replays_as_text_by_path_and_as_a_value() {
    replay(pay, PAY);
    replay(pay, Path::new("tests/histories/pay.txt"));
    replay(pay, Path::new("tests/histories").join("pay.txt"));
    let recorded = Recorded::from_text(PAY).unwrap();
    replay(pay, &recorded);
    replay(pay, recorded);
}

#[test]
fn what_is_saved_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/run.txt");
    let mut recorded = Recorded::from_text(PAY).unwrap();
    recorded.run.workflow_id = WorkflowId::new("# order: 42: x").unwrap();
    recorded.save(&path).unwrap();
    assert_eq!(Recorded::load(&path).unwrap(), recorded);
    assert_eq!(Recorded::from_text(PAY).unwrap().to_string(), PAY);
    // Checked out by a system that ends lines in its own way.
    assert_eq!(Recorded::from_text(&recorded.to_string().replace('\n', "\r\n")).unwrap(), recorded);
}

#[test]
fn a_text_without_its_run_gets_a_placeholder() {
    let text: String =
        PAY.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let recorded = Recorded::from_text(&text).unwrap();
    assert_eq!(recorded.run.workflow_id.as_str(), "recorded");
    assert_eq!(recorded.run.run_id, RunId(uuid::Uuid::nil()));
    replay(pay, &*text);
}

#[test]
fn code_that_uses_its_run_replays_only_as_that_run() {
    let text = include_str!("../histories/announce_2.txt");
    replay(announce, text);
    let found = diverged(try_replay(announce, &*text.replace("# run_id", "# was")));
    assert_eq!(found.event_id, EventId(2));
}

#[test]
fn each_way_to_damage_a_text_names_its_line() {
    let check = |text: &str, line: usize, part: &str| {
        let error = Recorded::from_text(text).unwrap_err();
        assert!(error.line == line && error.reason.contains(part), "{error}");
    };
    check("", 1, "a history begins with");
    check("retell history 1\n", 1, "no event");
    check(&PAY.replace("# run_id: 0", "# run_id: x"), 4, "run_id");
    check(&PAY.replace("# workflow_id: order-42", "# workflow_id: "), 3, "workflow ID");
    check(&PAY.replace("TimerFired", "TimerFried"), 9, "TimerFried");
}

#[test]
fn errors_name_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.txt");
    let missing = Path::new("no/such.txt").into_recorded().unwrap_err();
    assert!(matches!(missing, RecordedError::Read { .. }) && missing.to_string().contains("no/such.txt"));
    std::fs::write(&path, PAY.replace("TimerFired", "TimerFried")).unwrap();
    let text = panic_of(|| replay(pay, &*path));
    assert!(text.contains("run.txt: line 9: event kind \"TimerFried\""), "{text}");
    let text = panic_of(|| replay(pay, "tests/histories/pay.txt"));
    assert!(text.contains("line 1") && text.contains("for a file give a `Path`"), "{text}");
    let error = Recorded::from_text(PAY).unwrap().save(folder.path()).unwrap_err();
    assert!(matches!(error, RecordedError::Write { .. }), "{error:?}");
}

#[test]
fn a_careless_change_is_told_with_both_sides() {
    let text = panic_of(|| replay(changed::inserted, PAY));
    let expected = r#"
a recorded history does not replay

pay v1: nondeterminism at event 4
run default/order-42/019ab0c5-7e31-7c52-9a53-0f6f3f1f2f11

          what history holds                                     what today's code asks for
       1  WorkflowStarted workflow={"name":"pay","version":1} semantics=1 task_queue="default" input={"id":42,"...
       2  ActivityScheduled activity="charge" input={"id":4... = ActivityScheduled activity="charge" input={"id":4...
       3  ActivityCompleted scheduled=2 attempt=1 result="payment-42"
=>                                                             > ActivityScheduled activity="ship" input="a note"
       4  TimerStarted due="2026-11-21T06:56:00.000000Z"       = TimerStarted due="2026-11-21T06:56:00.000000Z"
       5  TimerFired started=4
          ... and 3 more events

          ! differs   < only in history   > only in today's code

history: asked for at tests/it/shop.rs:31
today:   asked for at tests/it/shop.rs:48
remedy:  a call was added, removed or moved; guard such a change with `cx.patched`, or deploy it under a new
         version of the workflow
"#;
    assert_eq!(text, expected.trim_matches('\n'), "\n{text}\n");
}

#[test]
fn each_careless_change_is_found_at_its_event() {
    assert_eq!(diverged(try_replay(changed::removed, PAY)).event_id, EventId(4));
    let dearer = diverged(try_replay(changed::dearer, PAY));
    assert_eq!(dearer.event_id, EventId(2));
    assert!(dearer.to_string().contains(r#"cents":1250}"#), "{dearer}");
    assert!(dearer.to_string().contains(r#"cents":1251}"#), "{dearer}");
    let panicking = diverged(try_replay(changed::panicking, PAY));
    assert_eq!(panicking.event_id, EventId(3));
    assert!(panicking.to_string().contains("no payment-42 was expected"), "{panicking}");
    let undecodable = diverged(try_replay(changed::other_input, PAY));
    assert!(matches!(undecodable.error, TaskError::Undecodable { .. }), "{undecodable}");
}

#[test]
fn another_workflow_and_another_version_are_told_apart() {
    let other = try_replay(announce, PAY).unwrap_err();
    assert_eq!(
        other.to_string(),
        "the history belongs to pay v1, and was given to announce v2; give it to pay v1"
    );
    let newer = try_replay(changed::newer, PAY).unwrap_err().to_string();
    assert!(newer.contains("belongs to pay v1, and was given to pay v2; give it to version 1"), "{newer}");
    let listed: &[Listed] = &[definition::<announce>, definition::<changed::newer>];
    let text = panic_of(|| replay_included(FOLDER, "pay.txt", PAY, listed));
    assert!(text.contains("pay.txt does not replay") && text.contains("give it to version 1"), "{text}");
}

#[tokio::test]
async fn code_under_replay_finds_no_runtime_even_if_the_test_has_one() {
    replay(pay, PAY);
    let found = diverged(try_replay(changed::reaching_for_tokio, PAY));
    assert!(matches!(found.error, TaskError::ForeignAwait { .. }), "{found}");
}

#[test]
fn a_history_that_was_added_since_the_build_is_not_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    std::fs::write(root.join("built.txt"), "not looked at again").unwrap();
    std::fs::write(root.join("README.md"), "not a history").unwrap();
    let listed: &[Listed] = &[definition::<pay>];
    let look = || replay_added(root.to_str().unwrap(), ".", &["built.txt"], listed);
    look();
    std::fs::write(root.join("good.txt"), PAY).unwrap();
    look();
    std::fs::write(root.join("bad 1.txt"), PAY.replace("1250", "1")).unwrap();
    look();
    std::fs::write(root.join("bad 1.txt"), PAY.replace("payment-42", "else").replacen("else", "was", 1))
        .unwrap();
    std::fs::write(root.join("bad 2.txt"), "?").unwrap();
    let text = panic_of(look);
    assert!(
        text.contains("bad 1.txt does not replay") && text.contains("nondeterminism at event 6"),
        "{text}"
    );
    assert!(text.contains("bad 2.txt: line 1"), "{text}");
    assert!(panic_of(|| replay_added("no/such", "folder", &[], listed)).contains("cannot be read"));
}
