//! Signals: who takes which, and when.

use futures::future::{Either, join, select};
use futures::{FutureExt, StreamExt};
use retell::history::EventKind;
use retell::workflow::SignalType;

use super::kit::*;

#[test]
fn signals_before_anyone_listens_wait_in_order_without_limit() {
    workflow!(W, |cx| {
        cx.sleep(seconds(1)).await?;
        for expected in 0..500_u32 {
            assert_eq!(cx.signal::<u32>("n").await?, expected);
        }
        Ok(cx.signal::<String>("other").await?)
    });
    let mut run = Run::start::<W>(&());
    run.signal("other", "end");
    for n in 0..500_u32 {
        run.signal("n", &n);
    }
    assert_eq!(run.machine.unread().len(), 501);
    run.fire();
    assert_eq!(run.result(), "end");
    assert!(run.machine.unread().is_empty());
    run.replays_as::<W>();
}

#[test]
fn an_undecodable_signal_is_set_aside_and_the_wait_goes_on() {
    workflow!(W, |cx| Ok(cx.signal::<u32>("n").await?.to_string()));
    let mut run = Run::start::<W>(&());
    run.signal("n", "no number");
    let EventKind::SignalSetAside(aside) = &run.events[2].kind else { panic!("{:?}", run.events) };
    assert_eq!(aside.signal.as_str(), "n");
    run.signal("n", &7);
    assert_eq!(run.result(), "7");
    run.replays_as::<W>();
}

#[test]
fn code_that_takes_what_was_set_aside_is_nondeterministic() {
    workflow!(Number, |cx| Ok(cx.signal::<u32>("n").await?.to_string()));
    workflow!(Text, |cx| Ok(cx.signal::<String>("n").await?));
    let mut run = Run::start::<Number>(&());
    run.signal("n", "no number");
    let error = run.replay_as::<Text>().unwrap_err();
    assert!(error.to_string().contains("SignalSetAside \"n\""), "{error}");
}

#[test]
fn a_stream_yields_signals_in_order_and_drains_what_is_there() {
    const N: SignalType<u32> = SignalType::new("n");
    workflow!(W, |cx| {
        let mut numbers = cx.signals(N);
        let first = numbers.next().await.unwrap()?;
        cx.sleep(seconds(1)).await?;
        let drained = numbers.drain();
        let last = numbers.recv().await?;
        Ok(format!("{first} {drained:?} {last} {:?}", numbers.drain()))
    });
    let mut run = Run::start::<W>(&());
    run.signal("n", &1).signal("n", &2).signal("n", "no number").signal("n", &3).fire();
    assert!(run.events.iter().any(|event| matches!(event.kind, EventKind::SignalSetAside(_))));
    run.signal("n", &4);
    assert_eq!(run.result(), "1 [2, 3] 4 []");
    run.replays_as::<W>();
}

#[test]
fn a_stream_ends_when_the_run_is_cancelled() {
    workflow!(W, |cx| {
        let (mut seen, mut numbers) = (Vec::new(), cx.signals::<u32>("n"));
        while let Some(number) = numbers.next().await {
            seen.push(number.is_ok());
        }
        Ok(format!("{seen:?}"))
    });
    let mut run = Run::start::<W>(&());
    run.signal("n", &1).cancel();
    assert_eq!(run.result(), "[true, false]");
    run.replays_as::<W>();
}

#[test]
fn receivers_of_one_name_are_served_in_the_order_in_which_they_came() {
    workflow!(W, |cx| {
        let (first, second) = join(cx.signal::<String>("go"), cx.signal::<String>("go")).await;
        Ok(format!("{} {}", first?, second?))
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "1").signal("go", "2");
    assert_eq!(run.result(), "1 2");
    run.replays_as::<W>();
}

#[test]
fn a_receiver_dropped_between_wake_and_poll_leaves_the_message_to_the_next() {
    // Both branches wait for the message; the one that is woken is dropped by the other before it is polled, which
    // the order in which FuturesUnordered polls makes possible.
    workflow!(W, |cx| {
        let mut woken = cx.signal::<String>("go");
        let mut next = Box::pin(cx.signal::<String>("go").map(|message| message.unwrap()));
        assert!(poll_once(&mut woken).await.is_pending());
        assert!(poll_once(&mut next).await.is_pending());
        let mut woken = Some(woken);
        let mut spins = 0;
        let message = std::future::poll_fn(|task| {
            spins += 1;
            if spins > 1 {
                // Woken for the message: the receiver that it was meant for goes.
                drop(woken.take());
            }
            // The next one is woken by that drop, and polled in the next round only.
            if spins > 2 { next.poll_unpin(task) } else { std::task::Poll::Pending }
        })
        .await;
        Ok(format!("{message} after {spins}"))
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "message");
    assert_eq!(run.result(), "message after 3");
    run.replays_as::<W>();
}

#[test]
fn the_loser_of_a_race_takes_no_message() {
    workflow!(W, |cx| {
        let Either::Right((_, lost)) = select(cx.signal::<String>("go"), cx.sleep(seconds(1))).await else {
            panic!("the signal has not come")
        };
        drop(lost);
        Ok(cx.signal::<String>("go").await?)
    });
    let mut run = Run::start::<W>(&());
    run.fire().signal("go", "kept");
    assert_eq!(run.result(), "kept");
    run.replays_as::<W>();
}

#[test]
fn a_message_goes_to_whoever_polls_first_and_the_other_waits_on() {
    workflow!(W, |cx| {
        let mut early = cx.signal::<String>("go");
        assert!(poll_once(&mut early).await.is_pending());
        cx.sleep(seconds(1)).await?;
        let late = cx.signal::<String>("go").await?;
        Ok(format!("{late} {}", early.await?))
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "1").fire().signal("go", "2");
    assert_eq!(run.result(), "1 2");
    run.replays_as::<W>();
}

#[test]
fn a_message_whose_receiver_is_held_without_being_polled_goes_to_the_next() {
    workflow!(W, |cx| {
        let holding = async {
            let mut held = cx.signal::<String>("go");
            let _ = poll_once(&mut held).await;
            cx.sleep(seconds(3_600)).await.unwrap();
            held.await.unwrap()
        };
        let receiving = async {
            let message = cx.signal::<String>("go").await.unwrap();
            cx.activity(Ship, &message).await.unwrap()
        };
        let mut branches = futures::stream::FuturesUnordered::<futures::future::BoxFuture<'_, String>>::new();
        branches.push(Box::pin(holding));
        branches.push(Box::pin(receiving));
        let first = branches.next().await.unwrap();
        let second = branches.next().await.unwrap();
        Ok(format!("{first} {second}"))
    });
    let mut run = Run::start::<W>(&());
    run.signal("go", "1");
    assert_eq!(run.told()[3..], ["scheduled Ship 1"], "the one that is polled has it, at once");
    run.complete(4, "shipped").signal("go", "2").fire();
    assert_eq!(run.result(), "shipped 2");
    run.replays_as::<W>();
}
