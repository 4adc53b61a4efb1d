//! Cancellation: requests that come where nobody thought of them.

use retell::client::ResultError;
use retell::prelude::*;
use retell::workflow::CallError;
use retell_tester::{Ending, Explorer};

use super::{GOODS_OR_MONEY, Outside, charge, check, did, goods_or_money, order, refund, ship, times};

#[track_caller]
fn cancelled_order<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
    order(workflow).cancel("order").always(GOODS_OR_MONEY, goods_or_money)
}

/// The bug: after a cancel request every call outside a shield is refused, the refund too.
#[retell::workflow]
async fn cleans_up_unshielded(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.shielded().activity(charge, &()).await?;
    if let Err(error) = cx.signal::<()>("packed").await {
        cx.activity(refund, &()).await?;
        return Err(error.into());
    }
    Ok(cx.shielded().activity(ship, &()).await?)
}

#[retell::workflow]
async fn cleans_up_shielded(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.shielded().activity(charge, &()).await?;
    if let Err(error) = cx.signal::<()>("packed").await {
        cx.shielded().activity(refund, &()).await?;
        return Err(error.into());
    }
    Ok(cx.shielded().activity(ship, &()).await?)
}

#[test]
fn cancel_in_clean_up() {
    let explorer = |order: Explorer| {
        order.signal("order", "packed", &()).cancel("order").always(GOODS_OR_MONEY, goods_or_money)
    };
    check(
        &explorer(order(cleans_up_unshielded)),
        &explorer(order(cleans_up_shielded)),
        GOODS_OR_MONEY,
        &["order: cancel"],
    );
}

/// The bug: the charge has been made when its await says that it is cancelled.
#[retell::workflow]
async fn trusts_a_cancelled_charge(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(charge, &()).await?;
    Ok(cx.shielded().activity(ship, &()).await?)
}

#[retell::workflow]
async fn refunds_a_cancelled_charge(cx: WorkflowContext) -> WorkflowResult<()> {
    if let Err(error) = cx.activity(charge, &()).await {
        cx.shielded().activity(refund, &()).await?;
        return Err(error.into());
    }
    Ok(cx.shielded().activity(ship, &()).await?)
}

#[test]
fn cancel_between_an_effect_and_its_record() {
    check(
        &cancelled_order(trusts_a_cancelled_charge),
        &cancelled_order(refunds_a_cancelled_charge),
        GOODS_OR_MONEY,
        &["order: cancel"],
    );
}

/// The bug: the parcel has left when its await says that it is cancelled; there is no way back from there.
#[retell::workflow]
async fn returns_after_the_last_step(cx: WorkflowContext) -> WorkflowResult<()> {
    let sold = async {
        cx.activity(charge, &()).await?;
        cx.activity(ship, &()).await
    };
    if let Err(error) = sold.await {
        cx.shielded().activity(refund, &()).await?;
        return Err(error.into());
    }
    Ok(())
}

#[retell::workflow]
async fn shields_the_last_step(cx: WorkflowContext) -> WorkflowResult<()> {
    if let Err(error) = cx.activity(charge, &()).await {
        cx.shielded().activity(refund, &()).await?;
        return Err(error.into());
    }
    Ok(cx.shielded().activity(ship, &()).await?)
}

#[test]
fn cancel_after_the_point_of_no_return() {
    check(
        &cancelled_order(returns_after_the_last_step),
        &cancelled_order(shields_the_last_step),
        GOODS_OR_MONEY,
        &["order: charge#1 ends", "order: cancel"],
    );
}

#[retell::activity]
async fn mail(cx: ActivityContext, reader: u32) -> Result<(), ActivityError> {
    did(&cx, format!("mail {reader}"))
}

/// The bug: a cancellation is an error like any other to the loop, which skips it and goes on.
#[retell::workflow]
async fn skips_what_fails(cx: WorkflowContext) -> WorkflowResult<u32> {
    let mut skipped = 0;
    for reader in 1..=3 {
        if cx.activity(mail, &reader).retry(RetryPolicy::never()).await.is_err() {
            skipped += 1;
        }
    }
    Ok(skipped)
}

#[retell::workflow]
async fn stops_when_cancelled(cx: WorkflowContext) -> WorkflowResult<u32> {
    let mut skipped = 0;
    for reader in 1..=3 {
        match cx.activity(mail, &reader).retry(RetryPolicy::never()).await {
            Ok(()) => {}
            Err(CallError::Failed(_)) => skipped += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(skipped)
}

#[test]
fn cancel_swallowed_in_a_loop() {
    const TRIED: &str = "a newsletter that went out was tried with every reader";
    fn explorer<W: Workflow<Input = (), Output = u32>, M>(
        workflow: impl NamesWorkflow<W, M> + Copy,
    ) -> Explorer {
        let tried = |ending: &Ending<'_>| (1..=3).all(|reader| times(ending, &format!("mail {reader}")) == 1);
        Explorer::new(move |tester| {
            let tester = tester.state(Outside::default()).activity(mail).workflow(workflow);
            tester.start(workflow, "news", ());
            tester
        })
        .failures(1)
        .cancel("news")
        .always(TRIED, move |ending| match ending.result(workflow, "news") {
            Some(Ok(_)) => tried(ending),
            other => matches!(other, Some(Err(ResultError::Cancelled))),
        })
    }
    check(&explorer(skips_what_fails), &explorer(stops_when_cancelled), TRIED, &["news: cancel"]);
}
