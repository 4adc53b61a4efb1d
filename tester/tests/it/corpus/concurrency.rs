//! Concurrency: branches that end each other, and runs that share what is outside.

use std::time::Duration;

use futures::future::try_join;
use retell::prelude::*;
use retell::workflow::CallError;
use retell_tester::{Explorer, Tester};

use super::{GOODS_OR_MONEY, Outside, charge, check, did, goods_or_money, order_with, refund, ship, times};

/// The bug: the first error drops its sibling, whose effect happens all the same.
#[retell::workflow]
async fn drops_siblings(cx: WorkflowContext) -> WorkflowResult<()> {
    let never = RetryPolicy::never();
    let charged = cx.activity(charge, &()).retry(never.clone());
    let packed = cx.activity(pack, &()).retry(never);
    try_join(charged, packed).await?;
    Ok(cx.activity(ship, &()).await?)
}

/// Waits for both, then decides.
#[retell::workflow]
async fn hears_both_out(cx: WorkflowContext) -> WorkflowResult<()> {
    let never = RetryPolicy::never();
    let charged = cx.activity(charge, &()).retry(never.clone());
    let packed = cx.activity(pack, &()).retry(never);
    let (charged, packed) = retell::join!(charged, packed);
    if let Err(error) = charged.and(packed) {
        cx.activity(refund, &()).await?;
        return Err(error.into());
    }
    Ok(cx.activity(ship, &()).await?)
}

#[retell::activity]
async fn pack(_cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

/// A parcel that was sent is known by its number; asking again sends nothing.
fn careful(shop: Tester) -> Tester {
    shop.fake(ship).answers_with_context(|cx, ()| {
        let sent = cx.state::<Outside>()?.times("ship") > 0;
        if sent { Ok(()) } else { did(&cx, "ship") }
    });
    shop.activity(pack)
}

#[test]
fn the_first_error_drops_its_siblings() {
    let explorer = |order: Explorer| order.failures(1).always(GOODS_OR_MONEY, goods_or_money);
    check(
        &explorer(order_with(drops_siblings, careful)),
        &explorer(order_with(hears_both_out, careful)),
        GOODS_OR_MONEY,
        &["order: charge#1 fails"],
    );
}

#[retell::activity]
async fn call_taxi(cx: ActivityContext, company: String) -> Result<String, ActivityError> {
    did(&cx, format!("call {company}"))?;
    Ok(company)
}

#[retell::activity]
async fn send_away(cx: ActivityContext, company: String) -> Result<(), ActivityError> {
    let away = format!("send away {company}");
    if cx.state::<Outside>()?.times(&away) == 0 { did(&cx, away) } else { Ok(()) }
}

/// Calls the first company, and the second too if the first does not answer within a minute.
async fn first_taxi(cx: &WorkflowContext) -> Result<(String, bool), CallError> {
    let (one, other) = ("one".to_owned(), "other".to_owned());
    let mut first = std::pin::pin!(cx.activity(call_taxi, &one));
    retell::select! {
        taxi = first.as_mut() => return Ok((taxi?, false)),
        timer = cx.sleep(Duration::from_secs(60)) => timer?,
    }
    Ok((retell::race!(first, cx.activity(call_taxi, &other))?, true))
}

/// The bug: whoever loses the race has been called as well, and comes.
#[retell::workflow]
async fn forgets_the_loser(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(first_taxi(&cx).await?.0)
}

#[retell::workflow]
async fn sends_the_loser_away(cx: WorkflowContext) -> WorkflowResult<String> {
    let (winner, both) = first_taxi(&cx).await?;
    if both {
        let loser = if winner == "one" { "other" } else { "one" };
        cx.activity(send_away, &loser.to_owned()).await?;
    }
    Ok(winner)
}

#[test]
fn the_loser_of_a_race_took_effect() {
    const ONE: &str = "one taxi comes";
    let explorer = |order: Explorer| {
        order.always(ONE, |ending| {
            let comes = |company: &&str| {
                times(ending, &format!("call {company}")) > times(ending, &format!("send away {company}"))
            };
            ["one", "other"].iter().filter(|company| comes(company)).count() == 1
        })
    };
    let taxis = |shop: Tester| shop.activity(call_taxi).activity(send_away);
    check(
        &explorer(order_with(forgets_the_loser, taxis)),
        &explorer(order_with(sends_the_loser_away, taxis)),
        ONE,
        &["time passes"],
    );
}

/// The bug: what is let go of is cancelled when the function returns, even if it is about to be tried again.
#[retell::workflow]
async fn lets_the_audit_go(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(audit, &()).detach()?;
    Ok(cx.activity(pack, &()).await?)
}

#[retell::workflow]
async fn waits_for_the_audit(cx: WorkflowContext) -> WorkflowResult<()> {
    let (audited, packed) = retell::join!(cx.activity(audit, &()), cx.activity(pack, &()));
    audited.and(packed)?;
    Ok(())
}

/// Tells the auditors, who are away at times.
#[retell::activity]
async fn audit(cx: ActivityContext) -> Result<(), ActivityError> {
    did(&cx, "audit")
}

#[test]
fn detached_work_ends_with_its_run() {
    const AUDITED: &str = "each order is audited";
    let explorer = |order: Explorer| order.always(AUDITED, |ending| times(ending, "audit") > 0);
    let audited = |shop: Tester| {
        shop.fake(audit).takes(Duration::from_secs(1)).answers_with_context(|cx, ()| did(&cx, "audit"));
        shop.activity(pack)
    };
    check(
        &explorer(order_with(lets_the_audit_go, audited)),
        &explorer(order_with(waits_for_the_audit, audited)),
        AUDITED,
        &[],
    );
}

/// Seats that are free in the only train.
#[retell::activity]
async fn free_seats(cx: ActivityContext) -> Result<usize, ActivityError> {
    Ok(1_usize.saturating_sub(cx.state::<Outside>()?.times("take")))
}

#[retell::activity]
async fn take_seat(cx: ActivityContext) -> Result<(), ActivityError> {
    did(&cx, "take")
}

/// Takes a seat if one is free, in one step.
#[retell::activity]
async fn take_free_seat(cx: ActivityContext) -> Result<bool, ActivityError> {
    let free = cx.state::<Outside>()?.times("take") == 0;
    if free {
        did(&cx, "take")?;
    }
    Ok(free)
}

/// The bug: the seat that was free may be taken by the time that it is taken.
#[retell::workflow]
async fn checks_then_acts(cx: WorkflowContext) -> WorkflowResult<bool> {
    let free = cx.activity(free_seats, &()).await? > 0;
    if free {
        cx.activity(take_seat, &()).await?;
    }
    Ok(free)
}

#[retell::workflow]
async fn acts_in_one_step(cx: WorkflowContext) -> WorkflowResult<bool> {
    Ok(cx.activity(take_free_seat, &()).await?)
}

#[test]
fn two_runs_check_and_then_act() {
    const ONE_SEAT: &str = "no seat is taken twice";
    fn explorer<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
        Explorer::new(move |tester| {
            let tester = tester.state(Outside::default()).workflow(workflow);
            let tester = tester.activity(free_seats).activity(take_seat).activity(take_free_seat);
            tester.start(workflow, "anna", ());
            tester
        })
        .action("ben books too", move |tester| {
            tester.start(workflow, "ben", ());
            true
        })
        .always(ONE_SEAT, |ending| times(ending, "take") <= 1)
    }
    check(&explorer(checks_then_acts), &explorer(acts_in_one_step), ONE_SEAT, &["ben books too"]);
}
