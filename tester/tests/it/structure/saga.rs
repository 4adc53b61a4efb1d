//! Sagas: compensations in reverse order, whatever ends the run.

use std::time::Duration;

use retell::prelude::*;
use retell::workflow::Uncompensated;
use retell::write::CloseStatus;
use retell_tester::{Explorer, Tester};

use super::{count, failure};

#[retell::activity]
async fn book(_cx: ActivityContext, what: String) -> Result<String, ActivityError> {
    Ok(what)
}

#[retell::activity]
async fn give_back(_cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    drop(what);
    Ok(())
}

/// Books in order; what is booked is given back if a later booking fails. `stops` at the first that cannot be.
#[retell::workflow]
async fn trip(cx: WorkflowContext, stops: bool) -> WorkflowResult<Vec<String>> {
    let mut saga = cx.saga();
    if stops {
        saga = saga.stop_at_failure();
    }
    let booked = async {
        let mut booked = Vec::new();
        for what in ["car", "flight", "hotel"].map(str::to_owned) {
            // Before: a booking may have been made although its call failed.
            let three = RetryPolicy::fixed(Duration::from_secs(1)).attempts(3);
            saga.undo(what.clone(), |cx| cx.activity(give_back, &what).retry(three));
            booked.push(cx.activity(book, &what).retry(RetryPolicy::never()).await?);
        }
        let party = saga.undo("party", |cx| cx.activity(give_back, &"party".to_owned()));
        saga.forget(party);
        Ok(booked)
    }
    .await;
    saga.conclude(booked).await
}

fn no_hotel(tester: &Tester) {
    tester.fake(book).when(|what| what == "hotel").fails(ActivityError::new("Full", "no room"));
    tester.fake(book).answers(Ok);
}

fn given_back(tester: &Tester) -> Vec<String> {
    tester.calls().of(give_back).into_iter().map(|call| call.input).collect()
}

#[test]
fn nothing_is_undone_if_all_goes_well() {
    let tester = Tester::new().workflow(trip).activity(book);
    tester.fake(give_back).is_never_called();
    assert_eq!(tester.start(trip, "trip", false).result().unwrap(), ["car", "flight", "hotel"]);
}

#[test]
fn what_was_done_is_undone_in_reverse_order() {
    let tester = Tester::new().workflow(trip).activity(give_back);
    no_hotel(&tester);
    let run = tester.start(trip, "trip", false);
    assert_eq!(&*failure(run.result()).error_type, "Full");
    assert_eq!(given_back(&tester), ["hotel", "flight", "car"]);
}

#[test]
fn a_cancelled_run_undoes_under_a_shield_and_is_cancelled() {
    let tester = Tester::new().workflow(trip).activity(give_back);
    tester.fake(book).when(|what| what == "hotel").never_returns();
    tester.fake(book).answers(Ok);
    let run = tester.start(trip, "trip", false);
    tester.advance(Duration::from_secs(1));
    run.cancel("enough").unwrap();
    assert!(run.result().is_err());
    assert_eq!(run.closed(), Some(CloseStatus::Cancelled));
    assert_eq!(given_back(&tester), ["hotel", "flight", "car"]);
}

#[test]
fn what_cannot_be_undone_is_reported_and_the_rest_is_undone_unless_it_is_to_stop() {
    for stops in [false, true] {
        let tester = Tester::new().workflow(trip);
        no_hotel(&tester);
        tester.fake(give_back).when(|what| what == "flight").fails(ActivityError::new("Late", "too late"));
        tester.fake(give_back).returns(());
        let failure = failure(tester.start(trip, "trip", stops).result());
        assert_eq!(&*failure.error_type, "Uncompensated");
        assert!(failure.causes[0].message.contains("no room"), "{failure}");
        let left: Uncompensated = failure.details.unwrap().decode().unwrap();
        assert_eq!((left.failed.len(), &*left.failed[0].name), (1, "flight"));
        assert_eq!(&*left.failed[0].failure.error_type, "Late");
        // Three tries by its own policy; then the rest, or nothing more.
        let flights = ["hotel", "flight", "flight", "flight"];
        if stops {
            assert_eq!(given_back(&tester), flights);
            assert_eq!(left.skipped.iter().map(|name| &**name).collect::<Vec<_>>(), ["car"]);
        } else {
            assert_eq!(given_back(&tester), [&flights[..], &["car"]].concat());
            assert!(left.skipped.is_empty());
        }
    }
}

#[retell::workflow]
async fn goes_on(cx: WorkflowContext, round: u32) -> WorkflowResult<u32> {
    let mut saga = cx.saga();
    saga.undo("round", |cx| cx.activity(give_back, &round.to_string()));
    let next = if round < 2 { cx.continue_as_new(goes_on, &(round + 1)) } else { Ok(round) };
    saga.conclude(next).await
}

#[test]
fn to_continue_as_new_is_no_failure() {
    let tester = Tester::new().workflow(goes_on);
    tester.fake(give_back).is_never_called();
    assert_eq!(tester.start(goes_on, "on", 0).result().unwrap(), 2);
}

#[test]
fn whatever_dies_and_whenever_it_is_cancelled_nothing_stays_booked() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(trip).activity(book).activity(give_back);
        tester.start(trip, "trip", false);
        tester
    })
    .cancel("trip")
    .crashes(1)
    .always("booked, or given back", |ending| {
        let booked = ending.closed("trip") == Some(CloseStatus::Completed);
        let scheduled: usize =
            ending.histories("trip").iter().map(|(_, events)| count(events, "ActivityScheduled")).sum();
        let undone = ending.calls().of(give_back);
        let tried: std::collections::BTreeSet<_> =
            ending.calls().of(book).into_iter().map(|call| call.input).collect();
        if booked {
            scheduled == 3
        } else {
            tried.iter().all(|what| undone.iter().any(|call| call.input == *what))
        }
    })
    .run();
    assert!(explored.complete(), "{explored}");
}
