//! Timers: deadlines against completions, and deadlines that move.

use std::time::Duration;

use retell::prelude::*;
use retell::vocabulary::Attempt;
use retell_tester::{Ending, Explorer, Tester};

use super::{
    GOODS_OR_MONEY, HOUR, MINUTE, Outside, charge, check, did, goods_or_money, order, order_with, refund,
    ship,
};

/// The bug: the charge has been made when its time is up; giving up on it does not give it back.
#[retell::workflow]
async fn gives_up_on_a_charge(cx: WorkflowContext) -> WorkflowResult<()> {
    retell::select! {
        charged = cx.activity(charge, &()) => charged?,
        timer = cx.sleep(MINUTE) => { timer?; return Err(WorkflowError::new("the bank does not answer")); }
    }
    Ok(cx.activity(ship, &()).await?)
}

#[retell::workflow]
async fn takes_a_late_charge_back(cx: WorkflowContext) -> WorkflowResult<()> {
    let charged = retell::select! {
        charged = cx.activity(charge, &()) => { charged?; true }
        timer = cx.sleep(MINUTE) => { timer?; false }
    };
    if !charged {
        cx.activity(refund, &()).await?;
        return Err(WorkflowError::new("the bank does not answer"));
    }
    Ok(cx.activity(ship, &()).await?)
}

#[test]
fn timer_against_completion() {
    let explorer = |order: Explorer| order.always(GOODS_OR_MONEY, goods_or_money);
    check(
        &explorer(order(gives_up_on_a_charge)),
        &explorer(order(takes_a_late_charge_back)),
        GOODS_OR_MONEY,
        &["time passes"],
    );
}

/// Lets customers pay until it is closed, as a bank's page does.
#[retell::activity]
async fn payment_page(_cx: ActivityContext, _what: String) -> Result<(), ActivityError> {
    Err(ActivityError::new("NoBank", "tests have no bank"))
}

/// The bug: between its decision and the closing of the page somebody may pay.
#[retell::workflow]
async fn forgets_who_paid_late(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(payment_page, &"open".to_owned()).await?;
    let paid = paid_in_time(&cx).await?;
    cx.activity(payment_page, &"close".to_owned()).await?;
    if paid {
        cx.activity(ship, &()).await?;
    }
    Ok(())
}

/// Once the page is closed nobody pays any more: who has not been heard by then gets the money back.
#[retell::workflow]
async fn looks_again_when_closed(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(payment_page, &"open".to_owned()).await?;
    let paid = paid_in_time(&cx).await?;
    cx.activity(payment_page, &"close".to_owned()).await?;
    if paid {
        cx.activity(ship, &()).await?;
    } else {
        cx.activity(refund, &()).await?;
    }
    Ok(())
}

async fn paid_in_time(cx: &WorkflowContext) -> WorkflowResult<bool> {
    Ok(retell::select! {
        paid = cx.signal::<()>("paid") => { paid?; true }
        timer = cx.sleep(HOUR) => { timer?; false }
    })
}

#[test]
fn paid_while_the_timeout_is_dealt_with() {
    fn explorer<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
        let pay = move |tester: &Tester| {
            let outside = tester.shared::<Outside>();
            let open = outside.times("open page") > outside.times("close page");
            if open {
                outside.did("charge");
                tester.run(workflow, "order").signal("paid", &()).unwrap();
            }
            open
        };
        let slow = |shop: Tester| {
            shop.fake(payment_page)
                .takes(MINUTE)
                .answers_with_context(|cx, what| did(&cx, format!("{what} page")));
            shop
        };
        order_with(workflow, slow).action("the customer pays", pay).always(GOODS_OR_MONEY, goods_or_money)
    }
    check(
        &explorer(forgets_who_paid_late),
        &explorer(looks_again_when_closed),
        GOODS_OR_MONEY,
        &["time passes", "time passes", "the customer pays"],
    );
}

/// Takes its time.
#[retell::activity]
async fn record(_cx: ActivityContext, _vote: bool) -> Result<(), ActivityError> {
    Ok(())
}

/// The bug: each vote gives the others another hour.
#[retell::workflow]
async fn starts_its_hour_again(cx: WorkflowContext) -> WorkflowResult<u32> {
    let mut votes = 0;
    loop {
        let vote = retell::select! {
            vote = cx.signal::<bool>("vote") => vote?,
            timer = cx.sleep(HOUR) => { timer?; return Ok(votes); }
        };
        cx.activity(record, &vote).await?;
        votes += u32::from(vote);
    }
}

#[retell::workflow]
async fn keeps_its_hour(cx: WorkflowContext) -> WorkflowResult<u32> {
    let (mut votes, closes) = (0, cx.now() + HOUR);
    loop {
        let vote = retell::select! {
            vote = cx.signal::<bool>("vote") => vote?,
            timer = cx.sleep_until(closes) => { timer?; return Ok(votes); }
        };
        cx.activity(record, &vote).await?;
        votes += u32::from(vote);
    }
}

#[test]
fn a_deadline_that_starts_again_in_each_turn() {
    const HOUR_LONG: &str = "a poll closes after an hour";
    fn explorer<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
        Explorer::new(move |tester| {
            let tester = tester.workflow(workflow);
            tester.fake(record).takes(40 * MINUTE).returns(());
            tester.start(workflow, "poll", ());
            tester
        })
        .signal("poll", "vote", &true)
        .always(HOUR_LONG, |ending| lasted(ending, "poll") == HOUR)
    }
    check(&explorer(starts_its_hour_again), &explorer(keeps_its_hour), HOUR_LONG, &["poll: signal vote"]);
}

/// From a run's first event to its last.
fn lasted(ending: &Ending<'_>, workflow_id: &str) -> Duration {
    let histories = ending.histories(workflow_id);
    let mut times = histories.iter().flat_map(|(_, events)| events).map(|event| event.at);
    let first = times.next().unwrap();
    times.last().unwrap().since(first)
}

/// Reports, which takes longer than an hour when the database is slow.
#[retell::activity]
async fn report(_cx: ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

async fn reported(cx: &WorkflowContext) -> WorkflowResult<()> {
    let policy = RetryPolicy::exponential().attempts(2);
    Ok(cx.activity(report, &()).start_to_close(2 * HOUR).retry(policy).await?)
}

/// The bug: hours that went by while a report was made lie in the past, and are all made up for at once.
#[retell::workflow]
async fn makes_up_for_hours(cx: WorkflowContext) -> WorkflowResult<()> {
    let mut next = cx.now();
    for _ in 0..3 {
        next = next + HOUR;
        cx.sleep_until(next).await?;
        reported(&cx).await?;
    }
    Ok(())
}

#[retell::workflow]
async fn skips_hours_that_are_over(cx: WorkflowContext) -> WorkflowResult<()> {
    let mut next = cx.now();
    for _ in 0..3 {
        while next <= cx.now() {
            next = next + HOUR;
        }
        cx.sleep_until(next).await?;
        reported(&cx).await?;
    }
    Ok(())
}

#[test]
fn a_wait_for_what_is_past() {
    const ON_THE_HOUR: &str = "reports are asked for on the hour";
    fn explorer<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
        Explorer::new(move |tester| {
            let tester = tester.activity(report).workflow(workflow);
            tester.start(workflow, "reports", ());
            tester
        })
        .always(ON_THE_HOUR, |ending| {
            let asked = ending.calls().iter().filter(|call| call.attempt == Attempt(1));
            let micros = asked.map(|call| call.at.as_micros());
            micros.into_iter().all(|micros| u128::try_from(micros).unwrap() % HOUR.as_micros() == 0)
        })
    }
    check(
        &explorer(makes_up_for_hours),
        &explorer(skips_hours_that_are_over),
        ON_THE_HOUR,
        &["time passes", "time passes"],
    );
}
