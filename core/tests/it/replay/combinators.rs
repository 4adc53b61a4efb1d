//! Ordinary async: what the ecosystem offers over our futures, live and at replay.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{join, join_all};
use futures::stream::FuturesUnordered;

use super::kit::*;

#[test]
fn join_all_of_fifty_keeps_its_order_whatever_the_order_of_outcomes() {
    workflow!(W, |cx| {
        let calls = (0..50).map(|n| cx.activity(Ship, &n.to_string()));
        let results = join_all(calls).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(results.join(","))
    });
    let mut run = Run::start::<W>(&());
    for n in (0..50_u64).rev() {
        run.complete(n + 2, &n.to_string());
    }
    assert_eq!(run.result(), (0..50).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
    run.replays_as::<W>();
}

#[test]
fn futures_unordered_yields_in_the_order_of_history() {
    workflow!(W, |cx| {
        let mut calls: FuturesUnordered<_> = (0..5).map(|n| cx.activity(Ship, &n.to_string())).collect();
        let mut order = String::new();
        while let Some(done) = calls.next().await {
            order.push_str(&done?);
            cx.activity(Bill, &order).await?;
        }
        Ok(order)
    });
    let mut run = Run::start::<W>(&());
    for n in [3, 1, 4, 0, 2_u64] {
        run.complete(n + 2, &n.to_string());
        let billed = run.machine.open_activities().last().unwrap().0;
        run.complete(billed.0, "");
    }
    assert_eq!(run.result(), "31402");
    run.replays_as::<W>();
}

#[test]
fn a_oneshot_between_two_branches_works() {
    workflow!(W, |cx| {
        let (sender, receiver) = oneshot::channel();
        let sending = async {
            let shipped = cx.activity(Ship, &"a".to_owned()).await.unwrap();
            sender.send(shipped).unwrap();
        };
        let receiving = async {
            let shipped = receiver.await.unwrap();
            cx.activity(Bill, &shipped).await.unwrap()
        };
        // The receiver is polled first, so that it must be woken.
        let (billed, ()) = join(receiving, sending).await;
        Ok(billed)
    });
    let mut run = Run::start::<W>(&());
    run.complete(2, "shipped").complete(4, "billed");
    assert_eq!(run.told()[3], "scheduled Bill shipped");
    assert_eq!(run.result(), "billed");
    run.replays_as::<W>();
}

#[test]
fn a_stream_between_branches_works() {
    workflow!(W, |cx| {
        let (sender, receiver) = mpsc::unbounded();
        let sending = async {
            for n in 0..3 {
                cx.sleep(seconds(1)).await.unwrap();
                sender.unbounded_send(n).unwrap();
            }
            drop(sender);
        };
        let (numbers, ()) = join(receiver.collect::<Vec<u32>>(), sending).await;
        Ok(format!("{numbers:?}"))
    });
    let mut run = Run::start::<W>(&());
    run.fire().fire().fire();
    assert_eq!(run.result(), "[0, 1, 2]");
    run.replays_as::<W>();
}

#[test]
fn a_thousand_ready_oneshots_end_in_one_poll() {
    workflow!(W, |cx| {
        let mut sum = 0;
        for n in 0..1_000_u64 {
            // Tokio's, because they take part in its cooperative budget.
            let (sender, receiver) = tokio::sync::oneshot::channel();
            sender.send(n).unwrap();
            sum += receiver.await.unwrap();
        }
        cx.sleep(seconds(1)).await?;
        Ok(sum.to_string())
    });
    let mut run = Run::start::<W>(&());
    assert_eq!(run.told()[1..], ["timer 1s"]);
    run.fire();
    assert_eq!(run.result(), "499500");
}

/// Counts how often what is inside is polled.
struct Counted<F>(F, Arc<AtomicUsize>);

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll(cx)
    }
}

#[test]
fn of_ten_thousand_parallel_branches_only_the_concerned_one_is_polled() {
    static POLLS: std::sync::Mutex<Option<Arc<AtomicUsize>>> = std::sync::Mutex::new(None);
    let polls = Arc::new(AtomicUsize::new(0));
    *POLLS.lock().unwrap() = Some(polls.clone());
    workflow!(W, |cx| {
        let polls = POLLS.lock().unwrap().clone().unwrap();
        let branches = (0..10_000).map(|_| Counted(cx.activity(Ship, &String::new()), polls.clone()));
        Ok(join_all(branches).await.len().to_string())
    });
    let mut run = Run::start::<W>(&());
    assert_eq!(polls.swap(0, Ordering::Relaxed), 10_000);
    for branch in [5_000, 1, 9_999_u64] {
        run.complete(branch + 2, "");
        assert_eq!(polls.swap(0, Ordering::Relaxed), 1);
    }
}
