//! Handlers: what they share with the main body, and in which order all of it runs.

use retell::replay::{QueryFault, TaskError};
use retell::vocabulary::Headers;
use retell::workflow::{CallError, QueryType, SignalType};

use super::kit::*;

const NOTE: SignalType<String> = SignalType::new("note");
const NOTES: QueryType<(), Vec<String>> = QueryType::new("notes");

#[test]
fn for_each_signal_its_handler_runs_first_and_the_main_body_last() {
    workflow!(W, |cx| {
        let notes = cx.share(Vec::new());
        notes.handle_signal(NOTE, |notes, note| notes.push(note));
        for count in 1..=2 {
            cx.wait_until(&notes, move |notes| notes.len() >= 2 * count - 1).await?;
            notes.with(|notes| notes.push("seen".to_owned()));
        }
        Ok(notes.read(|notes| notes.join(" ")))
    });
    let mut run = Run::start::<W>(&());
    run.signal("note", "a").signal("note", "b");
    assert_eq!(run.result(), "a seen b seen");
    run.replays_as::<W>();
}

#[test]
fn what_comes_before_its_handler_waits_and_what_is_no_such_value_is_set_aside() {
    workflow!(W, |cx| {
        cx.sleep(seconds(1)).await?;
        let notes = cx.share(Vec::new());
        notes.handle_signal(NOTE, |notes, note| notes.push(note));
        cx.wait_until(&notes, |notes| notes.len() == 2).await?;
        Ok(notes.read(|notes| notes.join(" ")))
    });
    let mut run = Run::start::<W>(&());
    run.signal("note", "a").signal("note", &7).signal("note", "b").fire();
    assert_eq!(run.result(), "a b");
    assert!(run.events.iter().any(|event| event.kind.name() == "SignalSetAside"));
    run.replays_as::<W>();
}

#[test]
fn a_handler_outlives_a_cancel_request_and_a_wait_does_not() {
    workflow!(W, |cx| {
        let notes = cx.share(0);
        notes.handle_signal(NOTE, |notes, _| *notes += 1);
        let waited = cx.wait_until(&notes, |notes| *notes > 5).await;
        assert_eq!(waited, Err(CallError::Cancelled));
        cx.shielded().wait_until(&notes, |notes| *notes > 1).await?;
        Ok(notes.read(|notes| notes.to_string()))
    });
    let mut run = Run::start::<W>(&());
    run.signal("note", "1").cancel().signal("note", "2");
    assert_eq!(run.result(), "2");
    run.replays_as::<W>();
}

#[test]
fn a_wait_that_nobody_can_end_is_found_and_one_that_a_handler_can_is_not() {
    workflow!(Alone, |cx| {
        let nothing = cx.share(0);
        cx.wait_until(&nothing, |nothing| *nothing > 0).await?;
        Ok(String::new())
    });
    let found = Run::try_start::<Alone>(&(), Default::default()).map(|_| ()).unwrap_err();
    assert!(matches!(found, TaskError::NeverEndingAwait { .. }), "{found}");
    workflow!(Handled, |cx| {
        let something = cx.share(0);
        something.handle_signal(NOTE, |something, _| *something += 1);
        cx.wait_until(&something, |something| *something > 0).await?;
        Ok("something".to_owned())
    });
    let mut run = Run::start::<Handled>(&());
    assert_eq!(run.signal("note", "").result(), "something");
}

#[test]
fn borrowing_inside_of_a_borrow_is_a_panic_that_says_so() {
    workflow!(W, |cx| {
        let value = cx.share(0);
        Ok(value.with(|_| value.with(|inner| inner.to_string())))
    });
    let found = Run::try_start::<W>(&(), Default::default()).map(|_| ()).unwrap_err();
    assert!(
        matches!(&found, TaskError::Panic { message, .. } if message.contains("borrowed already")),
        "{found}"
    );
}

workflow!(Keeper, |cx| {
    let notes = cx.share(Vec::<String>::new());
    let outside = notes.clone();
    notes.handle_signal(NOTE, |notes, note| notes.push(note));
    notes.handle_query(NOTES, |notes, ()| notes.clone());
    notes.handle_query("panics", |notes, at: usize| notes[at].clone());
    notes.handle_query("changes", move |_, ()| outside.with(|notes| notes.clear()));
    cx.wait_until(&notes, |notes| notes.len() == 2).await?;
    Ok(String::new())
});

fn ask<T: serde::de::DeserializeOwned>(
    machine: &retell::replay::Machine,
    name: &str,
    argument: &impl serde::Serialize,
) -> Result<T, QueryFault> {
    let name = retell::vocabulary::QueryName::new(name).unwrap();
    machine.query(&name, &payload(argument), &Headers::new()).map(|answer| answer.decode().unwrap())
}

#[test]
fn a_query_sees_the_state_at_rest_live_replayed_and_closed() {
    let mut run = Run::start::<Keeper>(&());
    for (note, wanted) in [("a", vec!["a"]), ("b", vec!["a", "b"])] {
        run.signal("note", note);
        for machine in [&run.machine, &run.replays_as::<Keeper>()] {
            assert_eq!(ask::<Vec<String>>(machine, "notes", &()).unwrap(), wanted);
        }
    }
    assert!(run.machine.is_closed());
}

#[test]
fn a_query_that_fails_hurts_only_itself() {
    let mut run = Run::start::<Keeper>(&());
    let panicked = ask::<String>(&run.machine, "panics", &3).unwrap_err();
    assert!(matches!(&panicked, QueryFault::Panicked(message) if message.contains("index")), "{panicked}");
    let changed = ask::<()>(&run.machine, "changes", &()).unwrap_err();
    assert!(matches!(&changed, QueryFault::Panicked(message) if message.contains("reads")), "{changed}");
    let wrong = ask::<String>(&run.machine, "panics", &"no number").unwrap_err();
    assert!(matches!(wrong, QueryFault::Argument(_)), "{wrong}");
    let QueryFault::Unknown { known } = ask::<()>(&run.machine, "unknown", &()).unwrap_err() else {
        panic!("nobody knows it")
    };
    assert_eq!(known.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["changes", "notes", "panics"]);
    run.signal("note", "a").signal("note", "b");
    assert!(run.machine.is_closed());
    run.replays_as::<Keeper>();
}

#[test]
fn a_machine_that_is_gone_leaves_nothing_of_its_code() {
    static DROPPED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    struct Watched;
    impl Drop for Watched {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    workflow!(W, |cx| {
        let value = cx.share(());
        let (watched, of_query, held) = (Watched, Watched, cx.clone());
        value.handle_signal("go", move |(), ()| _ = &watched);
        value.handle_query("held", move |(), ()| {
            let _held = &of_query;
            held.is_cancelled()
        });
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    drop(Run::start::<W>(&()));
    assert_eq!(DROPPED.load(std::sync::atomic::Ordering::SeqCst), 2);
}
