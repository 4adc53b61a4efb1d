//! Updates: checked, carried out, answered; and what becomes of those that nobody carries out.

use retell::history::{EventKind, UpdateRefusal, UpdateRequested};
use retell::vocabulary::{Headers, RequestId, UpdateName};
use retell::workflow::{UpdateType, WorkflowError};

use super::kit::*;

const ADD: UpdateType<u32, u32> = UpdateType::new("add");

workflow!(Sum, |cx| {
    let sum = cx.share(0);
    sum.handle_valid_update(
        ADD,
        |sum, more| match sum + more {
            0..100 => Ok(()),
            100..200 => Err(WorkflowError::new("too much")),
            _ => panic!("far too much"),
        },
        async |cx, sum, more| {
            sum.with(|sum| *sum += more);
            if more == 13 {
                return Err(WorkflowError::new("unlucky"));
            }
            cx.activity(Charge, &more.to_string()).await?;
            Ok(sum.read(|sum| *sum))
        },
    );
    cx.wait_until(&sum, |sum| *sum >= 50).await?;
    cx.sleep(seconds(1)).await?;
    Ok(sum.with(|sum| sum.to_string()))
});

fn update(run: &mut Run, name: &str, argument: &impl serde::Serialize) {
    let request_id = RequestId(uuid::Uuid::from_u128(run.events.len() as u128));
    let update = UpdateName::new(name).unwrap();
    run.take_in(UpdateRequested { update, input: payload(argument), request_id, headers: Headers::new() });
}

/// The names of the events from here on.
fn names(run: &Run, from: usize) -> Vec<&'static str> {
    run.events[from..].iter().map(|event| event.kind.name()).collect()
}

#[test]
fn an_update_is_let_in_carried_out_and_answered() {
    let mut run = Run::start::<Sum>(&());
    update(&mut run, "add", &7_u32);
    assert_eq!(names(&run, 1), ["UpdateRequested", "UpdateAccepted", "ActivityScheduled"]);
    run.complete(4, "charged");
    let EventKind::UpdateCompleted(completed) = &run.events.last().unwrap().kind else {
        panic!("{:?}", run.told())
    };
    assert_eq!(completed.result.decode::<u32>().unwrap(), 7);
    update(&mut run, "add", &13_u32);
    assert_eq!(names(&run, 6), ["UpdateRequested", "UpdateAccepted", "UpdateFailed"]);
    run.replays_as::<Sum>();
}

#[test]
fn a_refusal_is_an_event_and_hurts_nobody() {
    let mut run = Run::start::<Sum>(&());
    for (name, argument, wanted) in [
        ("add", payload(&150_u32), UpdateRefusal::Validator),
        ("add", payload(&900_u32), UpdateRefusal::Validator),
        ("add", payload("no number"), UpdateRefusal::Argument),
        ("subtract", payload(&1_u32), UpdateRefusal::Unknown),
    ] {
        let request_id = RequestId(uuid::Uuid::from_u128(run.events.len() as u128));
        run.take_in(UpdateRequested {
            update: UpdateName::new(name).unwrap(),
            input: argument,
            request_id,
            headers: Headers::new(),
        });
        let EventKind::UpdateRejected(rejected) = &run.events.last().unwrap().kind else {
            panic!("{:?}", run.told())
        };
        assert_eq!((rejected.request_id, rejected.refusal), (request_id, wanted), "{}", rejected.failure);
    }
    run.replays_as::<Sum>();
}

#[test]
fn updates_wait_for_the_first_handler_and_run_side_by_side() {
    workflow!(Late, |cx| {
        cx.sleep(seconds(1)).await?;
        let sum = cx.share(0);
        sum.handle_update(ADD, async |cx, sum, more| {
            cx.activity(Charge, &more.to_string()).await?;
            Ok(sum.with(|sum| {
                *sum += more;
                *sum
            }))
        });
        cx.wait_until(&sum, |sum| *sum == 3).await?;
        Ok(String::new())
    });
    let mut run = Run::start::<Late>(&());
    update(&mut run, "add", &1_u32);
    update(&mut run, "add", &2_u32);
    update(&mut run, "unknown", &());
    assert_eq!(run.machine.unread().len(), 3);
    run.fire();
    assert_eq!(
        names(&run, 6),
        ["UpdateAccepted", "UpdateAccepted", "ActivityScheduled", "ActivityScheduled", "UpdateRejected"]
    );
    run.complete(10, "second").complete(9, "first");
    assert_eq!(
        names(&run, 11),
        ["ActivityCompleted", "UpdateCompleted", "ActivityCompleted", "UpdateCompleted", "WorkflowCompleted"]
    );
    run.replays_as::<Late>();
}

#[test]
fn a_run_that_continues_leaves_what_it_has_not_let_in() {
    workflow!(W, |cx| {
        cx.sleep(seconds(1)).await?;
        cx.continue_as_new(W, &())
    });
    let mut run = Run::start::<W>(&());
    update(&mut run, "add", &1_u32);
    run.fire();
    assert!(run.machine.is_closed());
    assert!(matches!(&run.machine.unread()[..], [EventKind::UpdateRequested(_)]), "{:?}", run.told());
    run.replays_as::<W>();
}

#[test]
fn an_update_that_comes_at_the_end_waits_for_the_successor() {
    workflow!(W, |cx| {
        let sum = cx.share(0);
        sum.handle_update(ADD, async |_, sum, more| {
            Ok(sum.with(|sum| {
                *sum += more;
                *sum
            }))
        });
        cx.wait_until(&sum, |sum| *sum > 0).await?;
        cx.continue_as_new(W, &())
    });
    let mut run = Run::start::<W>(&());
    update(&mut run, "add", &1_u32);
    let request_id = RequestId(uuid::Uuid::from_u128(99));
    let late = UpdateRequested {
        update: UpdateName::new("add").unwrap(),
        input: payload(&2),
        request_id,
        headers: Headers::new(),
    };
    run.machine.absorb(late.clone().into(), &mut run.events);
    assert_eq!(run.machine.unread(), [late.into()]);
    run.replays_as::<W>();
}

#[test]
fn a_run_may_wait_for_its_handlers_before_it_ends() {
    workflow!(W, |cx| {
        let asked = cx.share(0);
        asked.handle_update(ADD, async |cx, asked, more| {
            asked.with(|asked| *asked += 1);
            cx.activity(Charge, &more.to_string()).await?;
            Ok(more)
        });
        cx.wait_until(&asked, |asked| *asked == 2).await?;
        cx.handlers_finished().await?;
        cx.handlers_finished().await?;
        Ok("all have their answers".to_owned())
    });
    let mut run = Run::start::<W>(&());
    update(&mut run, "add", &1_u32);
    update(&mut run, "add", &2_u32);
    assert!(!run.machine.is_closed());
    run.complete(7, "second");
    assert!(!run.machine.is_closed());
    run.complete(4, "first");
    assert_eq!(run.result(), "all have their answers");
    run.replays_as::<W>();
}
