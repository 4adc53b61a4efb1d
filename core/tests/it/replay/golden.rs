//! A golden history of each version of the engine's semantics: it replays for ever, and today's engine still makes it.
//!
//! `tests/golden/semantics_<version>.txt` is what the workflow below left when its semantics were new; a file that
//! stands there is never changed. `RETELL_GOLDEN=write` writes the one that is missing.

use std::fs;
use std::path::{Path, PathBuf};

use futures::future::{Either, join, select};
use retell::history::{
    ChildWorkflowCompleted, ChildWorkflowContinued, ChildWorkflowStarted, ChildWorkflowTerminated, Event,
    EventKind, ExternalDelivered, ExternalRefused, SideEffectRecorded, from_text, to_text,
};
use retell::replay::MachineOptions;
use retell::vocabulary::{EventId, Failure, Purpose, RequestId, SemanticsVersion};

use super::kit::*;

// Everything that leaves an event, and everything that is drawn: never changed once it is released, only added to
// under a new name and a new file.
workflow!(Semantics1, |cx| {
    let drawn = format!("{} {} {}", cx.random_u64(), cx.random_range(10..20), cx.uuid());
    cx.activity(Charge, &drawn).detach()?;
    let (failed, recorded) =
        join(cx.activity(Ship, &"fails".to_owned()), cx.side_effect(|| "outside".to_owned())).await;
    let failed = failed.unwrap_err().failure().unwrap().to_string();
    let told = format!("{failed} {} {:.3}", recorded?, cx.random_f64());
    match select(cx.signal::<String>("go"), cx.sleep(seconds(60))).await {
        Either::Left((message, _)) => cx.activity(Bill, &format!("{told} {}", message?)).await?,
        Either::Right(_) => panic!("the signal comes first"),
    };
    cx.sleep_until(cx.now() + seconds(5)).await?;
    let cancelled = cx.activity(Ship, &"cancelled".to_owned()).await.is_err();
    cx.shielded().activity(Ship, &format!("clean up {cancelled}")).await?;
    cx.continue_as_new(Semantics1, &())
});

fn live() -> Run {
    let mut run = Run::start::<Semantics1>(&());
    run.fail(3, Failure::new("Broken", "it broke"));
    run.take_in(SideEffectRecorded { scheduled: EventId(4), value: payload("outside") });
    run.signal("go", "now");
    let billed = run.machine.open_activities().last().unwrap().0;
    run.complete(billed.0, "billed").fire().signal("go", "unread").cancel();
    let cleaned = run.machine.open_activities().last().unwrap().0;
    run.complete(cleaned.0, "cleaned");
    run
}

// As above, for children and other runs.
workflow!(Children1, |cx| {
    let child = cx.child(Children1, &()).started().await?;
    child.signal("go", &7).await?;
    let (named, refused) =
        join(cx.child(Children1, &()).id("named"), cx.external("nobody").cancel("enough")).await;
    let told = format!("{:?} {}", named.unwrap_err(), refused.unwrap_err());
    cx.child(Children1, &()).detach()?;
    drop(select(cx.child(Children1, &()), cx.sleep(seconds(1))).await);
    Ok(told + &child.result().await?)
});

fn live_children() -> Run {
    let mut run = Run::start::<Children1>(&());
    let child = |run: &Run, event: usize| match &run.events[event - 1].kind {
        EventKind::ChildWorkflowScheduled(body) => (EventId(event as u64), body.run_id),
        other => panic!("{other:?}"),
    };
    let request = |run: &Run, event| {
        (EventId(event), RequestId(run.machine.run_id().derive(EventId(event), Purpose::Request)))
    };
    let first = child(&run, 2);
    run.take_in(ChildWorkflowStarted { scheduled: first.0, run_id: first.1 });
    let (requested, request_id) = request(&run, 4);
    run.take_in(ExternalDelivered { requested, request_id });
    let (scheduled, run_id) = child(&run, 6);
    run.take_in(ChildWorkflowContinued { scheduled, run_id });
    run.take_in(ChildWorkflowTerminated { scheduled, run_id, reason: "by hand".into() });
    let (requested, request_id) = request(&run, 7);
    run.take_in(ExternalRefused { requested, request_id });
    run.fire();
    let (scheduled, run_id) = first;
    run.take_in(ChildWorkflowCompleted { scheduled, run_id, result: payload("done") });
    run
}

#[test]
fn a_golden_history_with_children_replays_for_ever_and_is_still_what_this_engine_makes() {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/semantics_1_children.txt");
    if std::env::var_os("RETELL_GOLDEN").is_some() && !path.exists() {
        fs::write(&path, to_text(&live_children().events)).unwrap();
    }
    let golden = from_text(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut machine = machine::<Children1>(MachineOptions::default());
    machine.replay(golden.clone()).unwrap();
    machine.replayed().unwrap();
    assert!(machine.is_closed());
    assert_eq!(machine.family().children().count(), 1, "the detached one is left to its policy");
    assert_eq!(to_text(&without_places(live_children().events)), to_text(&without_places(golden)));
}

fn without_places(mut events: Vec<Event>) -> Vec<Event> {
    events.iter_mut().for_each(|event| event.place = None);
    events
}

#[test]
fn a_golden_history_replays_for_ever_and_is_still_what_this_engine_makes() {
    assert_eq!(
        SemanticsVersion::CURRENT,
        SemanticsVersion(1),
        "a new version needs a golden history of its own"
    );
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/semantics_1.txt");
    if std::env::var_os("RETELL_GOLDEN").is_some() && !path.exists() {
        fs::write(&path, to_text(&live().events)).unwrap();
    }
    let golden = from_text(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut machine = machine::<Semantics1>(MachineOptions::default());
    machine.replay(golden.clone()).unwrap();
    machine.replayed().unwrap();
    assert!(machine.is_closed());
    assert_eq!(machine.unread().len(), 1);
    assert_eq!(to_text(&without_places(live().events)), to_text(&without_places(golden)));
}
