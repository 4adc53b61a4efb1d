//! Awaits that are not ours, found when they happen; and none reported that are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use futures::channel::oneshot;
use futures::future::{join, select};
use retell::replay::{MachineOptions, TaskError};
use retell::workflow::WorkflowContext;
use retell::write::TaskFailureKind;

use super::kit::*;

fn foreign(error: &TaskError) -> &str {
    assert_eq!(error.kind(), TaskFailureKind::ForeignAwait);
    match error {
        TaskError::ForeignAwait { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn tokio_used_inside_is_named_in_the_same_task() {
    workflow!(Timer, |cx| {
        cx.activity(Ship, &"a".to_owned()).detach()?;
        tokio::time::sleep(seconds(1)).await;
        Ok(String::new())
    });
    workflow!(Spawn, |_cx| {
        tokio::spawn(async {});
        Ok(String::new())
    });
    for error in [
        Run::try_start::<Timer>(&(), MachineOptions::default()).map(drop).unwrap_err(),
        Run::try_start::<Spawn>(&(), MachineOptions::default()).map(drop).unwrap_err(),
    ] {
        assert!(foreign(&error).contains("tokio"), "{error}");
    }
    let fail_run = MachineOptions { panics: retell::replay::PanicPolicy::FailRun, ..Default::default() };
    assert!(Run::try_start::<Spawn>(&(), fail_run).is_err(), "it is no panic of the user's");
}

/// Hands a sender from inside of a workflow to its test.
static HANDED_OUT: Mutex<Vec<(String, oneshot::Sender<()>)>> = Mutex::new(Vec::new());

fn hand_out(test: &str) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    HANDED_OUT.lock().unwrap().push((test.to_owned(), sender));
    receiver
}

fn handed_out(test: &str) -> oneshot::Sender<()> {
    let mut handed_out = HANDED_OUT.lock().unwrap();
    let index = handed_out.iter().rposition(|(name, _)| name == test).unwrap();
    handed_out.remove(index).1
}

fn counting_alarm() -> (Arc<AtomicUsize>, retell::replay::Alarm) {
    let alarms = Arc::new(AtomicUsize::new(0));
    let counter = alarms.clone();
    let alarm = move || {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    (alarms, Arc::new(alarm))
}

#[test]
fn a_wake_up_from_another_thread_raises_the_alarm_and_fails_the_next_step() {
    workflow!(W, |cx| {
        let receiver = hand_out("thread");
        let _ = select(receiver, cx.sleep(seconds(1))).await;
        Ok(String::new())
    });
    let (alarms, alarm) = counting_alarm();
    let mut run =
        Run::try_start::<W>(&(), MachineOptions { alarm: Some(alarm), ..Default::default() }).unwrap();
    let sender = handed_out("thread");
    thread::spawn(move || sender.send(())).join().unwrap().unwrap();
    assert_eq!(alarms.load(Ordering::SeqCst), 1);
    let error = run.machine.check().unwrap_err();
    assert!(foreign(&error).contains("wake-up"), "{error}");
    assert!(error.to_string().contains("tests/it/replay/foreign.rs:"), "{error}");
    let signal = run.signal_event("x", "y");
    assert_eq!(run.try_take_in(signal).unwrap_err(), error);
}

#[test]
fn a_wake_up_on_the_driving_thread_but_outside_of_the_machine_is_foreign_too() {
    workflow!(W, |cx| {
        let receiver = hand_out("same thread");
        let _ = select(receiver, cx.sleep(seconds(1))).await;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    handed_out("same thread").send(()).unwrap();
    foreign(&run.machine.check().unwrap_err());
}

#[test]
fn a_wake_up_from_another_machine_is_foreign() {
    workflow!(Receiving, |cx| {
        let receiver = hand_out("machines");
        let _ = select(receiver, cx.sleep(seconds(1))).await;
        Ok(String::new())
    });
    workflow!(Sending, |_cx| {
        handed_out("machines").send(()).unwrap();
        Ok(String::new())
    });
    let mut receiving = Run::start::<Receiving>(&());
    Run::start::<Sending>(&());
    foreign(&receiving.machine.check().unwrap_err());
}

#[test]
fn a_wake_up_during_the_poll_from_another_thread_is_found_in_the_same_task() {
    workflow!(W, |cx| {
        let (sender, receiver) = oneshot::channel();
        let waking = async {
            thread::spawn(move || sender.send(())).join().unwrap().unwrap();
        };
        let _ = join(receiver, waking).await;
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    let error = Run::try_start::<W>(&(), MachineOptions::default()).map(drop).unwrap_err();
    foreign(&error);
}

#[test]
fn a_waker_whose_future_is_gone_is_ignored() {
    workflow!(W, |_cx| {
        let waker = std::future::poll_fn(|task| std::task::Poll::Ready(task.waker().clone())).await;
        *WAKER.lock().unwrap() = Some(waker);
        Ok("end".to_owned())
    });
    static WAKER: Mutex<Option<std::task::Waker>> = Mutex::new(None);
    let mut run = Run::start::<W>(&());
    WAKER.lock().unwrap().take().unwrap().wake();
    run.machine.check().unwrap();
    assert_eq!(run.result(), "end");
}

#[test]
fn wakes_by_our_own_drop_are_ours() {
    workflow!(W, |cx| {
        // At eviction the sender is dropped first, which wakes the receiver's task.
        let (sender, receiver) = oneshot::channel::<()>();
        let holding = async move {
            let _sender = sender;
            cx.sleep(seconds(1)).await
        };
        let _ = join(holding, receiver).await;
        Ok(String::new())
    });
    let (alarms, alarm) = counting_alarm();
    let run = Run::try_start::<W>(&(), MachineOptions { alarm: Some(alarm), ..Default::default() }).unwrap();
    drop(run);
    assert_eq!(alarms.load(Ordering::SeqCst), 0);
}

#[test]
fn an_await_that_nothing_can_wake_fails_in_the_same_task_and_names_its_place() {
    workflow!(W, |cx| {
        cx.sleep(seconds(1)).await?;
        std::future::pending::<()>().await;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    let events = run.events.clone();
    run.now = run.now + seconds(1);
    let fired = retell::history::TimerFired { started: retell::vocabulary::EventId(2) };
    let error = run.try_take_in(fired.into()).unwrap_err();
    assert!(matches!(error, TaskError::NeverEndingAwait { .. }));
    assert!(error.to_string().contains("tests/it/replay/foreign.rs:"), "{error}");
    assert_eq!(run.events, events, "a failed task leaves nothing");
}

#[test]
fn a_detached_activity_keeps_no_await_alive() {
    workflow!(W, |cx| {
        cx.activity(Ship, &"a".to_owned()).detach()?;
        std::future::pending::<()>().await;
        Ok(String::new())
    });
    let error = Run::try_start::<W>(&(), MachineOptions::default()).map(drop).unwrap_err();
    assert!(matches!(error, TaskError::NeverEndingAwait { .. }));
}

#[test]
fn a_context_used_on_another_thread_is_found() {
    static CONTEXT: Mutex<Option<WorkflowContext>> = Mutex::new(None);
    workflow!(W, |cx| {
        *CONTEXT.lock().unwrap() = Some(cx.clone());
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    let mut run = Run::start::<W>(&());
    let cx = CONTEXT.lock().unwrap().take().unwrap();
    thread::spawn(move || cx.random_u64()).join().unwrap();
    let error = run.machine.check().unwrap_err();
    assert!(foreign(&error).contains("outside of its workflow"), "{error}");
}

#[test]
fn what_outlives_its_machine_raises_no_alarm() {
    static CONTEXT: Mutex<Option<WorkflowContext>> = Mutex::new(None);
    workflow!(W, |cx| {
        *CONTEXT.lock().unwrap() = Some(cx.clone());
        let receiver = hand_out("outlived");
        let _ = select(receiver, cx.sleep(seconds(1))).await;
        Ok(String::new())
    });
    let (alarms, alarm) = counting_alarm();
    drop(Run::try_start::<W>(&(), MachineOptions { alarm: Some(alarm), ..Default::default() }).unwrap());
    let _ = handed_out("outlived").send(());
    let _ = CONTEXT.lock().unwrap().take().unwrap().random_u64();
    assert_eq!(alarms.load(Ordering::SeqCst), 0);
}
