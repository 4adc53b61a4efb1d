//! The programming model: structured concurrency, on the whole engine, with replay behind each run.

mod conditions;
mod deadlines;
mod groups;
mod open_work;
mod patches;
mod saga;
mod scopes;
mod semaphores;
mod steps;
mod together;

use retell::client::ResultError;
use retell::history::Event;
use retell::prelude::*;
use retell::vocabulary::Failure;

/// The activity of these tests; fakes say how long it takes and how it ends.
#[retell::activity]
async fn work(_cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

/// The names of the events, in order.
fn names(history: &[Event]) -> Vec<&'static str> {
    history.iter().map(|event| event.kind.name()).collect()
}

/// How many events of a name there are.
fn count(history: &[Event], name: &str) -> usize {
    names(history).iter().filter(|held| **held == name).count()
}

/// What a run left that has failed.
#[track_caller]
fn failure<T: std::fmt::Debug>(result: Result<T, ResultError>) -> Failure {
    match result {
        Err(ResultError::Failed(failure)) => failure,
        other => panic!("it has not failed: {other:?}"),
    }
}
