//! Random programs, driven live, then replayed from what they produced and driven on.
//!
//! A program is a tree of sequences, joins, races, sleeps, activities and signals, made from a seed. Its result tells
//! in which order everything came, so that a replay that differs anywhere ends differently.

use futures::future::{BoxFuture, Either, join_all, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use retell::replay::MachineOptions;
use retell::workflow::WorkflowContext;

use super::kit::*;

/// A small generator for the tests' own choices (splitmix64).
#[derive(Clone)]
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn leaf(cx: &WorkflowContext, kind: u64, label: u64) -> BoxFuture<'static, String> {
    let cx = cx.clone();
    async move {
        match kind {
            0 => format!("s{}", cx.sleep(seconds(label % 7)).await.is_ok()),
            1 => format!("g{:?}", cx.signal::<u64>("n").await.ok()),
            2 => format!("r{:?}", cx.side_effect(move || label).await.ok()),
            3 => {
                let detached = cx.activity(Charge, &label.to_string()).detach();
                format!("d{} {}", detached.is_ok(), cx.random_range(0..9))
            }
            _ => format!("a{:?}", cx.activity(Ship, &label.to_string()).await.ok()),
        }
    }
    .boxed()
}

/// Runs a tree of this depth and tells what came of it, in order.
fn tree(cx: WorkflowContext, mut choices: Choices, depth: u64) -> BoxFuture<'static, String> {
    async move {
        let (shape, width) = (choices.below(6), choices.below(4) + 1);
        if depth == 0 {
            return leaf(&cx, shape, choices.below(1_000)).await;
        }
        let cx = if choices.below(5) == 0 { cx.shielded() } else { cx };
        let mut child = |n: u64| tree(cx.clone(), Choices(choices.below(u64::MAX) ^ n), depth - 1);
        match shape {
            0 => join_all((0..width).map(child)).await.concat(),
            1 => {
                let mut unordered: FuturesUnordered<_> = (0..width).map(child).collect();
                let mut told = String::new();
                while let Some(next) = unordered.next().await {
                    told.push_str(&next);
                }
                told
            }
            2 | 3 => match select(child(0), child(1)).await {
                Either::Left((told, loser)) => {
                    if shape == 2 {
                        drop(loser);
                        format!("<{told}")
                    } else {
                        format!("<{told}{}", loser.await)
                    }
                }
                Either::Right((told, _)) => format!(">{told}"),
            },
            _ => {
                let mut told = String::new();
                for n in 0..width {
                    told.push_str(&child(n).await);
                }
                told
            }
        }
    }
    .boxed()
}

workflow!(W, |cx, seed: u64| -> String { Ok(tree(cx.clone(), Choices(seed), 4).await) });

/// One random thing that may happen to the run; never one that cannot.
fn happens(run: &mut Run, choices: &mut Choices) {
    let activities = run.machine.open_activities();
    let effects = run.machine.open_side_effects();
    match choices.below(12) {
        0..=3 if run.machine.next_due().is_some() => {
            run.fire();
        }
        4..=7 if !activities.is_empty() => {
            let chosen = &activities[choices.below(activities.len() as u64) as usize];
            run.complete(chosen.0.0, &format!("{}!", choices.below(100)));
        }
        8 | 9 if !effects.is_empty() => {
            let scheduled = effects[choices.below(effects.len() as u64) as usize];
            if let Some(closure) = run.machine.take_side_effect(scheduled) {
                let value = closure().unwrap();
                run.take_in(retell::history::SideEffectRecorded { scheduled, value });
            }
        }
        10 if choices.below(20) == 0 => {
            run.cancel();
        }
        _ => {
            run.signal("n", &choices.below(10));
        }
    }
}

/// Replays the history in pages of random sizes on a fresh machine.
fn again(run: &Run, choices: &mut Choices) -> retell::replay::Machine {
    let mut machine = machine::<W>(MachineOptions::default());
    let mut rest = &run.events[..];
    while !rest.is_empty() {
        let (page, behind) = rest.split_at(choices.below(rest.len() as u64 + 1) as usize);
        machine.replay(page.to_vec()).unwrap();
        rest = behind;
    }
    machine.replayed().unwrap();
    machine
}

fn check(seed: u64) {
    println!("seed {seed}");
    let mut choices = Choices(seed);
    let mut live = Run::start::<W>(&seed);
    for _ in 0..2_000 {
        if live.machine.is_closed() {
            break;
        }
        if choices.below(4) == 0 {
            let replayed = again(&live, &mut choices);
            assert_eq!(replayed.head(), live.machine.head());
            assert_eq!(replayed.last_at(), live.machine.last_at());
            assert_eq!(replayed.next_due(), live.machine.next_due());
            assert_eq!(replayed.open_activities(), live.machine.open_activities());
            assert_eq!(replayed.unread(), live.machine.unread());
            // From here on the replayed one is the live one: what it does is checked by the next replays.
            live.machine = replayed;
        }
        happens(&mut live, &mut choices);
    }
    assert!(live.machine.is_closed(), "the program did not end");
    assert!(again(&live, &mut choices).is_closed());
}

#[test]
fn random_programs_replay_and_go_on_as_they_did_live() {
    for seed in 0..400 {
        check(seed);
    }
}
