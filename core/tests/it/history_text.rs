//! The text form of a history: what it looks like, that nothing is lost in it, and what is no history.

use retell::history::*;
use retell::vocabulary::*;

use crate::random_history::Random;

const ORDER: &str = r#"retell history 1
1 2026-11-21T06:55:00.000000Z WorkflowStarted workflow={"name":"order","version":1} semantics=1 task_queue="default" input={"id":42,"note":null} seed=7
2 2026-11-21T06:55:00.000000Z ActivityScheduled activity="charge" input=[42,1.0,2.5f32] start_to_close=30s @ src/main.rs:12
3 2026-11-21T06:55:00.000000Z TimerStarted due="2026-11-22T06:55:00.500000Z" @ "src/a b.rs":13
4 2026-11-21T06:55:01.000000Z ActivityFailed scheduled=2 attempt=1 failure={"kind":"Application","error_type":"Declined","message":"no\nmoney","non_retryable":true,"details":{"$encoding":"zstd","$data":"28b5"}}
5 2026-11-21T06:55:01.000000Z WorkflowCompleted result="done"
"#;

#[test]
fn a_history_reads_well_and_is_read_back() {
    let events = from_text(ORDER).unwrap();
    assert_eq!(to_text(&events), ORDER);
    let EventKind::ActivityScheduled(scheduled) = &events[1].kind else { panic!("{}", events[1]) };
    assert_eq!(scheduled.input.decode::<(u32, f64, f32)>().unwrap(), (42, 1.0, 2.5));
    assert_eq!(events[2].place.as_ref().unwrap().line, 13);
    assert_eq!(Text(&events).to_string(), ORDER);
}

#[test]
fn fixtures_may_leave_out_what_has_a_default() {
    let text = "# a fixture\n\n  retell history 1\n  # the only event\n  7 2026-11-21T06:55:00Z  ActivityFailed \
        scheduled = 2 attempt=1 failure={ \"error_type\": \"E\", \"message\": \"m\" }  @ a.rs:1 \n";
    let events = from_text(text).unwrap();
    assert_eq!(events[0].id, EventId(7));
    let EventKind::ActivityFailed(failed) = &events[0].kind else { panic!("{}", events[0]) };
    assert_eq!(failed.failure, Failure::new("E", "m"));
}

#[test]
fn every_field_of_every_kind_is_read_back() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        for name in EventKind::NAMES {
            let kind = random.kind_named(name);
            let mut event = random.history(1).remove(0);
            event.kind = kind;
            check(seed, &[event]);
        }
    }
}

#[test]
fn whole_histories_are_read_back() {
    for seed in 0..20 {
        let events = Random::new(seed).history(200);
        check(seed, &events);
    }
}

fn check(seed: u64, events: &[Event]) {
    let text = to_text(events);
    let read = from_text(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
    assert_eq!(read, events, "seed {seed}:\n{text}");
    assert_eq!(text.lines().count(), events.len() + 1, "seed {seed}: an event takes one line\n{text}");
}

#[test]
fn what_is_no_history_is_refused_with_its_line() {
    let refused = |line: usize, text: &str, reason: &str| {
        let error = from_text(text).unwrap_err();
        assert_eq!((error.line, error.reason.as_str()), (line, reason), "{text}");
    };
    refused(1, "", r#"a history begins with "retell history 1""#);
    refused(1, "retell history 2\n", r#"a history begins with "retell history 1""#);
    let event = |line: &str, reason: &str| {
        refused(3, &format!("retell history 1\n\n{line}\n"), reason);
    };
    event("x", "an event begins with its number");
    event("1 now", r#""now" is not an instant; write it in UTC as in 2026-11-21T06:55:00.000000Z"#);
    let fields = |fields: &str, reason: &str| event(&format!("1 2026-11-21T06:55:00Z {fields}"), reason);
    fields("TimerMelted", r#"event kind "TimerMelted" is not known to this engine"#);
    fields("TimerFired", "TimerFired: missing field `started`");
    fields("TimerFired started=-1", "TimerFired: invalid value: integer `-1`, expected u64");
    fields(
        "TimerFired started=1 startled=2",
        r#"TimerFired has no field "startled", or this is what it holds when left out"#,
    );
    fields("TimerFired started", r#"expected `name=value` or `@ file:line` at the line's end"#);
    fields("TimerFired started=1 @ a.rs", "a place is `@ file:line`");
    fields("TimerFired started=one", r#"field "started": expected a value at "one""#);
    fields(
        "TimerFired started=99999999999999999999",
        r#"field "started": expected a value at "99999999999999999999""#,
    );
    fields(r#"WorkflowTerminated reason="a"#, r#"field "reason": a text has no end: "\"a""#);
    fields(r#"WorkflowTerminated reason="\x""#, r#"field "reason": not an escape: "\\x\"""#);
    fields("WorkflowCompleted result=[1 2]", r#"field "result": expected `,` at "2]""#);
    fields("WorkflowCompleted result=0xf", r#"field "result": expected a value at "0xf""#);
    let deep = format!("WorkflowCompleted result={}", "[".repeat(100_000));
    fields(&deep, r#"field "result": values are nested more than 128 deep"#);
}

#[test]
fn no_damaged_text_panics() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let text: Vec<char> = to_text(&random.history(3)).chars().collect();
        for _ in 0..200 {
            let mut damaged = text.clone();
            let at = random.below(damaged.len() as u64) as usize;
            match random.below(3) {
                0 => damaged.truncate(at),
                1 => {
                    damaged[at] =
                        ['"', '\\', '{', ']', '@', ':', '=', 's', 'é', '-'][random.below(10) as usize]
                }
                _ => drop(damaged.remove(at)),
            }
            // Whether it is still a history is not said; that an answer comes is what counts.
            let _ = from_text(&damaged.iter().collect::<String>());
        }
    }
}
