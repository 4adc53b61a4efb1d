//! Semaphore, mutex and channel between the branches of a workflow: first come, first served, at each replay.

use std::sync::Mutex as StdMutex;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use retell::prelude::*;
use retell::workflow::{Mutex, Semaphore, all};
use retell_tester::{Explorer, Tester, Trouble};

use super::work;

const SECOND: Duration = Duration::from_secs(1);

/// The order in which branches got the value, and what they made of it.
#[retell::workflow]
async fn one_at_a_time(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let account = Mutex::new(Vec::new());
    let (cx, account_) = (&cx, &account);
    let one = |number: u32| async move {
        let mut account = account_.lock().await;
        let before = account.len();
        let done = cx.activity(work, &number).await.unwrap_or_default();
        assert_eq!(account.len(), before, "nobody else had it meanwhile");
        account.push(done);
    };
    all((1..=4).map(one)).await;
    Ok(account.into_inner())
}

#[test]
fn a_mutex_is_held_across_awaits_and_goes_round_in_order() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(one_at_a_time).activity(work);
        tester.start(one_at_a_time, "mutex", ());
        tester
    })
    .crashes(1)
    .always("first come, first served", |ending| {
        ending.result(one_at_a_time, "mutex").unwrap().unwrap() == [1, 2, 3, 4]
    })
    .run();
    assert!(explored.complete(), "{explored}");
}

/// Small requests do not overtake a large one; who gives up leaves the line.
#[retell::workflow]
async fn shares_permits(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let (semaphore, order) = (Semaphore::new(2), StdMutex::new(Vec::new()));
    let (cx, semaphore, order) = (&cx, &semaphore, &order);
    let one = |(number, wanted): (u32, usize)| async move {
        let permit = semaphore.acquire_many(wanted).await;
        order.lock().unwrap().push(number);
        let slept = cx.sleep(SECOND).await;
        drop(permit);
        slept
    };
    let gives_up = async {
        assert!(cx.timeout(SECOND / 2, semaphore.acquire_many(2)).await.is_err());
        Ok(())
    };
    let (many, ()) = retell::join!(all([(1, 1), (2, 2), (3, 1), (4, 1)].map(one)), async {
        gives_up.await.unwrap_or_else(|error: WorkflowError| panic!("{error}"));
    });
    many.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(semaphore.available(), 2);
    assert!(semaphore.try_acquire().is_some());
    let order = order.lock().unwrap().clone();
    Ok(order)
}

#[test]
fn a_semaphore_is_fair_and_cancel_safe() {
    let tester = Tester::new().workflow(shares_permits);
    let began = tester.now();
    assert_eq!(tester.start(shares_permits, "permits", ()).result().unwrap(), [1, 2, 3, 4]);
    assert_eq!(tester.now(), began + 3 * SECOND, "the last two shared their second");
}

/// `futures`' channels need nothing of ours.
#[retell::workflow]
async fn pipeline(cx: WorkflowContext) -> WorkflowResult<Vec<u32>> {
    let (mut sender, mut receiver) = mpsc::channel(1);
    let send = async {
        for number in 0..5 {
            sender.send(cx.activity(work, &number).await?).await?;
        }
        drop(sender);
        Ok::<_, WorkflowError>(())
    };
    let receive = async {
        let mut received = Vec::new();
        while let Some(number) = receiver.next().await {
            received.push(cx.activity(work, &(10 * number)).await?);
        }
        Ok::<_, WorkflowError>(received)
    };
    let (sent, received) = retell::join!(send, receive);
    sent?;
    received
}

#[test]
fn a_channel_keeps_its_order_in_every_order_of_events() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(pipeline).activity(work);
        tester.start(pipeline, "pipe", ());
        tester
    })
    .always("in order", |ending| ending.result(pipeline, "pipe").unwrap().unwrap() == [0, 10, 20, 30, 40])
    .run();
    assert!(explored.complete() && explored.schedules > 1, "{explored}");
}

#[retell::workflow]
async fn locks_twice(_cx: WorkflowContext) -> WorkflowResult<()> {
    let mutex = Mutex::new(());
    let _held = mutex.lock().await;
    drop(mutex.lock().await);
    Ok(())
}

#[test]
fn a_deadlock_is_an_await_that_never_ends() {
    let tester = Tester::new().workflow(locks_twice);
    let trouble = tester.start(locks_twice, "twice", ()).try_result().unwrap_err();
    assert!(matches!(trouble, Trouble::TaskFailed { .. }), "{trouble}");
}
