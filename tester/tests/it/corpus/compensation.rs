//! Compensation: what undoes the steps that were taken when a later one fails.

use std::time::Duration;

use retell::prelude::*;
use retell_tester::{Ending, Explorer};

use super::{Outside, check, did, times};

#[retell::activity]
async fn book(cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    did(&cx, format!("book {what}"))
}

/// Takes a booking back, if there is one; once for each call, however often it is tried.
#[retell::activity]
async fn unbook(cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    let (outside, key) = (cx.state::<Outside>()?, cx.idempotency_key());
    if outside.times(&format!("book {what}")) > 0 && outside.times(&key) == 0 {
        outside.did(key);
        outside.did(format!("unbook {what}"));
    }
    Ok(())
}

/// A run of the workflow under the ID `trip`; an attempt of it may fail, heard or unheard, and it may be cancelled.
#[track_caller]
fn trip<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
    Explorer::new(move |tester| {
        let tester = tester.state(Outside::default()).activity(book).activity(unbook).workflow(workflow);
        tester.start(workflow, "trip", ());
        tester
    })
    .failures(1)
    .cancel("trip")
}

/// Tries once: an activity that fails has failed for good.
async fn booked(cx: &WorkflowContext, what: &str) -> WorkflowResult<()> {
    Ok(cx.activity(book, &what.to_owned()).retry(RetryPolicy::never()).await?)
}

async fn unbooked(cx: &WorkflowContext, what: &str) -> WorkflowResult<()> {
    let policy = RetryPolicy::fixed(Duration::from_secs(1));
    Ok(cx.shielded().activity(unbook, &what.to_owned()).retry(policy).await?)
}

/// The bug: the hotel's failure takes the flight back here, and once more where the trip's failure is dealt with.
async fn flight_and_hotel(cx: &WorkflowContext) -> WorkflowResult<()> {
    booked(cx, "flight").await?;
    if let Err(error) = booked(cx, "hotel").await {
        unbooked(cx, "flight").await?;
        return Err(error);
    }
    Ok(())
}

#[retell::workflow]
async fn compensates_twice(cx: WorkflowContext) -> WorkflowResult<()> {
    let done = flight_and_hotel(&cx).await;
    if done.is_err() {
        unbooked(&cx, "hotel").await?;
        unbooked(&cx, "flight").await?;
    }
    done
}

#[retell::workflow]
async fn compensates_in_one_place(cx: WorkflowContext) -> WorkflowResult<()> {
    let done = async {
        booked(&cx, "flight").await?;
        booked(&cx, "hotel").await
    };
    let done = done.await;
    if done.is_err() {
        unbooked(&cx, "hotel").await?;
        unbooked(&cx, "flight").await?;
    }
    done
}

#[test]
fn double_compensation() {
    const ONCE: &str = "nothing is taken back twice";
    let once = |ending: &Ending<'_>| ["flight", "hotel"].iter().all(|what| taken_back(ending, what) <= 1);
    check(
        &trip(compensates_twice).always(ONCE, once),
        &trip(compensates_in_one_place).always(ONCE, once),
        ONCE,
        &["trip: book#1 ends", "trip: cancel"],
    );
}

fn taken_back(ending: &Ending<'_>, what: &str) -> usize {
    times(ending, &format!("unbook {what}"))
}

/// The bug: a step is to be undone only once its call has returned, but a call that failed may have done its work.
#[retell::workflow]
async fn undoes_what_returned(cx: WorkflowContext) -> WorkflowResult<()> {
    let mut undo = Vec::new();
    let mut done = Ok(());
    for what in ["flight", "hotel"] {
        done = booked(&cx, what).await;
        if done.is_err() {
            break;
        }
        undo.push(what);
    }
    if done.is_err() {
        for what in undo.into_iter().rev() {
            unbooked(&cx, what).await?;
        }
    }
    done
}

#[retell::workflow]
async fn undoes_what_was_tried(cx: WorkflowContext) -> WorkflowResult<()> {
    let mut undo = Vec::new();
    let mut done = Ok(());
    for what in ["flight", "hotel"] {
        undo.push(what);
        done = booked(&cx, what).await;
        if done.is_err() {
            break;
        }
    }
    if done.is_err() {
        for what in undo.into_iter().rev() {
            unbooked(&cx, what).await?;
        }
    }
    done
}

#[test]
fn compensation_skipped_for_a_step_that_took_effect() {
    const ALL_OR_NOTHING: &str = "a trip is booked as a whole or not at all";
    let whole = |ending: &Ending<'_>| {
        let held = |what: &str| times(ending, &format!("book {what}")) - taken_back(ending, what).min(1);
        held("flight") == held("hotel")
    };
    check(
        &trip(undoes_what_returned).always(ALL_OR_NOTHING, whole),
        &trip(undoes_what_was_tried).always(ALL_OR_NOTHING, whole),
        ALL_OR_NOTHING,
        &["trip: cancel"],
    );
}

/// Moves a customer's money into a new account, or closes it: it must be empty for that.
#[retell::activity]
async fn account(cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    let outside = cx.state::<Outside>()?;
    let full = outside.times("pay in") > outside.times("pay out");
    if what == "close" && full {
        return Err(ActivityError::new("NotEmpty", "the account holds money").non_retryable());
    }
    did(&cx, what)
}

async fn opened(cx: &WorkflowContext) -> WorkflowResult<()> {
    for what in ["open", "pay in", "send card"] {
        cx.activity(account, &what.to_owned()).retry(RetryPolicy::never()).await?;
    }
    Ok(())
}

/// The bug: the steps are undone in the order in which they were taken.
#[retell::workflow]
async fn undoes_first_to_last(cx: WorkflowContext) -> WorkflowResult<()> {
    let done = opened(&cx).await;
    if done.is_err() {
        for what in ["close", "pay out"] {
            // It is done as well as it can be.
            _ = cx.shielded().activity(account, &what.to_owned()).await;
        }
    }
    done
}

#[retell::workflow]
async fn undoes_last_to_first(cx: WorkflowContext) -> WorkflowResult<()> {
    let done = opened(&cx).await;
    if done.is_err() {
        for what in ["pay out", "close"] {
            _ = cx.shielded().activity(account, &what.to_owned()).await;
        }
    }
    done
}

#[test]
fn compensation_in_the_wrong_order() {
    const NO_LEFTOVERS: &str = "an account that was not set up is closed";
    fn explorer<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
        Explorer::new(move |tester| {
            let tester = tester.state(Outside::default()).activity(account).workflow(workflow);
            tester.start(workflow, "account", ());
            tester
        })
        .failures(1)
        .always(NO_LEFTOVERS, move |ending| {
            let failed = ending.result(workflow, "account").is_some_and(|result| result.is_err());
            !failed || times(ending, "open") == times(ending, "close")
        })
    }
    check(
        &explorer(undoes_first_to_last),
        &explorer(undoes_last_to_first),
        NO_LEFTOVERS,
        &["account: account#1 ends", "account: account#2 fails"],
    );
}
