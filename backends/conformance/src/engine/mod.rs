//! The engine's suite: workers, clients and workflow code end to end on the store under test, crashes included.
//!
//! For the author of a store, one more line beside [`suite!`](crate::suite), with the same function:
//!
//! ```ignore
//! retell_conformance::engine_suite!(create);
//! ```
//!
//! Every case runs twice: `cached`, with live runs kept in memory, and `uncached`, where each task is told its run's
//! history again from the store. Time is a manual clock's; nothing sleeps, cases wait for what they want to see. A
//! process that crashes is an engine that is dropped without shutdown, together with its handle on the store.

pub mod cases;
mod keeper;
mod probe;
mod scene;
mod tap;

use std::future::Future;
use std::time::Duration;

use retell::clock::ManualClock;

pub use scene::{Mode, Scene};

use crate::{StoreUnderTest, within, world};

/// How long a case may take before it counts as hung: the longest are a few seconds of a server's work, on machines that
/// do other work beside.
const CASE_TIME_MAX: Duration = Duration::from_secs(90);

/// Runs one case on a fresh store. Called by the tests that [`engine_suite!`](crate::engine_suite) makes.
#[doc(hidden)]
pub fn run<S, C, K>(create: impl FnOnce(ManualClock) -> C, mode: Mode, case: impl FnOnce(Scene) -> K)
where
    S: StoreUnderTest,
    C: Future<Output = S>,
    K: Future<Output = ()>,
{
    within(CASE_TIME_MAX, async {
        let clock = world::clock();
        let subject = create(clock.clone()).await;
        case(Scene::new(subject, clock, mode)).await;
    });
}
