//! Crashes: the worker dies where work was done and nobody has heard of it yet.

use std::cell::Cell;

use retell::prelude::*;
use retell_tester::{Explorer, Tester};

use super::{
    GOODS_OR_MONEY, Outside, charge, check, did, goods_or_money, order, order_with, refund, ship, times,
};

/// A bank that keeps the keys of what it has been asked, and does nothing for a key that it knows.
#[retell::activity]
async fn charge_under_key(cx: ActivityContext) -> Result<(), ActivityError> {
    let (outside, key) = (cx.state::<Outside>()?, cx.idempotency_key());
    if outside.times(&key) == 0 {
        outside.did(key);
        outside.did("charge");
    }
    Ok(())
}

/// The bug is in its activity: it is tried again when the worker dies, and then charges again.
#[retell::workflow]
async fn charges_each_attempt(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(charge, &()).await?;
    Ok(cx.activity(ship, &()).await?)
}

#[retell::workflow]
async fn charges_under_a_key(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(charge_under_key, &()).await?;
    Ok(cx.activity(ship, &()).await?)
}

#[test]
fn charged_twice_when_the_worker_dies() {
    const ONCE: &str = "an order is charged once";
    let explorer = |order: Explorer| order.crashes(1).always(ONCE, |ending| times(ending, "charge") == 1);
    check(
        &explorer(order(charges_each_attempt)),
        &explorer(order_with(charges_under_a_key, |shop| shop.activity(charge_under_key))),
        ONCE,
        &["the worker dies"],
    );
}

/// The bug: a charge that nobody heard of is taken for one that was not made.
#[retell::workflow]
async fn never_tries_again(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(charge, &()).retry(RetryPolicy::never()).await?;
    Ok(cx.activity(ship, &()).retry(RetryPolicy::never()).await?)
}

#[retell::workflow]
async fn refunds_what_went_unheard(cx: WorkflowContext) -> WorkflowResult<()> {
    if let Err(error) = cx.activity(charge, &()).retry(RetryPolicy::never()).await {
        cx.activity(refund, &()).await?;
        return Err(error.into());
    }
    // Whoever ships looks first whether the parcel has left.
    Ok(cx.activity(ship_once, &()).await?)
}

#[retell::activity]
async fn ship_once(cx: ActivityContext) -> Result<(), ActivityError> {
    if cx.state::<Outside>()?.times("ship") == 0 { did(&cx, "ship") } else { Ok(()) }
}

#[test]
fn never_tried_again_and_the_worker_dies() {
    let explorer = |order: Explorer| order.crashes(1).always(GOODS_OR_MONEY, goods_or_money);
    check(
        &explorer(order(never_tries_again)),
        &explorer(order_with(refunds_what_went_unheard, |shop| shop.activity(ship_once))),
        GOODS_OR_MONEY,
        &["the worker dies"],
    );
}

thread_local! {
    /// What the process remembers. A schedule has a thread, and begins with a process of its own.
    static RATE: Cell<Option<u32>> = const { Cell::new(None) };
}

#[retell::activity]
async fn fetch_rate(_cx: ActivityContext) -> Result<u32, ActivityError> {
    Ok(7)
}

/// The bug: the process remembers what the history does not know of, so that a replay asks for less.
#[retell::workflow]
async fn keeps_a_rate_in_the_process(cx: WorkflowContext) -> WorkflowResult<u32> {
    if let Some(rate) = RATE.get() {
        return Ok(rate);
    }
    let rate = cx.activity(fetch_rate, &()).await?;
    RATE.set(Some(rate));
    Ok(rate)
}

#[retell::workflow]
async fn asks_for_the_rate(cx: WorkflowContext) -> WorkflowResult<u32> {
    Ok(cx.activity(fetch_rate, &()).await?)
}

#[test]
fn state_kept_in_the_process() {
    fn explorer<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
        Explorer::new(move |tester| {
            RATE.set(None);
            let tester = tester.activity(fetch_rate).workflow(workflow);
            tester.start(workflow, "price", ());
            tester
        })
        .crashes(1)
    }
    check(
        &explorer(keeps_a_rate_in_the_process),
        &explorer(asks_for_the_rate),
        "the workflow replays its own history",
        &[],
    );
}

thread_local! {
    /// The roll of numbers at the entrance, which no crash winds back; each schedule begins with a new one.
    static ROLL: Cell<u32> = const { Cell::new(0) };
}

fn tear_off() -> u32 {
    ROLL.set(ROLL.get() + 1);
    ROLL.get()
}

/// The bug: a side effect may run again before its value is stored, and this one changes the world.
#[retell::workflow]
async fn tears_off_in_a_side_effect(cx: WorkflowContext) -> WorkflowResult<u32> {
    cx.activity(charge, &()).await?;
    Ok(cx.side_effect(tear_off).await?)
}

#[retell::workflow]
async fn tears_off_in_an_activity(cx: WorkflowContext) -> WorkflowResult<u32> {
    cx.activity(charge, &()).await?;
    Ok(cx.activity(torn_off, &()).await?)
}

/// Gives all attempts of a call the same number.
#[retell::activity]
async fn torn_off(cx: ActivityContext) -> Result<u32, ActivityError> {
    let (outside, key) = (cx.state::<Outside>()?, cx.idempotency_key());
    if outside.times(&key) == 0 {
        outside.did(key);
        outside.did("tear off");
    }
    Ok(1)
}

#[test]
fn an_effect_before_its_record() {
    const NO_GAP: &str = "each number that was torn off is somebody's";
    fn explorer<W: Workflow<Input = (), Output = u32>, M>(
        workflow: impl NamesWorkflow<W, M> + Copy,
    ) -> Explorer {
        let outside = |shop: Tester| {
            ROLL.set(0);
            shop.activity(torn_off)
        };
        order_with(workflow, outside)
            .crashes(1)
            .always(NO_GAP, |ending| usize::try_from(ROLL.get()).unwrap() + times(ending, "tear off") == 1)
    }
    check(
        &explorer(tears_off_in_a_side_effect),
        &explorer(tears_off_in_an_activity),
        NO_GAP,
        &["order: charge#1 ends, and the worker dies before commit 2"],
    );
}
