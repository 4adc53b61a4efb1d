//! Conditions over the code's own state: when they are asked, and how such a wait ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use retell::replay::{MachineOptions, TaskError};

use super::kit::*;

#[test]
fn a_condition_is_met_by_what_another_branch_does_in_the_same_step() {
    workflow!(W, |cx| {
        let seen = Mutex::new(Vec::new());
        let count = || seen.lock().unwrap().len();
        let (waited, _) = retell::join!(
            async {
                cx.until(|| count() >= 2).await?;
                let seen = seen.lock().unwrap().concat();
                cx.activity(Ship, &seen).await
            },
            async {
                while count() < 3 {
                    let message: String = cx.signal("go").await.unwrap();
                    seen.lock().unwrap().push(message);
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
        let reached = AtomicUsize::new(0);
        let (cx, at) = (&cx, &reached);
        // The last in line is met first.
        let chain = (0..100_usize).map(|n| async move {
            cx.until(|| at.load(Ordering::Relaxed) == 100 - n).await.unwrap();
            at.fetch_add(1, Ordering::Relaxed);
        });
        let start = async {
            cx.sleep(seconds(1)).await.unwrap();
            at.store(1, Ordering::Relaxed);
        };
        retell::join!(join_all(chain), start);
        Ok(reached.into_inner().to_string())
    });
    let mut run = Run::start::<W>(&());
    run.fire();
    assert_eq!(run.result(), "101");
    run.replays_as::<W>();
}

#[test]
fn a_condition_is_asked_once_for_each_step_that_moves_something() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    workflow!(W, |cx| {
        let never = cx.until(|| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            false
        });
        let signals = async {
            for _ in 0..10 {
                let _ = cx.signal::<String>("go").await;
            }
        };
        futures::future::select(Box::pin(signals), never).await;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    // The first poll, and once more when all rests.
    assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    run.signal("nobody listens", "").signal("nobody listens", "");
    assert_eq!(ASKED.load(Ordering::Relaxed), 2, "nothing has moved");
    run.signal("go", "");
    // As one of two that are polled together, and again when all rests.
    assert_eq!(ASKED.load(Ordering::Relaxed), 4);
    (1..10).for_each(|_| _ = run.signal("go", ""));
    assert!(run.machine.is_closed());
}

#[test]
fn conditions_alone_are_an_await_that_never_ends() {
    workflow!(W, |cx| {
        retell::join!(cx.until(|| false), cx.until(|| false)).0?;
        Ok(String::new())
    });
    let error = Run::try_start::<W>(&(), MachineOptions::default()).err().unwrap();
    let TaskError::NeverEndingAwait { place } = error else { panic!("{error}") };
    assert!(place.unwrap().file.ends_with("conditions.rs"));
}

#[test]
fn a_condition_that_rests_with_a_timer_is_none_until_that_has_fired() {
    workflow!(W, |cx| {
        retell::join!(cx.until(|| false), cx.sleep(seconds(1))).0?;
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
        let done = Mutex::new(false);
        let shielded = cx.shielded();
        let (open, kept, _) = retell::join!(
            cx.until(|| *done.lock().unwrap()),
            shielded.until(|| *done.lock().unwrap()),
            async {
                shielded.signal::<String>("go").await.unwrap();
                *done.lock().unwrap() = true;
            }
        );
        let scope = cx.shielded().scope();
        let mut dropped = scope.cx().until(|| false);
        let _ = poll_once(&mut dropped).await;
        scope.cancel();
        Ok(format!("{} {} {}", open.is_err(), kept.is_ok(), dropped.await.is_err()))
    });
    let mut run = Run::start::<W>(&());
    run.cancel().signal("go", "");
    assert_eq!(run.result(), "true true true");
    run.replays_as::<W>();
}
