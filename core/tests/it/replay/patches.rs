//! Patches: old histories go the old way, new ones the new way, and the marker may stand among other calls.

use retell::history::EventKind;
use retell::replay::{MachineOptions, TaskError};

use super::kit::*;

workflow!(Old, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    Ok(cx.activity(Ship, &"old".to_owned()).await?)
});

workflow!(Both, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    let first = if cx.patched("new-way") { "new" } else { "old" };
    let done = cx.activity(Ship, &first.to_owned()).await?;
    // Decided once, asked for nothing more.
    assert_eq!(cx.patched("new-way"), first == "new");
    Ok(done)
});

workflow!(NewAlone, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    cx.deprecate_patch("new-way");
    Ok(cx.activity(Ship, &"new".to_owned()).await?)
});

workflow!(Forgotten, |cx| {
    cx.activity(Ship, &"a".to_owned()).await?;
    Ok(cx.activity(Ship, &"new".to_owned()).await?)
});

/// A whole run of `W`.
fn whole<W: retell::workflow::Workflow<Input = ()>>() -> Run {
    let mut run = Run::start::<W>(&());
    run.complete(2, "");
    let second = run.machine.open_activities()[0].0;
    run.complete(second.0, "done");
    run
}

fn is_nondeterminism(replayed: Result<retell::replay::Machine, TaskError>) -> String {
    match replayed {
        Err(TaskError::Nondeterminism(found)) => format!("{} {}", found.event_id, found.hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn old_runs_go_the_old_way_and_new_ones_the_new_way() {
    let (old, new) = (whole::<Old>(), whole::<Both>());
    assert_eq!(old.told()[3..5], ["scheduled Ship old", "completed 4"]);
    assert_eq!(new.told()[3..6], ["PatchRecorded", "scheduled Ship new", "completed 5"]);
    old.replays_as::<Both>();
    new.replays_as::<Both>();
}

#[test]
fn a_change_lives_in_three_deploys() {
    let (old, both, alone) = (whole::<Old>(), whole::<Both>(), whole::<NewAlone>());
    both.replays_as::<NewAlone>();
    alone.replays_as::<NewAlone>();
    alone.replays_as::<Forgotten>();
    alone.replays_as::<Both>();
    whole::<Forgotten>().replays_as::<Forgotten>();
    assert!(
        is_nondeterminism(both.replay_as::<Forgotten>()).contains("4 a call of `cx.patched` was removed")
    );
    is_nondeterminism(both.replay_as::<Old>());
    is_nondeterminism(old.replay_as::<NewAlone>());
}

#[test]
fn a_run_that_was_open_when_the_change_came_decides_where_it_first_passes() {
    let mut cut = whole::<Old>();
    // Passed by the old code, and stored: the old way.
    cut.events.truncate(4);
    let mut machine = cut.replays_as::<Both>();
    let mut events = cut.events.clone();
    machine.take_in(cut.now, completed(4), &mut events).unwrap();
    assert!(machine.is_closed());
    // Not passed yet: the new way, from here on.
    cut.events.truncate(2);
    let mut machine = cut.replays_as::<Both>();
    machine.take_in(cut.now, completed(2), &mut cut.events).unwrap();
    assert_eq!(cut.told()[2..], ["completed 2", "PatchRecorded", "scheduled Ship new"]);
    cut.replays_as::<Both>();
}

fn completed(scheduled: u64) -> EventKind {
    retell::history::ActivityCompleted {
        scheduled: retell::vocabulary::EventId(scheduled),
        attempt: retell::vocabulary::Attempt(1),
        result: payload(""),
    }
    .into()
}

#[test]
fn a_marker_may_be_moved_past_other_calls_but_not_past_an_await() {
    workflow!(Before, |cx| {
        let (a, b) = (cx.patched("a"), cx.patched("b"));
        cx.activity(Ship, &format!("{a} {b}")).detach()?;
        cx.activity(Bill, &"b".to_owned()).detach()?;
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    workflow!(Between, |cx| {
        let b = cx.patched("b");
        cx.activity(Ship, &format!("{b} {b}")).detach()?;
        let a = cx.patched("a");
        cx.activity(Bill, &"b".to_owned()).detach()?;
        assert!(a);
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    workflow!(After, |cx| {
        cx.activity(Ship, &"true true".to_owned()).detach()?;
        cx.activity(Bill, &"b".to_owned()).detach()?;
        cx.sleep(seconds(1)).await?;
        let _ = (cx.patched("a"), cx.patched("b"));
        Ok(String::new())
    });
    let mut before = Run::start::<Before>(&());
    before.fire();
    let mut between = Run::start::<Between>(&());
    between.fire();
    // What is open is cancelled at the end by the events that it has in this history, wherever the markers stand.
    assert_eq!(before.told()[1..4], ["PatchRecorded", "PatchRecorded", "scheduled Ship true true"]);
    assert_eq!(before.told()[7..9], ["cancelled 4", "cancelled 5"]);
    assert_eq!(between.told()[7..9], ["cancelled 3", "cancelled 5"]);
    before.replays_as::<Between>();
    between.replays_as::<Before>();
    is_nondeterminism(before.replay_as::<After>());
}

#[test]
fn a_start_whose_first_task_was_never_stored_is_new() {
    workflow!(W, |cx| {
        let new = cx.patched("new-way");
        Ok(cx.activity(Ship, &new.to_string()).await?)
    });
    let run = Run::start::<W>(&());
    let mut machine = machine::<W>(MachineOptions::default());
    machine.replay(run.events[..1].to_vec()).unwrap();
    machine.replayed().unwrap();
    let mut events = run.events[..1].to_vec();
    machine.first_commands(run.now, &mut events);
    assert_eq!(events, run.events);
    run.replays_as::<W>();
}

#[test]
fn a_divergence_shows_markers_only_where_they_are_what_differs() {
    workflow!(Other, |cx| {
        cx.activity(Ship, &"a".to_owned()).await?;
        let _ = cx.patched("new-way");
        Ok(cx.activity(Bill, &"new".to_owned()).await?)
    });
    let new = whole::<Both>();
    let check = |definition| retell::replay::check(&definition, &key(), &new.events).unwrap_err().to_string();
    let text = check(retell::workflow::definition::<Other>().unwrap());
    assert!(
        text.contains(r#"ActivityScheduled activity="Bill""#) && !text.contains("> PatchRecorded"),
        "{text}"
    );
    let text = check(retell::workflow::definition::<Forgotten>().unwrap());
    assert!(
        text.contains(r#"PatchRecorded patch="new-way""#) && text.contains("cx.deprecate_patch"),
        "{text}"
    );
}
