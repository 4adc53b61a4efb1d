//! Snapshots: the same text for the same behaviour, whatever the IDs and the time.

use std::panic::catch_unwind;

use retell::history::{Event, from_text};
use retell_tester::snapshot::{assert_inline, assert_matches, stable_text};

/// The same behaviour, run on another day under other IDs.
fn history(day: u8, id: &str, seed: u64, line: u32) -> Vec<Event> {
    let bytes = id.replace('-', "");
    let micros = micros(day);
    from_text(&format!(
        r#"
        retell history 1
        1 2026-11-{day:02}T06:55:00.000000Z WorkflowStarted workflow={{"name":"pay","version":1}} semantics=1 task_queue="default" input={{"due":"2026-12-24T00:00:00.000000Z","cents":1250}} seed={seed} continued_from="{id}"
        2 2026-11-{day:02}T06:55:00.000000Z ActivityScheduled activity="charge" input=["key-{id}",0x{bytes},{micros},"é {id}"] @ src/main.rs:{line}
        3 2026-11-{day:02}T06:55:01.500000Z SignalReceived signal="go" input="2026-11-{day:02}T06:55:00.000000Z" request_id="0{rest}"
        4 2026-11-{day:02}T06:55:01.500000Z TimerStarted due="2026-11-{day:02}T07:55:01.500000Z"
        "#,
        rest = &id[1..].replace("-4", "-7"),
    ))
    .unwrap()
}

fn micros(day: u8) -> i64 {
    format!("2026-11-{day:02}T06:55:00.000000Z").parse::<retell::vocabulary::Timestamp>().unwrap().as_micros()
}

const ONE: &str = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
const OTHER: &str = "9c5b94b1-35ad-49bb-b118-8e8fc24abf80";

#[test]
fn the_same_behaviour_has_the_same_text() {
    let text = stable_text(&history(21, ONE, 7, 30));
    assert_eq!(text, stable_text(&history(3, OTHER, 99, 12)));
    assert_inline(
        &history(21, ONE, 7, 30),
        r#"
        retell history 1
        1 2000-01-01T00:00:00.000000Z WorkflowStarted workflow={"name":"pay","version":1} semantics=1 task_queue="default" input={"due":"2026-12-24T00:00:00.000000Z","cents":1250} seed=0 continued_from="00000000-0000-0000-0000-000000000001"
        2 2000-01-01T00:00:00.000000Z ActivityScheduled activity="charge" input=["key-00000000-0000-0000-0000-000000000001",0x00000000000000000000000000000001,946684800000000,"é 00000000-0000-0000-0000-000000000001"]
        3 2000-01-01T00:00:01.500000Z SignalReceived signal="go" input="2000-01-01T00:00:00.000000Z" request_id="00000000-0000-0000-0000-000000000002"
        4 2000-01-01T00:00:01.500000Z TimerStarted due="2000-01-01T01:00:01.500000Z"
        "#,
    );
}

#[test]
fn a_stable_text_is_a_history_and_stays_as_it_is() {
    let text = stable_text(&history(21, ONE, 7, 30));
    assert_eq!(stable_text(&from_text(&text).unwrap()), text);
}

#[test]
fn what_only_looks_like_an_id_or_a_time_stays() {
    let micros = micros(21) + 123_457;
    let inputs = [
        "\"2026-11-21T06:55:00.123458Z\"".to_owned(),
        "\"2026-11-21T06:55:00.123457Z1\"".to_owned(),
        format!("\"{ONE}0\""),
        format!("\"key{ONE}\""),
        "0x000102030405060708090a0b0c0d0e0f".to_owned(),
        format!("{micros}.5"),
        format!("0.{micros}"),
        format!("{}", micros + 1),
    ];
    for input in inputs {
        let kept = format!("SignalReceived signal=\"go\" input={input} request_id=\"");
        let text = format!("retell history 1\n1 2026-11-21T06:55:00.123457Z {kept}{OTHER}\"\n");
        let stable = stable_text(&from_text(&text).unwrap());
        assert!(stable.contains(&format!("2000-01-01T00:00:00.000000Z {kept}0000")), "{input}: {stable}");
    }
}

#[test]
fn a_difference_is_shown_line_by_line() {
    let mut events = history(21, ONE, 7, 30);
    events.remove(2);
    let kept = stable_text(&history(21, ONE, 7, 30));
    let panic = catch_unwind(|| assert_inline(&events, &kept)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("\n- 3 2000-01-01T00:00:01.500000Z SignalReceived"), "{text}");
    assert!(text.contains("\n  4 2000-01-01T00:00:01.500000Z TimerStarted"), "{text}");
}

#[test]
fn a_snapshot_in_a_file_is_compared() {
    assert_matches(&history(21, ONE, 7, 30), "tests/snapshots/pay.txt");
}
