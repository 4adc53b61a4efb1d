//! Messages: signals that come twice, in another order, too early or too late.

use std::collections::BTreeSet;
use std::time::Duration;

use retell::prelude::*;
use retell::workflow::CallError;
use retell_tester::{Ending, Explorer};

use super::{HOUR, Outside, check, did, times};

#[retell::activity]
async fn act(cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    did(&cx, what)
}

async fn acted(cx: &WorkflowContext, what: impl Into<String>) -> WorkflowResult<()> {
    Ok(cx.activity(act, &what.into()).await?)
}

/// A run of the workflow under this ID.
#[track_caller]
fn world<W: Workflow<Input = ()>, M>(
    workflow: impl NamesWorkflow<W, M> + Copy,
    workflow_id: &'static str,
) -> Explorer {
    Explorer::new(move |tester| {
        let tester = tester.state(Outside::default()).activity(act).workflow(workflow);
        tester.start(workflow, workflow_id, ());
        tester
    })
}

/// Waits for two approvals.
async fn two_approvals(cx: &WorkflowContext) -> Result<(), CallError> {
    cx.signal::<()>("approval").await?;
    cx.signal("approval").await
}

/// The bug: when time is up, the future that waits is dropped, and with it the approval that it has taken.
#[retell::workflow]
async fn drops_what_waits(cx: WorkflowContext) -> WorkflowResult<bool> {
    for _ in 0..2 {
        retell::select! {
            approved = two_approvals(&cx) => { approved?; return Ok(true); }
            timer = cx.sleep(HOUR) => timer?,
        }
        acted(&cx, "remind").await?;
    }
    Ok(false)
}

/// One future waits, whatever happens meanwhile.
#[retell::workflow]
async fn goes_on_waiting(cx: WorkflowContext) -> WorkflowResult<bool> {
    let mut approvals = std::pin::pin!(two_approvals(&cx));
    for _ in 0..2 {
        retell::select! {
            approved = approvals.as_mut() => { approved?; return Ok(true); }
            timer = cx.sleep(HOUR) => timer?,
        }
        acted(&cx, "remind").await?;
    }
    Ok(false)
}

#[test]
fn a_signal_lost_with_the_future_that_took_it() {
    const TWO_DO: &str = "two approvals in time are enough";
    fn explorer<W: Workflow<Input = (), Output = bool>, M>(
        workflow: impl NamesWorkflow<W, M> + Copy,
    ) -> Explorer {
        world(workflow, "order").signal("order", "approval", &()).signal("order", "approval", &()).always(
            TWO_DO,
            move |ending| {
                let approved = ending.result(workflow, "order").is_some_and(|result| result.unwrap());
                approved || in_time(ending) < 2
            },
        )
    }
    check(
        &explorer(drops_what_waits),
        &explorer(goes_on_waiting),
        TWO_DO,
        &["order: signal approval", "time passes", "order: signal approval (2)"],
    );
}

/// How many signals came before the last timer fired.
fn in_time(ending: &Ending<'_>) -> usize {
    let (_, events) = ending.histories("order").remove(0);
    let fired = events.iter().rposition(|event| event.kind.name() == "TimerFired").unwrap_or(events.len());
    events[..fired].iter().filter(|event| event.kind.name() == "SignalReceived").count()
}

/// The bug: what is put in later takes the place of what was there.
#[retell::workflow]
async fn keeps_the_last(cx: WorkflowContext) -> WorkflowResult<u32> {
    let mut total = 0;
    loop {
        let (more, done) = next_of_cart(&cx).await?;
        total = more.unwrap_or(total);
        if done {
            return Ok(total);
        }
    }
}

#[retell::workflow]
async fn keeps_all(cx: WorkflowContext) -> WorkflowResult<u32> {
    let mut total = 0;
    loop {
        let (more, done) = next_of_cart(&cx).await?;
        total += more.unwrap_or(0);
        if done {
            return Ok(total);
        }
    }
}

/// What is put into the cart next, or that it goes to the checkout.
async fn next_of_cart(cx: &WorkflowContext) -> WorkflowResult<(Option<u32>, bool)> {
    Ok(retell::select! {
        more = cx.signal::<u32>("add") => (Some(more?), false),
        done = cx.signal::<()>("checkout") => { done?; (None, true) }
    })
}

#[test]
fn a_signal_overwritten_by_the_next() {
    const ALL: &str = "what came before the checkout is bought";
    fn explorer<W: Workflow<Input = (), Output = u32>, M>(
        workflow: impl NamesWorkflow<W, M> + Copy,
    ) -> Explorer {
        world(workflow, "cart")
            .signal("cart", "checkout", &())
            .signal("cart", "add", &1)
            .signal("cart", "add", &10)
            .always(ALL, move |ending| {
                let bought = ending.result(workflow, "cart").and_then(Result::ok);
                bought == Some(before(ending, "cart", "checkout"))
            })
    }
    check(
        &explorer(keeps_the_last),
        &explorer(keeps_all),
        ALL,
        &["cart: signal add", "cart: signal add (2)"],
    );
}

/// The sum of the numbers that signals have brought before the first signal of this name.
fn before(ending: &Ending<'_>, workflow_id: &str, last: &str) -> u32 {
    use retell::history::EventKind::SignalReceived;
    let histories = ending.histories(workflow_id);
    let signals = histories.iter().flat_map(|(_, events)| events).filter_map(|event| match &event.kind {
        SignalReceived(signal) => Some(signal),
        _ => None,
    });
    let earlier = signals.take_while(|signal| signal.signal.as_str() != last);
    earlier.map(|signal| signal.input.decode::<u32>().unwrap()).sum()
}

/// The bug: the one who always answers first is not always the first.
#[retell::workflow]
async fn expects_an_order(cx: WorkflowContext) -> WorkflowResult<()> {
    let (_manager, _) = cx.signal::<(String, u32)>("approval").await?;
    let (_finance, budget) = cx.signal::<(String, u32)>("approval").await?;
    acted(&cx, format!("spend {budget}")).await
}

#[retell::workflow]
async fn asks_who_it_is(cx: WorkflowContext) -> WorkflowResult<()> {
    let approvals = [cx.signal::<(String, u32)>("approval").await?, cx.signal("approval").await?];
    let budget = approvals.iter().find(|(who, _)| who == "finance").map_or(0, |(_, budget)| *budget);
    acted(&cx, format!("spend {budget}")).await
}

#[test]
fn an_order_of_signals_assumed() {
    const BUDGET: &str = "what finance allows is spent";
    let explorer = |world: Explorer| {
        world
            .signal("desk", "approval", &("manager", 0))
            .signal("desk", "approval", &("finance", 500))
            .always(BUDGET, |ending| times(ending, "spend 500") == 1)
    };
    check(
        &explorer(world(expects_an_order, "desk")),
        &explorer(world(asks_who_it_is, "desk")),
        BUDGET,
        &["desk: signal approval (2)"],
    );
}

/// The bug: a sender that has heard nothing asks again, as another request; each is a payment here.
#[retell::workflow]
async fn pays_each_request(cx: WorkflowContext) -> WorkflowResult<()> {
    let closes = cx.now() + HOUR;
    while let Some(invoice) = next_invoice(&cx, closes).await? {
        acted(&cx, format!("pay {invoice}")).await?;
    }
    Ok(())
}

#[retell::workflow]
async fn pays_each_invoice(cx: WorkflowContext) -> WorkflowResult<()> {
    let closes = cx.now() + HOUR;
    let mut paid = BTreeSet::new();
    while let Some(invoice) = next_invoice(&cx, closes).await? {
        if paid.insert(invoice) {
            acted(&cx, format!("pay {invoice}")).await?;
        }
    }
    Ok(())
}

async fn next_invoice(cx: &WorkflowContext, closes: Timestamp) -> WorkflowResult<Option<u32>> {
    Ok(retell::select! {
        invoice = cx.signal::<u32>("pay") => Some(invoice?),
        timer = cx.sleep_until(closes) => { timer?; None }
    })
}

#[test]
fn a_duplicate_under_another_request_id() {
    const ONCE: &str = "an invoice is paid once";
    let explorer = |world: Explorer| {
        world
            .signal("desk", "pay", &7)
            .signal("desk", "pay", &7)
            .duplicates(1)
            .always(ONCE, |ending| times(ending, "pay 7") <= 1)
    };
    check(
        &explorer(world(pays_each_request, "desk")),
        &explorer(world(pays_each_invoice, "desk")),
        ONCE,
        &["desk: signal pay", "desk: signal pay (2)"],
    );
}

/// The bug: a payment that comes after the seat was given back pays for a seat that nobody keeps.
#[retell::workflow]
async fn takes_a_late_payment(cx: WorkflowContext) -> WorkflowResult<()> {
    acted(&cx, "keep seat").await?;
    if !paid_within(&cx, HOUR).await? {
        acted(&cx, "free seat").await?;
        acted(&cx, "remind").await?;
        if !paid_within(&cx, HOUR).await? {
            return Ok(());
        }
    }
    acted(&cx, "send ticket").await
}

#[retell::workflow]
async fn keeps_the_seat_again(cx: WorkflowContext) -> WorkflowResult<()> {
    acted(&cx, "keep seat").await?;
    if !paid_within(&cx, HOUR).await? {
        acted(&cx, "free seat").await?;
        acted(&cx, "remind").await?;
        if !paid_within(&cx, HOUR).await? {
            return Ok(());
        }
        acted(&cx, "keep seat").await?;
    }
    acted(&cx, "send ticket").await
}

async fn paid_within(cx: &WorkflowContext, time: Duration) -> WorkflowResult<bool> {
    Ok(retell::select! {
        paid = cx.signal::<()>("paid") => { paid?; true },
        timer = cx.sleep(time) => { timer?; false }
    })
}

#[test]
fn a_signal_taken_after_a_timeout_was_decided() {
    const SEATED: &str = "whoever has a ticket has a seat";
    let explorer = |world: Explorer| {
        world.signal("seat", "paid", &()).always(SEATED, |ending| {
            let kept = times(ending, "keep seat") - times(ending, "free seat");
            times(ending, "send ticket") <= kept
        })
    };
    check(
        &explorer(world(takes_a_late_payment, "seat")),
        &explorer(world(keeps_the_seat_again, "seat")),
        SEATED,
        &["seat: act#1 ends", "time passes", "seat: signal paid"],
    );
}
