//! Conditions over the code's own state: when they are looked at, and how such a wait ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use retell::replay::{MachineOptions, TaskError};

use super::kit::*;

#[test]
fn a_condition_is_met_by_what_another_branch_does_in_the_same_step() {
    workflow!(W, |cx| {
        let seen = cx.share(Vec::new());
        let (waited, _) = retell::join!(
            async {
                cx.wait_until(&seen, |seen| seen.len() >= 2).await?;
                cx.activity(Ship, &seen.read(|seen| seen.concat())).await
            },
            async {
                while seen.read(Vec::len) < 3 {
                    let message: String = cx.signal("go").await.unwrap();
                    seen.with(|seen| seen.push(message));
                }
            }
        );
        Ok(waited?)
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "a").signal("go", "b").signal("go", "c").complete(4, "shipped");
    assert_eq!(run.told()[1..4], ["signal go a", "signal go b", "scheduled Ship ab"]);
    assert_eq!(run.result(), "shipped");
    run.replays_as::<W>();
}

#[test]
fn conditions_that_meet_each_other_are_all_met_whatever_their_order() {
    workflow!(W, |cx| {
        let reached = cx.share(0);
        let (cx, at) = (&cx, &reached);
        // The last in line is met first.
        let chain = (0..100_usize).map(|n| async move {
            cx.wait_until(at, move |at| *at == 100 - n).await.unwrap();
            at.with(|at| *at += 1);
        });
        let start = async {
            cx.sleep(seconds(1)).await.unwrap();
            at.with(|at| *at = 1);
        };
        retell::join!(join_all(chain), start);
        Ok(reached.read(|at| at.to_string()))
    });
    let mut run = Run::start::<W>(&());
    run.fire();
    assert_eq!(run.result(), "101");
    run.replays_as::<W>();
}

#[test]
fn a_condition_is_looked_at_when_its_value_has_changed_and_not_else() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    workflow!(W, |cx| {
        let (value, other) = (cx.share(0), cx.share(0));
        value.handle_signal("go", |value, _: String| *value += 1);
        other.handle_signal("elsewhere", |other, _: String| *other += 1);
        let read = value.clone();
        value.handle_query("value", move |value, ()| *value);
        cx.wait_until(&value, |value| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            *value == 10
        })
        .await?;
        Ok(read.read(|value| value.to_string()))
    });
    let asked = || ASKED.load(Ordering::Relaxed);
    let mut run = Run::start::<W>(&());
    assert_eq!(asked(), 1, "when it is first polled");
    run.signal("nobody listens", "").signal("elsewhere", "").signal("elsewhere", "");
    let name = retell::vocabulary::QueryName::new("value").unwrap();
    run.machine.query(&name, &payload(&()), &retell::vocabulary::Headers::new()).unwrap();
    assert_eq!(asked(), 1, "the value has not changed");
    run.signal("go", "");
    assert_eq!(asked(), 2);
    (1..10).for_each(|_| _ = run.signal("go", ""));
    assert_eq!((asked(), run.result()), (11, "10".to_owned()));
    run.replays_as::<W>();
}

#[test]
fn those_who_wait_look_in_the_order_in_which_they_began_to() {
    workflow!(W, |cx| {
        let (value, order) = (cx.share(0), cx.share(String::new()));
        let waits = (0..5_u8).map(|n| {
            let (cx, value, order) = (&cx, &value, &order);
            async move {
                cx.wait_until(value, |value| *value > 0).await.unwrap();
                order.with(|order| order.push(char::from(b'a' + n)));
                // Whoever waits again stands where he stood.
                cx.wait_until(value, |value| *value > 1).await.unwrap();
                order.with(|order| order.push(char::from(b'A' + n)));
            }
        });
        let changes = async {
            for _ in 0..2 {
                let _: String = cx.signal("go").await.unwrap();
                value.with(|value| *value += 1);
            }
        };
        retell::join!(join_all(waits), changes);
        Ok(order.read(String::clone))
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "").signal("go", "");
    assert_eq!(run.result(), "abcdeABCDE");
    run.replays_as::<W>();
}

#[test]
fn conditions_alone_are_an_await_that_never_ends() {
    workflow!(W, |cx| {
        let value = cx.share(());
        retell::join!(cx.wait_until(&value, |()| false), cx.wait_until(&value, |()| false)).0?;
        Ok(String::new())
    });
    let error = Run::try_start::<W>(&(), MachineOptions::default()).err().unwrap();
    let TaskError::NeverEndingAwait { place } = error else { panic!("{error}") };
    assert!(place.unwrap().file.ends_with("conditions.rs"));
}

#[test]
fn a_condition_that_rests_with_a_timer_is_none_until_that_has_fired() {
    workflow!(W, |cx| {
        let value = cx.share(());
        retell::join!(cx.wait_until(&value, |()| false), cx.sleep(seconds(1))).0?;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    let started = run.machine.due(START + seconds(1)).unwrap();
    let fired = run.try_take_in(retell::history::TimerFired { started }.into());
    assert!(matches!(fired, Err(TaskError::NeverEndingAwait { .. })), "{fired:?}");
}

#[test]
fn a_cancel_request_ends_the_wait_and_a_shield_holds() {
    workflow!(W, |cx| {
        let done = cx.share(false);
        let shielded = cx.shielded();
        let (open, kept, _) = retell::join!(
            cx.wait_until(&done, |done| *done),
            shielded.wait_until(&done, |done| *done),
            async {
                shielded.signal::<String>("go").await.unwrap();
                done.with(|done| *done = true);
            }
        );
        let scope = cx.shielded().scope();
        let mut dropped = scope.cx().wait_until(&done, |_| false);
        let _ = poll_once(&mut dropped).await;
        scope.cancel();
        Ok(format!("{} {} {}", open.is_err(), kept.is_ok(), dropped.await.is_err()))
    });
    let mut run = Run::start::<W>(&());
    run.cancel().signal("go", "");
    assert_eq!(run.result(), "true true true");
    run.replays_as::<W>();
}
